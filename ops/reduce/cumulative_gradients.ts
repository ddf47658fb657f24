/** What flows back through running products and maxima. */

import type { Tensor } from "../../compiler/graph/node.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { GradientSite } from "../../compiler/graph/op.ts";
import { div, mul } from "../elementwise/arithmetic.ts";
import { equal, notEqual } from "../elementwise/comparison.ts";
import { cast } from "../elementwise/convert.ts";
import { and } from "../elementwise/logical.ts";
import { maximum } from "../elementwise/extremum.ts";
import { where } from "../elementwise/select.ts";
import { full } from "../leaves.ts";
import { roll } from "../views/roll.ts";
import { cumprod, cumsum, type CumulativeAttrs } from "./cumulative.ts";
import { segmentedCumsum } from "./segmented.ts";

type Site = GradientSite<CumulativeAttrs>;

/**
 * ∂y_k/∂x_i = y_k / x_i for i ≤ k, unless a zero comes before or at i. The first zero gets the products that skip it (y′,
 * with a 1 in its place); what comes after it meets it as a factor and gets nothing.
 */
export function gradientOfProduct({ inputs, outputs, attrs }: Site, g: Tensor): Tensor {
  const x = inputs[0]!;
  const y = outputs[0]!;
  const { axis, reverse, exclusive } = attrs;
  const back = (t: Tensor): Tensor => cumsum(t, axis, { reverse: !reverse, exclusive });
  const isZero = equal(x, 0);
  const zeros: Tensor = cumsum(cast(isZero, "i32") as Tensor, axis, { reverse });
  const first = and(isZero, equal(zeros, 1));
  const skipping: Tensor = where(first, full(x.shape, 1, x.dtype), x);
  const products: Tensor = cumprod(skipping, axis, { reverse, exclusive });
  const none: Tensor = full(x.shape, 0, x.dtype);
  const before = div(back(mul(g, y)), where(isZero, full(x.shape, 1, x.dtype), x));
  return where(equal(zeros, 0), before, where(first, back(mul(g, products)), none)) as Tensor;
}

/**
 * Each y_k is shared equally by the x_i, i ≤ k, that equal it. Running maxima come in segments of equal ones, and these x_i
 * lie in the segment of y_k: so how many there are is a running count within the segment, and what reaches x_i is the sum
 * of the shares from i to the end of its segment. Two scans, and nothing is compared with more than its neighbor.
 */
export function gradientOfMax({ inputs, outputs, attrs: { axis, reverse } }: Site, g: Tensor): Tensor {
  const x = inputs[0]!;
  const y = outputs[0]!;
  // Where the maximum is another one than just before. At the first element the neighbor is the last: no matter.
  const begins: Tensor<Shape, "bool"> = notEqual(y, roll(y, reverse ? -1 : 1, axis));
  const holds: Tensor<Shape, "bool"> = equal(x, y);
  const holders = segmentedCumsum(cast(holds, "i32"), begins, axis, { reverse });
  const shares: Tensor = div(g, cast(maximum(holders, 1), g.dtype) as Tensor);
  const back = segmentedCumsum(shares, roll(begins, reverse ? 1 : -1, axis), axis, { reverse: !reverse });
  return where(holds, back, full(x.shape, 0, g.dtype)) as Tensor;
}
