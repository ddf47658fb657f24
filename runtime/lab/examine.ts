/**
 * One case in many settings, in one submit: what random testing runs.
 *
 * All programs are joined into one, which the device runs once, and every result is held to the references. Where that
 * fails as a whole, each is run by itself.
 * @module
 */

import { compileGraph } from "../../compiler/compile.ts";
import { CompileError } from "../../compiler/errors.ts";
import type { StoredArray } from "../../compiler/graph/dtype.ts";
import type { Cover } from "../../compiler/fuse/group.ts";
import type { FusionPolicy } from "../../compiler/fuse/policy.ts";
import { joinPrograms, type NamedProgram } from "../../compiler/program/join_programs.ts";
import type { Program } from "../../compiler/program/program.ts";
import type { Target } from "../../compiler/target.ts";
import type { Device } from "../device.ts";
import { load } from "../executable.ts";
import { type Case, modelOf } from "./case.ts";
import {
  compared,
  demandsOf,
  expectationsOf,
  type Failure,
  firstSentence,
  judge,
  type Setting,
  STATE,
} from "./judge.ts";

/** What a case came to in one setting. */
export interface Examined {
  readonly setting: number;
  readonly failure?: Failure;
  /** Why it could not be compiled as asked, where that is no mistake. */
  readonly refused?: string;
  /** Its program is that of an earlier setting, so it did not run again. */
  readonly same?: boolean;
  readonly results: number;
  readonly dropped: number;
}

/**
 * @param settings For targets of one kind: what results may be is asked once.
 * @param isLate Asked before each but the first is compiled; those that are left then are left out.
 */
export async function examine(
  c: Case,
  settings: readonly Setting[],
  device: Device,
  isLate: () => boolean = () => false,
): Promise<readonly Examined[]> {
  const found: Examined[] = [];
  const programs = new Map<number, Program>();
  const known = new Map<Target, Set<string>>();
  for (const [setting, options] of settings.entries()) {
    if (setting > 0 && isLate()) break;
    if (!known.has(options.target)) known.set(options.target, new Set());
    const made = compileOne(c, options, known.get(options.target)!);
    if ("kernels" in made) programs.set(setting, made);
    else found.push({ setting, ...made, results: 0, dropped: 0 });
  }
  const expected = expectationsOf(c, device.target.builtins.exp);
  const results = await runTogether(c, [...programs.values()], device);
  for (const [i, setting] of [...programs.keys()].entries()) {
    const own = results === undefined
      ? await judge(c, settings[setting]!, device, expected)
      : compared(expected, results[i]!, demandsOf(c));
    found.push({
      setting,
      ...own.failure && { failure: own.failure },
      results: own.compared + own.dropped,
      dropped: own.dropped,
    });
  }
  return found;
}

/** Thrown out of a compile whose cover is known: all that follows would be, too. */
class SameCover extends Error {}

/** A program, or why there is none. */
function compileOne(
  c: Case,
  { target, policy, arithmetic }: Setting,
  known: Set<string>,
): Program | Pick<Examined, "refused" | "failure" | "same"> {
  const watching: FusionPolicy = {
    ...policy,
    cover(graph, options) {
      const cover = policy.cover(graph, options);
      // Asked again with what is known then, it may well give the same.
      if ((options.apart?.size ?? 0) > 0) return cover;
      const key = keyOf(cover);
      if (known.has(key)) throw new SameCover();
      known.add(key);
      return cover;
    },
  };
  try {
    return compileGraph(modelOf(c).graph, { target, policy: watching, arithmetic }).program;
  } catch (error) {
    if (error instanceof SameCover) return { same: true };
    const failure: Failure = { kind: "throws", message: firstSentence(error) };
    if (!(error instanceof CompileError)) return { failure };
    return isDeserved(error.what) ? { refused: error.what } : { failure };
  }
}

/** A graph may be too large for a policy, or an op for the limits; whatever else is refused is a mistake. */
const isDeserved = (sentence: string): boolean =>
  /storage buffers, and the limit is|graphs of \d+ ops at most|largest buffer is/.test(sentence);

const keyOf = ({ groups }: Cover): string =>
  groups.map(({ roots, nodes }) => `${roots.map((t) => t.key)}:${[...nodes].map((n) => n.id).sort()}`).join(
    ";",
  );

/** The results of each program; undefined where the device refuses them all together. */
async function runTogether(
  { feeds, states }: Case,
  programs: readonly Program[],
  device: Device,
): Promise<readonly ReadonlyMap<string, StoredArray>[] | undefined> {
  const own = (name: string): string => name.slice(name.indexOf(":") + 1);
  const results = programs.map(() => new Map<string, StoredArray>());
  try {
    const program = joinPrograms(programs.map((one, i): NamedProgram => [`way ${i}`, one]));
    using run = await load(program, device, { state: (path) => states[own(path)] });
    const given = run.run(Object.fromEntries(program.inputs.map(({ name }) => [name, feeds[own(name)]!])));
    await Promise.all([
      ...Object.entries(given).map(async ([name, tensor]) => {
        results[Number.parseInt(name)]!.set(own(name), await tensor.read());
      }),
      ...run.state.names.map(async (name) => {
        results[Number.parseInt(name)]!.set(`${STATE}${own(name)}`, await run.state.read(name));
      }),
    ]);
    return results;
  } catch {
    device.engine.assertUsable();
    return undefined; // each by itself says which it was
  }
}
