/**
 * Whether a case gives on a device what the references of its ops say (SEMANTICS §10), and what is wrong where it doesn't.
 * @module
 */

import { InternalError, WeftError } from "../../compiler/errors.ts";
import type { Arithmetic } from "../../compiler/fuse/lower_group.ts";
import type { FusionPolicy } from "../../compiler/fuse/policy.ts";
import { showShape } from "../../compiler/graph/dim.ts";
import { type HostArray, hostArray, type StoredArray } from "../../compiler/graph/dtype.ts";
import { inputName } from "../../compiler/graph/graph.ts";
import type { Node, Tensor } from "../../compiler/graph/node.ts";
import { type Expected, expectedOf, type Mismatch, mismatches } from "../../compiler/reference/tolerance.ts";
import type { Target } from "../../compiler/target.ts";
import { compileGraph } from "../../compiler/compile.ts";
import type { Device } from "../device.ts";
import { load } from "../executable.ts";
import { type Case, modelOf } from "./case.ts";
import { position } from "../position.ts";

/** What the new contents of a state are called by, before its path. */
export const STATE = "state:";

/** How a case is compiled. */
export interface Setting {
  readonly target: Target;
  readonly policy: FusionPolicy;
  readonly arithmetic?: Arithmetic | undefined;
  /** All of the case is to be one kernel, as by `fuse(() => …)`. */
  readonly together?: boolean;
}

/** What every result of a case may be; a state's new contents are `state:path`. */
export type Expectations = ReadonlyMap<string, Expected>;

export interface Failure {
  readonly kind: "differs" | "throws";
  /** A sentence. */
  readonly message: string;
  /** The result that is wrong, and where. */
  readonly result?: string;
  readonly mismatch?: Mismatch;
}

/** What a case came to. */
export interface Outcome {
  readonly failure?: Failure;
  /** Results that were compared, and those of which nothing can be said. */
  readonly compared: number;
  readonly dropped: number;
}

/** All that a run of the case leaves, by name. */
export const demandsOf = ({ graph }: Case): ReadonlyMap<string, Tensor> =>
  new Map([
    ...Object.entries(graph.outputs),
    // What is written with itself is not written.
    ...graph.writes.filter(({ state, value }) => state.key !== value.key)
      .map(({ state, value }) => [`${STATE}${state.node.attrs.path}`, value] as const),
  ]);

/** What the references say of a case. */
export function expectationsOf(c: Case, builtins = false): Expectations {
  const wanted = demandsOf(c);
  const expected = expectedOf([...wanted.values()], hostFeeds(c), { builtins });
  return new Map([...wanted.keys()].map((name, i) => [name, expected[i]!]));
}

/** Inputs and states as references take them. */
export function hostFeeds({ graph, feeds, states }: Case): Map<Node, HostArray> {
  const found = new Map<Node, HostArray>();
  for (const t of graph.inputs) found.set(t.node, hostForm(t, feeds[inputName(t)]!));
  for (const { tensor, path } of graph.states) found.set(tensor.node, hostForm(tensor, states[path]!));
  return found;
}

export function hostForm({ dtype }: Pick<Tensor, "dtype">, array: StoredArray): HostArray {
  const out = hostArray(dtype, array.length);
  out.set(array);
  return out;
}

/** Runs a case once on a device; results by name. Throws what compiling and running throw. */
export async function runCase(
  c: Case,
  { target, policy, arithmetic, together }: Setting,
  device: Device,
): Promise<ReadonlyMap<string, StoredArray>> {
  const { graph } = modelOf(c, together);
  const { program } = compileGraph(graph, { target, policy, arithmetic });
  using run = await load(program, device, { state: (path) => c.states[path] });
  const results = run.run(c.feeds);
  const read = [...demandsOf(c).keys()].map(async (name) => {
    const array = name.startsWith(STATE) ? run.state.read(name.slice(STATE.length)) : results[name]!.read();
    return [name, await array] as const;
  });
  return new Map(await Promise.all(read));
}

/** Compares results with what they may be. */
export function compared(
  expected: Expectations,
  results: ReadonlyMap<string, ArrayLike<number>>,
  shapes: ReadonlyMap<string, Pick<Tensor, "shape">>,
): Outcome {
  let [count, dropped] = [0, 0];
  for (const [name, want] of expected) {
    if (want.dropped !== undefined) {
      dropped++;
      continue;
    }
    count++;
    const [wrong] = mismatches(want, results.get(name)!);
    if (wrong === undefined) continue;
    const at = position(wrong.index, shapes.get(name)!.shape as readonly number[]);
    const message =
      `element ${showShape(at)} of ${name} is ${wrong.got}, and the reference says ${wrong.want} ± ` +
      `${wrong.tolerance.toPrecision(3)}`;
    return { failure: { kind: "differs", message, result: name, mismatch: wrong }, compared: count, dropped };
  }
  return { compared: count, dropped };
}

/** What a case comes to on a device: an error of the compiler or of the device is a failure too. */
export async function judge(
  c: Case,
  setting: Setting,
  device: Device,
  expected: Expectations = expectationsOf(c, setting.target.builtins.exp),
): Promise<Outcome> {
  try {
    return compared(expected, await runCase(c, setting, device), demandsOf(c));
  } catch (error) {
    // A device that is gone says nothing about a graph.
    device.engine.assertUsable();
    return { failure: { kind: "throws", message: firstSentence(error) }, compared: 0, dropped: 0 };
  }
}

/** An error that Weft meant to throw, or one that it didn't, in one line. */
export function firstSentence(error: unknown): string {
  if (error instanceof WeftError) return `${error.name}: ${error.what}`;
  if (error instanceof InternalError) return `${error.name}: ${error.message}`;
  return error instanceof Error ? `${error.name}: ${error.message.split("\n")[0]}` : String(error);
}

/** Whether two failures are of one kind, whatever the numbers in them. */
export function isAlike(a: Failure, b: Failure): boolean {
  if (a.kind !== b.kind) return false;
  // An element that is NaN or infinite by mistake is another matter than one that is a little off, but may well shrink
  // into one; a message is one of many that a compiler has.
  return a.kind === "differs" || skeleton(a.message) === skeleton(b.message);
}

const skeleton = (message: string): string =>
  message.replace(/"[^"]*"|\[[^\]]*\]|%?-?\d[\w.+-]*/g, "…").slice(0, 60);
