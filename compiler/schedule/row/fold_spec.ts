/**
 * What is accumulated over a row: one reduction, or several that one state answers together.
 *
 * A state is what `Combine` puts together (kernel/ir.ts): one to three numbers. What is known at its end is a list of
 * values that need no evaluation any more.
 */

import type { CombineOp } from "../../kernel/ir.ts";
import type { Reduce, Value, ValueType } from "../../kernel/value.ts";

export interface PlainFold {
  readonly kind: "plain";
  readonly reduce: Reduce;
}
/** The largest x and Σ exp(x − largest), in one pass (Milakov and Gimelshein 2018). */
export interface MaxSumExpFold {
  readonly kind: "maxSumExp";
  readonly max: Reduce;
  readonly sum: Reduce;
  readonly x: Value;
}
/** Σ x, its mean, and Σ (x − mean)², in one pass without cancellation (Welford 1962; Chan, Golub, LeVeque 1979). */
export interface MomentsFold {
  readonly kind: "moments";
  readonly sum: Reduce;
  readonly mean: Value;
  readonly squares: Reduce;
  readonly x: Value;
  /** Elements per row. */
  readonly count: number;
}
export type FoldSpec = PlainFold | MaxSumExpFold | MomentsFold;

/** Reductions that are computed together, in the pass of the leader. */
export interface Merge {
  readonly rule: "maxSumExp" | "moments";
  readonly leader: Reduce;
  readonly followers: readonly Reduce[];
  readonly fold: FoldSpec;
}

export const plainFold = (reduce: Reduce): PlainFold => ({ kind: "plain", reduce });

/** The element values that a fold takes in. */
export const partsOf = (
  fold: FoldSpec,
): readonly Value[] => [fold.kind === "plain" ? fold.reduce.body : fold.x];

/** The values that are known once the fold is complete. */
export function resultsOf(fold: FoldSpec): readonly Value[] {
  switch (fold.kind) {
    case "plain":
      return [fold.reduce];
    case "maxSumExp":
      return [fold.max, fold.sum];
    case "moments":
      return [fold.sum, fold.mean, fold.squares];
  }
}

export const isIndexed = (fold: FoldSpec): boolean =>
  fold.kind === "plain" && (fold.reduce.op === "argmax" || fold.reduce.op === "argmin");

export const combineOf = (fold: FoldSpec): CombineOp => fold.kind === "plain" ? fold.reduce.op : fold.kind;

/** Types of the components of the state. */
export function stateTypes(fold: FoldSpec): readonly ValueType[] {
  switch (fold.kind) {
    case "plain":
      return isIndexed(fold) ? [fold.reduce.body.type, "i32"] : [fold.reduce.body.type];
    case "maxSumExp":
      return ["f32", "f32"];
    case "moments":
      return ["f32", "f32", "f32"];
  }
}
