/**
 * One tolerance for a tensor whose elements have a bound each.
 *
 * A bound grows with its element where rounding is relative, and does not where an element is a small difference of large
 * numbers. So a tolerance has both parts, absolute + relative · |value|, and is the lowest line above all bounds: of the
 * lines that no bound is above, the one whose mean over the elements is least. That mean is convex in the slope, and its
 * derivative is known at every slope: the mean |value| less the |value| of the element that the line touches.
 * @module
 */

import type { Tolerance } from "./manifest.ts";

/** An element's magnitude and how far it may be off. */
export type Bound = readonly [magnitude: number, bound: number];

/** Halvings of the slopes from 0 to 1: more than a float has digits, so the slope's last change is below its last place. */
const halvings = 64;

/**
 * @param bounds Finite. Of none, the tolerance is zero.
 * @example
 * ```ts
 * import { lineAbove } from "./tolerance_line.ts";
 *
 * console.log(lineAbove([[1, 0.1], [2, 0.2], [4, 0.4]])); // about { absolute: 0, relative: 0.1 }
 * ```
 */
export function lineAbove(bounds: readonly Bound[]): Tolerance {
  if (bounds.length === 0) return { absolute: 0, relative: 0 };
  const mean = bounds.reduce((sum, [magnitude]) => sum + magnitude / bounds.length, 0);
  /** How far the line of a slope must be raised, and the magnitude of the element that it touches then. */
  const raised = (slope: number): readonly [absolute: number, touched: number] => {
    let [absolute, touched] = [0, 0];
    for (const [magnitude, bound] of bounds) {
      const rest = bound - slope * magnitude;
      if (rest > absolute) [absolute, touched] = [rest, magnitude];
    }
    return [absolute, touched];
  };
  let [low, high] = [0, 1];
  for (let i = 0; i < halvings; i++) {
    const slope = (low + high) / 2;
    if (raised(slope)[1] > mean) low = slope;
    else high = slope;
  }
  const height = (slope: number) => raised(slope)[0] + slope * mean;
  const relative = height(high) < height(0) ? Math.min(1, shortened(high)) : 0;
  return { absolute: shortened(raised(relative)[0]), relative };
}

/** Three digits, and no less than the number. */
const shortened = (x: number): number => x === 0 ? 0 : Number((x * 1.006).toPrecision(3));
