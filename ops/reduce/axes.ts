/** What all reductions share: the shapes and indices left when axes go. */

import type { Dim, Shape } from "../../compiler/graph/dim.ts";
import type { Value } from "../../compiler/kernel/value.ts";

/** `Keep` is the literal that was given, for the type of the result. */
export interface ReduceOptions<Keep extends boolean | undefined = boolean | undefined> {
  /** Reduced axes stay, with size 1, so that the result broadcasts against the input. */
  readonly keepDims?: Keep;
}

export const reducedShape = (shape: Shape, axes: readonly number[]): Shape =>
  shape.filter((_, i) => !axes.includes(i));

export const keepDims = (shape: Shape, axes: readonly number[]): Shape =>
  shape.map((d: Dim, i) => axes.includes(i) ? 1 : d);

/** The index of the input: bound variables at the reduced axes, the result's index at the others. */
export function keptIndex(
  rank: number,
  axes: readonly number[],
  at: readonly Value[],
  bound: readonly Value[],
): Value[] {
  let kept = 0;
  return Array.from({ length: rank }, (_, a) => axes.includes(a) ? bound[axes.indexOf(a)]! : at[kept++]!);
}
