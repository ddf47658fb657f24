/**
 * One name for the row's index.
 *
 * Every reduction of a row binds variables of its own choosing: the root's trailing axis where extents allow it, another
 * slot where two axes have equal extents. A schedule has one loop over the row, so all of them must bind the same
 * variables, or equal reductions stay twins that share nothing. The new names are fresh, so nothing can be captured by
 * them; what could be (a reduction inside another that depends on the other's index) is refused before (space.ts).
 */

import { type Reduce, type Value, type Var, walk } from "../../kernel/value.ts";
import { type Values } from "../../kernel/values.ts";

/** Indices of a shape from a row-major position in it. */
function unflatten(k: Values, position: Value, extents: readonly number[]): Value[] {
  const out: Value[] = [];
  let rest = position;
  for (let axis = extents.length - 1; axis >= 0; axis--) {
    out.unshift(axis === 0 ? rest : k.imod(rest, extents[axis]!));
    rest = k.idiv(rest, extents[axis]!);
  }
  return out;
}

export const product = (factors: readonly number[]): number => factors.reduce((a, b) => a * b, 1);
export const extentsOf = (vars: readonly Var[]): number[] => vars.map((v) => v.extent);
export const sameNumbers = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((x, i) => x === b[i]);

/** The variables themselves where the extents agree, else the same positions in another factoring. */
export const refactor = (k: Values, vars: readonly Var[], extents: readonly number[]): readonly Value[] =>
  sameNumbers(extentsOf(vars), extents) ? vars : unflatten(k, flatten(k, vars), extents);

/** The row-major position of variables. */
export function flatten(k: Values, vars: readonly Var[]): Value {
  let stride = 1;
  const parts: [Value, number][] = [];
  for (const v of [...vars].reverse()) {
    parts.push([v, stride]);
    stride *= v.extent;
  }
  return k.affine(parts);
}

/** Makes every reduction in the values bind `row`; what they bound before has the same number of elements. */
export function bindCommonly(k: Values, row: readonly Var[]): (value: Value) => Value {
  const memo = new Map<Value, Value>();
  const go = (value: Value): Value => {
    const known = memo.get(value);
    if (known) return known;
    let out: Value;
    if (value.kind === "reduce") {
      const names = refactor(k, row, extentsOf(value.vars));
      const body = k.substitute(go(value.body), new Map(value.vars.map((v, i) => [v, names[i]!])));
      out = k.reduceOver(value.op, row, body);
    } else out = k.map(value, go);
    memo.set(value, out);
    return out;
  };
  return go;
}

/** Replaces variables wherever they stand, bound or free; reductions bind `row` from then on. */
export function replaceEverywhere(
  k: Values,
  map: ReadonlyMap<Value, Value>,
  row: readonly Var[],
): (value: Value) => Value {
  const memo = new Map<Value, Value>();
  const go = (value: Value): Value => {
    const known = map.get(value) ?? memo.get(value);
    if (known) return known;
    const out = value.kind === "reduce" ? k.reduceOver(value.op, row, go(value.body)) : k.map(value, go);
    memo.set(value, out);
    return out;
  };
  return go;
}

/** All reductions in the values, inner before outer. */
export function reductionsIn(values: readonly Value[]): Reduce[] {
  const found: Reduce[] = [];
  walk(values, (value) => {
    if (value.kind === "reduce") found.push(value);
  });
  return found;
}

/** Every piece of index arithmetic in the values: what must stay free of division when axes are merged. */
export function indicesIn(values: readonly Value[]): Value[] {
  const found: Value[] = [];
  walk(values, (value) => {
    if (value.kind === "linear" || value.kind === "div" || value.kind === "mod" || value.kind === "var") {
      found.push(value);
    }
  });
  return found;
}
