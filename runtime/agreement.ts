/**
 * Whether two ways of computing one tensor agree.
 *
 * What may differ by rounding is not guessed but measured: one of them computes again from inputs that were moved by a few
 * units in the last place, and the other may be off as far as that moved the result, some times over.
 * @module
 */

import type { DType, StoredArray } from "../compiler/graph/dtype.ts";

/** How far inputs are moved, relatively: 8 units in the last place of f32. */
const MOVED = 2 ** -20;
/** How many times as far as the moved run a result may be off. */
const SLACK = 32;
/** What may be off in any case, relative to the largest element: sums have other orders. */
const ROUNDING: Readonly<Record<"f32" | "f16", number>> = { f32: 2e-5, f16: 2 ** -9 };
/** Part of the elements of an integer or bool tensor that may flip where rounding decides. */
const FLIPS = 1e-3;

/**
 * An element in which `found` is not what `wanted` says, the worst for floats and the first for integers; undefined where
 * they agree.
 *
 * @param other As `wanted`, from moved inputs.
 */
export function firstDifference(
  dtype: DType,
  found: StoredArray,
  wanted: StoredArray,
  other: StoredArray,
): number | undefined {
  return dtype === "f32" || dtype === "f16"
    ? worstElement(dtype, found, wanted, other)
    : flippedElement(found, wanted, other);
}

/** Floats up and down in turn, by a rule without a period that an axis could have. */
export function move(array: StoredArray): StoredArray {
  if (!(array instanceof Float32Array)) return array;
  return array.map((x, i) => x * (1 + (Math.imul(i + 1, 0x9e3779b1) < 0 ? MOVED : -MOVED)));
}

/**
 * The largest finite element, and how far an element may be off.
 *
 * @param other As `wanted`, from moved inputs.
 */
export function allowedDistance(
  dtype: "f32" | "f16",
  wanted: StoredArray,
  other: StoredArray,
): { readonly scale: number; readonly allowed: number } {
  let scale = 0;
  let spread = 0;
  for (let i = 0; i < wanted.length; i++) {
    if (!Number.isFinite(wanted[i]!)) continue;
    scale = Math.max(scale, Math.abs(wanted[i]!));
    if (Number.isFinite(other[i]!)) spread = Math.max(spread, Math.abs(other[i]! - wanted[i]!));
  }
  return { scale, allowed: ROUNDING[dtype] * scale + SLACK * spread };
}

function worstElement(
  dtype: "f32" | "f16",
  found: StoredArray,
  wanted: StoredArray,
  other: StoredArray,
): number | undefined {
  const { allowed } = allowedDistance(dtype, wanted, other);
  let worst: number | undefined;
  let off = allowed;
  for (let i = 0; i < wanted.length; i++) {
    if (Object.is(found[i], wanted[i]) || found[i] === wanted[i]) continue;
    const distance = Math.abs(found[i]! - wanted[i]!);
    // NaN or infinity on one side only is never within a tolerance.
    if (Number.isFinite(distance) ? distance <= off : !Number.isFinite(other[i]! - wanted[i]!)) continue;
    if (!Number.isFinite(distance)) return i;
    worst = i;
    off = distance;
  }
  return worst;
}

function flippedElement(found: StoredArray, wanted: StoredArray, other: StoredArray): number | undefined {
  let flips = 0;
  let moved = 0;
  let first: number | undefined;
  for (let i = 0; i < wanted.length; i++) {
    if (found[i] !== wanted[i]) {
      flips++;
      first ??= i;
    }
    if (other[i] !== wanted[i]) moved++;
  }
  return flips > SLACK * moved + FLIPS * wanted.length ? first : undefined;
}
