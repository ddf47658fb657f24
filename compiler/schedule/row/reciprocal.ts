/**
 * What is divided by a row's sum of exponentials is multiplied by the reciprocal of it, once per row.
 *
 *     S = Σ exp(x − M),  M = max x        e / S      e · (1 / S)
 *
 * S is between 1 and the row's length, so neither its reciprocal nor a product with it leaves the numbers that the quotient
 * would not leave; it costs one rounding more. A NaN anywhere in the row, or an infinite M, makes S NaN, and with it all
 * of the row: exponentials that are divided by it need not look for NaN themselves.
 */

import { exp } from "../../kernel/numerics.ts";
import type { Value } from "../../kernel/value.ts";
import { reductionsIn } from "./canonical.ts";
import type { RowSpace } from "./space.ts";

/** The space with products in place of such quotients; the same where there are none. */
export function withReciprocals(space: RowSpace): RowSpace {
  const { values: k, reductions } = space;
  /** The sums, and the exponential that each is the sum of if that keeps NaN. */
  const sums = new Map<Value, Value | undefined>();
  for (const max of reductions) {
    if ((max.op !== "max" && max.op !== "maxFast") || max.type !== "f32") continue;
    const shifted = k.sub(max.body, max);
    const [keeping, bare] = [exp(k, shifted), k.unary("exp", shifted)];
    for (const r of reductions) {
      if (r.op === "sum" && r.body === keeping) sums.set(r, keeping);
      else if (r.op === "sum" && r.body === bare) sums.set(r, undefined);
    }
  }
  if (sums.size === 0) return space;
  const memo = new Map<Value, Value>();
  const go = (value: Value): Value => {
    let made = memo.get(value);
    if (made) return made;
    const isQuotient = value.kind === "binary" && value.op === "div" && sums.has(value.b);
    made = isQuotient
      ? k.mul(go(value.a === sums.get(value.b) ? unchecked(value.a) : value.a), k.div(1, value.b))
      : k.map(value, go);
    memo.set(value, made);
    return made;
  };
  const roots = space.roots.map((root) => ({ ...root, value: go(root.value) }));
  return { ...space, roots, reductions: reductionsIn(roots.map(({ value }) => value)) };
}

/** An exponential without its check for NaN, where the device's own stands behind one. */
const unchecked = (value: Value): Value =>
  value.kind === "select" && value.otherwise.kind === "unary" && value.otherwise.op === "exp"
    ? value.otherwise
    : value;
