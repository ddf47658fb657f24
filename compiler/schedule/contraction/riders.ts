/**
 * Riders: sums over the same steps that read only what the columns read anyway, as a bias gradient Σ_k g[k, n] beside a
 * weight gradient Σ_k x[k, m] · g[k, n]. The first tile of rows adds them up on the way, and a kernel is saved.
 *
 * A rider comes with axes and summed variables of its own; they are matched to the contraction's by their extents, and
 * the match holds if then every load of the rider is one of the contraction's.
 */

import { type Reduce, type Value, type Var, walk } from "../../kernel/value.ts";
import type { Refusal, Root } from "../group.ts";
import { normalize } from "./normal.ts";
import type { Contraction, Store } from "./problem.ts";

/** In the contraction's variables: free are its batch and columns only. */
export interface Rider {
  readonly reduce: Reduce;
  readonly store: Store;
}

const sameExtents = (a: readonly Var[], b: readonly Var[]): boolean =>
  a.length === b.length && a.every((v, i) => v.extent === b[i]!.extent);

function loadsOf(value: Value): Set<Value> {
  const loads = new Set<Value>();
  walk([value], (v) => {
    if (v.kind === "load") loads.add(v);
  });
  return loads;
}

/** The root as a rider of a contraction, or why it is none. */
export function riderOf(c: Contraction, root: Root): Rider | Refusal {
  const { k } = c;
  const no = {
    refused: `a result of shape [${root.shape}] is neither the contraction's nor a sum beside it`,
  };
  const normal = normalize(k, [root]);
  if ("refused" in normal) return no;
  const { axes, reduce, stores: [store] } = normal;
  const space = [...c.batch, ...c.columns];
  if (reduce.op !== c.reduce.op || !sameExtents(axes, space)) return no;
  const renamed = new Map<Value, Value>(axes.map((v, i) => [v, space[i]!]));
  const [only] = reduce.vars;
  if (sameExtents(reduce.vars, c.reduce.vars)) {
    reduce.vars.forEach((v, i) => renamed.set(v, c.reduce.vars[i]!));
  } else if (reduce.vars.length === 1 && only!.extent === c.reduce.vars.reduce((n, v) => n * v.extent, 1)) {
    // One axis to the rider, several to the contraction, whose other side is permuted.
    let stride = only!.extent;
    renamed.set(only!, k.affine(c.reduce.vars.map((v) => [v, stride /= v.extent] as const)));
  } else return no;
  const body = k.substitute(reduce.body, renamed);
  const known = loadsOf(c.reduce.body);
  if ([...loadsOf(body)].some((load) => !known.has(load))) return no;
  const whole = k.reduceOver(reduce.op, c.reduce.vars, body);
  if (whole.kind !== "reduce") return no;
  const outside = new Map<Value, Value>([[reduce, whole]]);
  axes.forEach((v, i) => outside.set(v, space[i]!));
  return {
    reduce: whole,
    store: {
      buffer: store!.buffer,
      value: k.substitute(store!.value, outside),
      index: k.substitute(store!.index, outside),
    },
  };
}
