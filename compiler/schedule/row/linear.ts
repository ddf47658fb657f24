/**
 * Sums that wait for another sum only because of a factor that is the same for the whole row need not wait: the factor
 * comes after the sum.
 *
 *     Σ (a·s + b·t)      s·Σ a + t·Σ b                      s, t: of the row, and not of its elements
 *     Σ a·(x − μ)        Σ a·(x − h) − (μ − h)·Σ a          h: the row's first x, so that no digits of a large mean cancel
 *
 * So the gradient of a layer norm reads its row twice, once for all sums and once for the results, where as many passes as
 * sums depend on each other (the moments, Σ g·(x − μ), the mean's gradient) would be four. Where a factor is infinite, or a
 * divisor 0, the sum is NaN, which its terms are as soon as two of them differ in sign. Σ a may overflow where Σ a·s would
 * not.
 */

import { isFiniteValue } from "../../kernel/numerics.ts";
import type { Reduce, Value } from "../../kernel/value.ts";
import { reductionsIn, replaceEverywhere } from "./canonical.ts";
import { overwritesSafely } from "./in_place.ts";
import { mergesOf } from "./merge.ts";
import { heights, passesOf } from "./passes.ts";
import { rowLength, type RowSpace } from "./space.ts";

/** One addend of a sum's body: an element value (undefined: 1), and what is done to the sum of it. */
interface Term {
  readonly element: Value | undefined;
  readonly apply: (sum: Value) => Value;
}

/** The space with fewer passes; undefined where there are no fewer, or a result would be stored over what is still read. */
export function linearized(space: RowSpace): RowSpace | undefined {
  let current = space;
  // Each turn takes one sum to pass 0.
  for (const _ of space.reductions) {
    const next = withoutOne(current);
    if (!next) break;
    current = next;
  }
  if (current === space || passCount(current) >= passCount(space)) return undefined;
  const safe = current.roots.every((root) => {
    const { safe } = overwritesSafely(current, root, root.buffer.name);
    return safe;
  });
  return safe ? current : undefined;
}

const passCount = (space: RowSpace): number => passesOf(space, mergesOf(space)).length;

/** The first sum that can do without others is replaced by sums of pass 0. */
function withoutOne(space: RowSpace): RowSpace | undefined {
  const merges = mergesOf(space);
  const height = heights(merges);
  const merged = new Set(merges.flatMap((m) => [m.leader, ...m.followers]));
  for (const reduce of space.reductions) {
    if (reduce.op !== "sum" || reduce.type !== "f32" || merged.has(reduce) || height(reduce.body) === 0) {
      continue;
    }
    const sum = withFactorsOutside(space, reduce, height);
    if (!sum) continue;
    const rename = replaceEverywhere(space.values, new Map([[reduce, sum]]), space.row);
    const roots = space.roots.map((r) => ({ ...r, value: rename(r.value) }));
    return { ...space, roots, reductions: reductionsIn(roots.map((r) => r.value)) };
  }
  return undefined;
}

function withFactorsOutside(
  space: RowSpace,
  reduce: Reduce,
  height: (value: Value) => number,
): Value | undefined {
  const { values: k, row } = space;
  const terms = termsOf(space, reduce.body, height);
  if (!terms) return undefined;
  const sums = terms.map(({ element, apply }) =>
    apply(element ? k.reduceOver("sum", row, element) : k.const(rowLength(space)))
  );
  return sums.reduce((a, b) => k.add(a, b));
}

/** A body as a sum of such terms; undefined where it is none. */
function termsOf(space: RowSpace, value: Value, height: (value: Value) => number): Term[] | undefined {
  const { values: k, row } = space;
  const ofElement = (v: Value) => row.some((x) => v.free.has(x));
  const changed = (terms: Term[] | undefined, f: (sum: Value) => Value) =>
    terms?.map((t): Term => ({ ...t, apply: (sum) => f(t.apply(sum)) }));
  const times = (terms: Term[] | undefined, factor: Value) =>
    terms?.map((t): Term => ({ ...t, element: t.element ? k.mul(factor, t.element) : factor }));
  /** Products with ∞ are ∞ of either sign, or NaN; their sum is not what ∞ times the sum is. */
  const known = (factor: Value, product: Value) => k.select(isFiniteValue(k, factor), product, NaN);
  const both = (a: Term[] | undefined, b: Term[] | undefined) => a && b && [...a, ...b];
  const go = (v: Value): Term[] | undefined => {
    if (!ofElement(v)) return [{ element: undefined, apply: (n) => k.mul(v, n) }];
    if (height(v) === 0) return [{ element: v, apply: (sum) => sum }];
    if (v.kind === "unary" && v.op === "neg") return changed(go(v.arg), (sum) => k.unary("neg", sum));
    if (v.kind !== "binary") return undefined;
    const { op, a, b } = v;
    switch (op) {
      case "add":
        return both(go(a), go(b));
      case "sub":
        if (ofElement(a) && height(a) === 0 && !ofElement(b)) return shifted(a, b);
        return both(go(a), changed(go(b), (sum) => k.unary("neg", sum)));
      case "mul":
        if (!ofElement(a)) return changed(go(b), (sum) => known(a, k.mul(a, sum)));
        if (!ofElement(b)) return changed(go(a), (sum) => known(b, k.mul(sum, b)));
        return height(a) === 0 ? times(go(b), a) : height(b) === 0 ? times(go(a), b) : undefined;
      case "div":
        return ofElement(b) ? undefined : changed(go(a), (sum) => k.select(k.eq(b, 0), NaN, k.div(sum, b)));
      default:
        return undefined;
    }
  };
  /** x − μ. */
  const shifted = (x: Value, mean: Value): Term[] => {
    const first = k.substitute(x, new Map(row.map((v) => [v, k.int(0)])));
    const away = k.sub(mean, first);
    return [
      { element: k.sub(x, first), apply: (sum) => sum },
      { element: undefined, apply: (n) => k.unary("neg", k.mul(away, n)) },
    ];
  };
  return go(value);
}
