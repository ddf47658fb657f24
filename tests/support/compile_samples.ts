/**
 * Samples of ops as graphs that the whole pipeline can compile, and what a run of them must give.
 * @module
 */

import { type Compiled, compileGraph, type CompileOptions } from "../../compiler/compile.ts";
import { type Graph, inputName, makeGraph } from "../../compiler/graph/graph.ts";
import type { Op, Sample } from "../../compiler/graph/op.ts";
import { Tensor } from "../../compiler/graph/node.ts";
import { opTable } from "../../ops/define_op.ts";
import "../../ops/mod.ts";
import { gradientGraph } from "../../runtime/check_op/finite_differences.ts";
import { graphOf, type SampleGraph } from "../../runtime/check_op/sample_graph.ts";
import type { Feeds } from "./evaluate.ts";
import { type Expected, expectedOf, mismatches } from "./tolerance.ts";

export type Expectations = Readonly<Record<string, Expected>>;

/** What named tensors must be, on the host and on a device. */
export function expectations(
  wanted: ReadonlyMap<string, Tensor>,
  feeds: Feeds,
): Pick<SampleCase, "expected" | "expectedOnDevice"> {
  const of = (builtins: boolean): Expectations => {
    const expected = expectedOf([...wanted.values()], feeds, { builtins });
    return Object.fromEntries([...wanted.keys()].map((name, i) => [name, expected[i]!]));
  };
  let onDevice: Expectations | undefined;
  return { expected: of(false), expectedOnDevice: () => onDevice ??= of(true) };
}

export interface SampleCase {
  readonly op: string;
  readonly text: string;
  readonly graph: Graph;
  readonly feeds: Readonly<Record<string, ArrayLike<number>>>;
  /** Contents of states before the run, by path. */
  readonly states?: Readonly<Record<string, ArrayLike<number>>>;
  /** By name of output; the new contents of a state are `state:path`. */
  readonly expected: Expectations;
  /** The same where a device's own functions are used. */
  readonly expectedOnDevice: () => Expectations;
}

/** Ops whose contents, or rule, are given by the user and not stated by the op. */
const given = new Set(["input", "state", "customGradient"]);

/** Every op of the table that states what it computes. */
// deno-lint-ignore no-explicit-any -- the table holds ops of every attribute type.
export const tableOps = (): readonly Op<any>[] => [...opTable.values()].filter((op) => !given.has(op.name));

/** Every sample of every op of the table. */
export const sampleCases = (): SampleCase[] =>
  tableOps().flatMap((op) =>
    op.samples.map((sample) => caseOf(op.name, textOf(op, sample), graphOf(op, sample)))
  );

/**
 * The gradient of every sample of an op that has one, with a cotangent as one more input. Special values sit on kinks and
 * poles: nothing can be said of gradients there.
 */
export const gradientCases = (): SampleCase[] =>
  tableOps().filter((op) => !("notDifferentiable" in op.gradient)).flatMap((op) =>
    op.samples.filter((sample) => sample.note !== "special values").flatMap((sample) => {
      const graph = gradientGraph(graphOf(op, sample));
      return graph ? [caseOf(op.name, `gradient of ${textOf(op, sample)}`, graph)] : [];
    })
  );

const textOf = <Attrs>(op: Op<Attrs>, sample: Sample<Attrs>): string =>
  `${op.name}, ${JSON.stringify(sample)}`;

/** A graph with numbers for its inputs, and what its references make of them. */
export function caseOf(op: string, text: string, { builder, outputs, feeds }: SampleGraph): SampleCase {
  const inputs = [...feeds.keys()].map((node) => new Tensor(node, 0));
  const named = Object.fromEntries(outputs.map((t, i) => [`y${i}`, t]));
  return {
    op,
    text,
    graph: makeGraph({ builder, inputs, outputs: named, states: [], writes: [] }),
    feeds: Object.fromEntries(inputs.map((t) => [inputName(t), feeds.get(t.node)!])),
    ...expectations(new Map(outputs.map((t, i) => [`y${i}`, t])), feeds),
  };
}

/** The compiled case; an error says of which case it is. */
export function compileCase({ text, graph }: SampleCase, options: CompileOptions): Compiled {
  try {
    return compileGraph(graph, options);
  } catch (cause) {
    throw new Error(`${text}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** What is wrong with the results of a run; undefined where they are as expected, or nothing can be said of them. */
export function complaintOf(
  { text, expected, expectedOnDevice }: SampleCase,
  results: Readonly<Record<string, ArrayLike<number>>>,
  where: "host" | "device" = "host",
): string | undefined {
  for (const [name, want] of Object.entries(where === "host" ? expected : expectedOnDevice())) {
    if (want.dropped) continue;
    const [wrong] = mismatches(want, results[name]!);
    if (!wrong) continue;
    return `${name}[${wrong.index}] is ${wrong.got} and should be ${wrong.want} ± ${wrong.tolerance}, of ${text}`;
  }
  return undefined;
}
