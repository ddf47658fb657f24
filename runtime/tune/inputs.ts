/**
 * Numbers to compute a group from, where no user has fed any.
 *
 * Floats are drawn around zero, or, where that leads to no numbers (a logarithm, the root of a second moment), above it.
 * Integers are indices more often than not, and an index out of range is not what a group spends its time on; so they are
 * drawn below the bound that the kernel itself compares them with.
 * @module
 */

import { isFloat, type StoredArray, storedArray } from "../../compiler/graph/dtype.ts";
import type { Instr } from "../../compiler/kernel/ir.ts";
import { isRaw } from "../../compiler/kernel/raw.ts";
import type { BufferRef } from "../../compiler/kernel/value.ts";
import { statementsOfKernel } from "../../compiler/kernel/walk.ts";
import type { Run } from "../../compiler/program/alone.ts";
import type { Contents } from "./bench.ts";

/** Where floats lie. */
export type FloatRange = "signed" | "positive";

/** Length of what is drawn; longer buffers repeat it. A prime, so that no axis repeats with it. */
const PERIOD = 65_521;
/** Integers that nothing bounds are drawn below this. */
const UNBOUNDED = 8;

/** @param seed Other seeds give other numbers. */
export function contentsFor(
  buffers: readonly BufferRef[],
  run: Run,
  range: FloatRange,
  seed = 0,
): Contents {
  const bounds = boundsOf(run);
  return new Map(
    buffers.map((ref, i) => [ref.name, draw(ref, i + 1 + 7919 * seed, range, bounds.get(ref.name))]),
  );
}

function draw(
  { dtype, size }: BufferRef,
  seed: number,
  range: FloatRange,
  bound: number | undefined,
): StoredArray {
  const array = storedArray(dtype, size);
  const random = xorshift(seed);
  const of = (x: number): number => {
    if (isFloat(dtype)) return range === "signed" ? 3 * x - 1.5 : 0.25 + x;
    if (dtype === "bool") return x < 0.5 ? 0 : 1;
    if (dtype === "u32" && bound === undefined) return Math.floor(x * 2 ** 32);
    return Math.floor(x * (bound ?? UNBOUNDED));
  };
  const drawn = Math.min(size, PERIOD);
  for (let i = 0; i < drawn; i++) array[i] = of(random());
  for (let at = drawn; at < size; at += drawn) array.copyWithin(at, 0, Math.min(drawn, size - at));
  return array;
}

/** Uniform in [0, 1): Marsaglia's xorshift of 32 bits. */
function xorshift(seed: number): () => number {
  let x = Math.imul(seed, 0x9e3779b1) | 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
}

/** By buffer, the smallest literal that an integer read there is compared with or cut off at: one more than the largest. */
function boundsOf(run: Run): ReadonlyMap<string, number> {
  const bounds = new Map<string, number>();
  for (const { kernel, buffers } of run) {
    if (isRaw(kernel)) continue;
    const names = new Map(kernel.buffers.map(({ name }, i) => [name, buffers[i]!.name]));
    const sourceOf = (instr: Instr): string | undefined => {
      switch (instr.kind) {
        case "load":
          return instr.type.scalar === "i32" || instr.type.scalar === "u32" ? instr.buffer : undefined;
        case "cast":
        case "bitcast":
        case "splat":
        case "component":
          return sourceOf(instr.arg);
        case "binary":
          return instr.op === "max" || instr.op === "min"
            ? sourceOf(instr.a) ?? sourceOf(instr.b)
            : undefined;
        default:
          return undefined;
      }
    };
    for (const statement of statementsOfKernel(kernel)) {
      if (statement.kind !== "let" || statement.instr.kind !== "binary") continue;
      const { op, a, b } = statement.instr;
      const literal = b.kind === "literal" ? b.value : a.kind === "literal" ? a.value : undefined;
      const source = sourceOf(a) ?? sourceOf(b);
      if (literal === undefined || source === undefined) continue;
      const bound = op === "lt" ? literal : op === "min" || op === "le" ? literal + 1 : 0;
      const name = names.get(source)!;
      if (bound > 1) bounds.set(name, Math.min(bound, bounds.get(name) ?? Infinity));
    }
  }
  return bounds;
}
