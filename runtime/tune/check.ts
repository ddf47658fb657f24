/**
 * The numeric check that stands before every tuned kernel (DESIGN §6): it has to compute what the default one computes.
 *
 * Numbers come from inputs.ts; how far rounding may move a result is measured (agreement.ts). Where the default is cheap
 * to compute, it is itself held to the same kernels in JavaScript, so that no adapter is its own judge.
 * @module
 */

import { isFloat } from "../../compiler/graph/dtype.ts";
import { isRaw } from "../../compiler/kernel/raw.ts";
import type { BufferRef } from "../../compiler/kernel/value.ts";
import type { Run } from "../../compiler/program/alone.ts";
import { allowedDistance, firstDifference, move } from "../agreement.ts";
import { JavaScriptEngine } from "../engines/javascript.ts";
import { type Contents, UnitBench } from "./bench.ts";
import { contentsFor } from "./inputs.ts";

/** What results are held to. */
export interface Reference {
  readonly inputs: Contents;
  readonly results: Contents;
  /** The results from inputs that were moved a little. */
  readonly moved: Contents;
}

/** Why there is nothing to hold candidates to. */
export interface Unchecked {
  readonly because: string;
}

/** Part of a result that may be infinite or no number. */
const MOST_UNDEFINED = 0.1;
/** A tolerance of more than this part of the largest element would let wrong results pass. */
const LARGEST_TOLERANCE = 0.01;

/**
 * The results of the default, and how far they may be off.
 *
 * @param cheap Whether JavaScript may compute it too.
 */
export async function referenceOf(
  bench: UnitBench,
  run: Run,
  cheap: boolean,
): Promise<Reference | Unchecked> {
  for (const range of ["signed", "positive"] as const) {
    const inputs = contentsFor(bench.buffers, run, range);
    bench.fill(inputs);
    const results = await bench.compute(run, inputs);
    if (!bench.results.every((ref) => isDefined(ref, results))) continue;
    const shifted = new Map([...inputs].map(([name, array]) => [name, move(array)]));
    bench.fill(shifted);
    const moved = await bench.compute(run, shifted);
    bench.fill(inputs);
    const reference = { inputs, results, moved };
    const vague = bench.results.find((ref) => isVague(ref, reference));
    if (vague) return { because: `its result "${vague.name}" depends on rounding too much to be compared` };
    if (cheap) {
      const wrong = await judge(bench, run, reference);
      if (wrong !== undefined) return { because: `the adapter and JavaScript disagree about it: ${wrong}` };
    }
    return reference;
  }
  return { because: "of random inputs it makes infinities and NaN" };
}

function isDefined({ name, dtype }: BufferRef, results: Contents): boolean {
  if (!isFloat(dtype)) return true;
  const array = results.get(name)!;
  let undefined_ = 0;
  for (let i = 0; i < array.length; i++) if (!Number.isFinite(array[i]!)) undefined_++;
  return undefined_ <= MOST_UNDEFINED * array.length;
}

function isVague({ name, dtype }: BufferRef, { results, moved }: Reference): boolean {
  if (dtype !== "f32" && dtype !== "f16") return false;
  const { scale, allowed } = allowedDistance(dtype, results.get(name)!, moved.get(name)!);
  return allowed > LARGEST_TOLERANCE * scale && scale > 0;
}

/** What in the results of the same kernels in JavaScript differs, if anything. */
async function judge(bench: UnitBench, run: Run, reference: Reference): Promise<string | undefined> {
  if (run.some(({ kernel }) => isRaw(kernel))) return undefined;
  using engine = disposable(new JavaScriptEngine());
  using other = await UnitBench.open(engine.engine, run, () => 0);
  other.fill(reference.inputs);
  const results = await other.compute(run, reference.inputs);
  return differenceOf(bench.results, reference, results);
}

/** The first result that is not the reference's, as a sentence; undefined where all agree. */
export function differenceOf(
  refs: readonly BufferRef[],
  { inputs, results, moved }: Reference,
  found: Contents,
): string | undefined {
  // Rounding moves nothing where no float is read.
  const exact = ![...inputs.values()].some((array) => array instanceof Float32Array);
  for (const { name, dtype } of refs) {
    const [wanted, got] = [results.get(name)!, found.get(name)!];
    const worst = exact && !isFloat(dtype)
      ? wanted.findIndex((x, i) => x !== got[i])
      : firstDifference(dtype, got, wanted, moved.get(name)!) ?? -1;
    if (worst >= 0) return `element ${worst} of "${name}" is ${got[worst]} where ${wanted[worst]} is right`;
  }
  return undefined;
}

/** Computes a candidate and compares; why it is refused, or undefined. */
export async function refusalOf(
  bench: UnitBench,
  run: Run,
  reference: Reference,
): Promise<string | undefined> {
  if (!bench.takes(run)) return "it binds other buffers than the default";
  return differenceOf(bench.results, reference, await bench.compute(run, reference.inputs));
}

const disposable = (engine: JavaScriptEngine) => ({
  engine,
  [Symbol.dispose]: () => engine.dispose(),
});
