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
/**
 * The largest x and Σ exp(x − shift), in one pass: the state is the largest x seen and the sum relative to it (Milakov and
 * Gimelshein 2018).
 */
export interface MaxSumExpFold {
  readonly kind: "maxSumExp";
  readonly max: Reduce;
  readonly x: Value;
  readonly sums: readonly ShiftedSum[];
}
export interface ShiftedSum {
  readonly reduce: Reduce;
  /** What was subtracted: the maximum; or 0 in its place where it is infinite, as log-sum-exp does. */
  readonly shift: "max" | "finite max";
}
/** Σ (x − mean)² without knowing the mean beforehand, and without cancellation (Chan, Golub, LeVeque 1979). */
export interface MomentsFold {
  readonly kind: "moments";
  readonly squares: Reduce;
  readonly x: Value;
}
export type FoldSpec = PlainFold | MaxSumExpFold | MomentsFold;

export const plainFold = (reduce: Reduce): PlainFold => ({ kind: "plain", reduce });

/** The element value that a fold takes in. */
export const elementOf = (fold: FoldSpec): Value => fold.kind === "plain" ? fold.reduce.body : fold.x;

/** The reductions that are known once the fold is complete. */
export function resultsOf(fold: FoldSpec): readonly Reduce[] {
  switch (fold.kind) {
    case "plain":
      return [fold.reduce];
    case "maxSumExp":
      return [fold.max, ...fold.sums.map((s) => s.reduce)];
    case "moments":
      return [fold.squares];
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
