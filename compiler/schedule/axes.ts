/**
 * Loop axes are chosen so that division and remainder vanish (SCHEDULES §1), not the other way round.
 *
 * Merging: neighboring axes become one where every index stays without division, so that a map over [batch, 784] is one
 * long loop. Splitting: an axis that is only ever read through `div` and `mod` by one divisor (a reshape of heads, say)
 * becomes two.
 */

import { type Value, type Var, walk } from "../kernel/value.ts";
import { type Values } from "../kernel/values.ts";

/** Does a value still divide something that depends on the variable? */
export function divides(roots: readonly Value[], v: Var): boolean {
  let found = false;
  walk(roots, (x) => {
    if ((x.kind === "div" || x.kind === "mod") && x.arg.free.has(v)) found = true;
  });
  return found;
}

export interface MergedAxes {
  /** The remaining loop variables, outermost first. */
  readonly vars: readonly Var[];
  /** What each original variable is in terms of the remaining ones. */
  readonly substitution: ReadonlyMap<Value, Value>;
}

/**
 * Merges neighbors from the innermost outwards, as long as no value needs a division for it.
 *
 * @param vars The axes, outermost first, all different.
 * @param values Everything that will be evaluated: roots and store indices.
 */
export function mergeAxes(k: Values, vars: readonly Var[], values: readonly Value[]): MergedAxes {
  let current = [...vars];
  let exprs = [...values];
  const substitution = new Map<Value, Value>(vars.map((v) => [v, v]));
  for (let i = current.length - 2; i >= 0; i--) {
    const [outer, inner] = [current[i]!, current[i + 1]!];
    const merged = k.fresh(outer.extent * inner.extent, exprs, current);
    if (merged.kind !== "var") continue;
    const step = new Map<Value, Value>([
      [outer, k.idiv(merged, inner.extent)],
      [inner, k.imod(merged, inner.extent)],
    ]);
    const rewritten = exprs.map((e) => k.substitute(e, step));
    if (divides(rewritten, merged)) continue;
    exprs = rewritten;
    current = [...current.slice(0, i), merged, ...current.slice(i + 2)];
    for (const [v, e] of substitution) substitution.set(v, k.substitute(e, step));
  }
  return { vars: current, substitution };
}

/** One variable for all axes, whatever has to be divided for it. */
export function flattenAxes(k: Values, vars: readonly Var[], values: readonly Value[]): MergedAxes {
  const all = k.fresh(vars.reduce((n, v) => n * v.extent, 1), values, vars);
  const substitution = new Map<Value, Value>();
  let rest = all;
  for (const [i, v] of [...vars.entries()].reverse()) {
    substitution.set(v, i === 0 ? rest : k.imod(rest, v.extent));
    rest = k.idiv(rest, v.extent);
  }
  return { vars: all.kind === "var" ? [all] : [], substitution };
}

/**
 * Splits variables that are read through division by a literal: v = v₁·d + v₀ with fresh v₁, v₀.
 *
 * @returns the substitution for each split variable, or undefined where nothing is to be split.
 */
export function splitAxes(
  k: Values,
  vars: readonly Var[],
  values: readonly Value[],
): Map<Value, [Var, Var]> | undefined {
  const splits = new Map<Value, [Var, Var]>();
  const taken: Value[] = [...values, ...vars];
  for (const v of vars) {
    let divisor = 0;
    walk(values, (x) => {
      if ((x.kind === "div" || x.kind === "mod") && x.arg === v && v.extent % x.divisor === 0) {
        divisor = divisor === 0 ? x.divisor : Math.min(divisor, x.divisor);
      }
    });
    if (divisor <= 1 || divisor >= v.extent) continue;
    const high = k.fresh(v.extent / divisor, taken);
    taken.push(high);
    const low = k.fresh(divisor, taken);
    taken.push(low);
    if (high.kind === "var" && low.kind === "var") splits.set(v, [high, low]);
  }
  return splits.size > 0 ? splits : undefined;
}
