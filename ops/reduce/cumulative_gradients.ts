/** What flows back through running products and maxima. */

import type { Tensor } from "../../compiler/graph/node.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { GradientSite } from "../../compiler/graph/op.ts";
import { div, mul } from "../elementwise/arithmetic.ts";
import { equal, lessEqual } from "../elementwise/comparison.ts";
import { cast } from "../elementwise/convert.ts";
import { and } from "../elementwise/logical.ts";
import { where } from "../elementwise/select.ts";
import { full, iota } from "../leaves.ts";
import { broadcastTo } from "../views/broadcast.ts";
import { permute } from "../views/permute.ts";
import { expandDims } from "../views/squeeze.ts";
import { cumprod, cumsum, type CumulativeAttrs } from "./cumulative.ts";
import { sum } from "./sum.ts";

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
 * Each y_k is shared equally by the x_i, i ≤ k, that equal it. Pairs (k, i) are compared one by one: n² comparisons in two
 * sums, and no index of where the maximum was.
 */
export function gradientOfMax({ inputs, outputs, attrs: { axis, reverse } }: Site, g: Tensor): Tensor {
  const order = inputs[0]!.shape.map((_, a) => a);
  const last = [...order.filter((a) => a !== axis), axis];
  const row = (t: Tensor): Tensor => expandDims(permute(t, last), -2) as Tensor; // i along the last axis
  const column = (t: Tensor): Tensor => expandDims(permute(t, last), -1) as Tensor; // k along the one before
  const n = inputs[0]!.shape[axis]!;
  const pairs: Shape = [...last.slice(0, -1).map((a) => inputs[0]!.shape[a]!), n, n];
  const [k, i]: readonly Tensor[] = [iota([n, n], 0), iota([n, n], 1)];
  const reaches = broadcastTo(reverse ? lessEqual(k!, i!) : lessEqual(i!, k!), pairs) as Tensor<
    Shape,
    "bool"
  >;
  const holds = and(
    equal(broadcastTo(row(inputs[0]!), pairs), broadcastTo(column(outputs[0]!), pairs)) as Tensor<
      Shape,
      "bool"
    >,
    reaches,
  );
  const holders = sum(cast(holds, g.dtype) as Tensor, -1, { keepDims: true });
  const shares: Tensor = where(holds, broadcastTo(div(column(g), holders), pairs), full(pairs, 0, g.dtype));
  return permute(sum(shares, -2) as Tensor, order.map((a) => last.indexOf(a)));
}
