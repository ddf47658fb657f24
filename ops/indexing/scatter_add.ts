/**
 * Adding up what belongs to one index: the reverse of gather, and its gradient.
 *
 * As a value it is a contraction with a one-hot: Σ_i (id_i = v ? g_i : 0). So it needs no atomics, and the order of the
 * sum is fixed: the same bits each run (SEMANTICS §9).
 */

import { type DType, hostArray } from "../../compiler/graph/dtype.ts";
import { type Dim, type Shape, showShape } from "../../compiler/graph/dim.ts";
import { ShapeError } from "../../compiler/errors.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Op } from "../../compiler/graph/op.ts";
import { defineOp } from "../define_op.ts";
import { axisOf } from "../views/axis.ts";
import { permute } from "../views/permute.ts";
import { count, forEachIndex, offsetOf } from "../views/walk.ts";
import { checkAlong, checkBatch, checkIndices, gatherOp } from "./gather.ts";

interface ScatterAdd {
  /** Where the axes of the indices begin in the updates, and the summed axis in the result. */
  readonly axis: number;
  /** Leading axes that updates and indices share. */
  readonly batch: number;
  readonly size: Dim;
}

/** updates [B…, P…, I…, Q…], indices [B…, I…] → [B…, P…, size, Q…]. */
export const scatterAddOp: Op<ScatterAdd> = defineOp<ScatterAdd>({
  name: "scatterAdd",
  infer([updates, indices], { axis, batch, size }) {
    checkIndices("scatterAdd", indices!);
    checkBatch("scatterAdd", updates!, indices!, batch);
    if (updates!.dtype === "bool") {
      throw new ShapeError(`scatterAdd: bool has no arithmetic; use cast(x, "i32")`);
    }
    const own = indices!.shape.slice(batch);
    const wrong = own.findIndex((d, i) => updates!.shape[axis + i] !== d);
    if (wrong >= 0) {
      throw new ShapeError(
        `scatterAdd: indices ${showShape(indices!.shape)} do not cover ${
          showShape(updates!.shape)
        } from axis ${axis} ` +
          `on: axis ${axis + wrong} is ${updates!.shape[axis + wrong] ?? "missing"}, the indices have ${
            own[wrong]
          }`,
      );
    }
    const shape = [...updates!.shape.slice(0, axis), size, ...updates!.shape.slice(axis + own.length)];
    return [{ shape, dtype: updates!.dtype }];
  },
  gradient({ inputs: [, indices], cotangents: [g], attrs: { axis, batch } }) {
    return [g ? apply(gatherOp, [g, indices!], { axis, batch, zeroOutside: true }) : null, null];
  },
  reference([updates, indices], { axis, batch }, { inputs, outputs }) {
    const [from, ids] = inputs;
    const { shape, dtype } = outputs[0]!;
    const out = hostArray(dtype, count(shape));
    const wide = ids!.shape.length - batch;
    forEachIndex(from!.shape, (index, position) => {
      const id =
        indices![offsetOf([...index.slice(0, batch), ...index.slice(axis, axis + wide)], ids!.shape)]!;
      if (id < 0 || id >= shape[axis]!) return;
      out[offsetOf([...index.slice(0, axis), id, ...index.slice(axis + wide)], shape)]! +=
        updates![position]!;
    });
    return [out];
  },
  lower(k, [updates, indices], at, { attrs: { axis, batch } }) {
    const extents = indices!.shape.slice(batch);
    return k.reduce("sum", extents, at, (bound) => {
      const id = indices!.at([...at.slice(0, batch), ...bound]);
      const update = updates!.at([...at.slice(0, axis), ...bound, ...at.slice(axis + 1)]);
      return k.select(k.eq(id, at[axis]!), update, 0);
    });
  },
  dims: ["size"],
  terms: ([, indices], { batch }) => count(indices!.shape.slice(batch)),
  samples: [
    {
      inputs: [{ shape: [6, 3], lo: -1, hi: 1 }, { shape: [6], dtype: "i32", lo: 0, hi: 4 }],
      attrs: { axis: 0, batch: 0, size: 4 },
    },
    {
      inputs: [{ shape: [2, 3, 2, 4], lo: -1, hi: 1 }, { shape: [3, 2], dtype: "i32", lo: -1, hi: 6 }],
      attrs: { axis: 1, batch: 0, size: 5 },
      note: "some out of range",
    },
    {
      inputs: [{ shape: [3, 5], lo: -1, hi: 1 }, { shape: [3, 5], dtype: "i32", lo: 0, hi: 3 }],
      attrs: { axis: 1, batch: 1, size: 3 },
    },
    {
      inputs: [{ shape: [1] }, { shape: [], dtype: "i32", values: [0] }],
      attrs: { axis: 0, batch: 0, size: 2 },
    },
    {
      inputs: [{ shape: [7], dtype: "i32", lo: -9, hi: 9 }, { shape: [7], dtype: "i32", lo: 0, hi: 3 }],
      attrs: { axis: 0, batch: 0, size: 3 },
    },
    {
      inputs: [{ shape: [0, 2] }, { shape: [0], dtype: "i32", values: [] }],
      attrs: { axis: 0, batch: 0, size: 3 },
      note: "nothing to add",
    },
  ],
});

/**
 * Sums of updates by index: along `axis`, element v of the result is the sum of the updates whose index is v.
 *
 * Deterministic. Updates whose index is out of range are left out. To add to what is there already, add the result.
 *
 * @param updates Its axes from `axis` on are those of `indices`; they are replaced by one of `size`.
 * @param indices i32.
 * @example
 * ```ts
 * import { input, model, scatterAdd } from "@weft/weft";
 *
 * // Sums of rows by class: [10, 3].
 * model({ x: input(["batch", 3], "f32"), label: input(["batch"], "i32") }, ({ x, label }) => {
 *   return { sums: scatterAdd(x, label, { size: 10 }) };
 * });
 * ```
 */
export function scatterAdd<D extends DType>(
  updates: Tensor<Shape, D>,
  indices: Tensor<Shape, "i32">,
  { axis = 0, size }: { readonly axis?: number; readonly size: Dim },
): Tensor<Shape, D> {
  const at = axisOf("scatterAdd", axis, updates.shape);
  return apply(scatterAddOp, [updates, indices], { axis: at, batch: 0, size }) as Tensor<Shape, D>;
}

/**
 * The reverse of `takeAlongAxis`: along `axis`, updates are added up at indices of the same shape.
 *
 * @example
 * ```ts
 * import { input, model, scatterAddAlongAxis } from "@weft/weft";
 *
 * model({ x: input([4, 3], "f32"), place: input([4, 3], "i32") }, ({ x, place }) => {
 *   return { y: scatterAddAlongAxis(x, place, { axis: 1, size: 8 }) }; // [4, 8]
 * });
 * ```
 */
export function scatterAddAlongAxis<D extends DType>(
  updates: Tensor<Shape, D>,
  indices: Tensor<Shape, "i32">,
  { axis = -1, size }: { readonly axis?: number; readonly size: Dim },
): Tensor<Shape, D> {
  const at = axisOf("scatterAddAlongAxis", axis, updates.shape);
  checkAlong("scatterAddAlongAxis", updates, indices, at);
  const rank = updates.shape.length;
  const last = [...Array(rank).keys()].filter((a) => a !== at).concat(at);
  const attrs = { axis: rank - 1, batch: rank - 1, size };
  const added = apply(scatterAddOp, [permute(updates, last), permute(indices, last)], attrs);
  return permute(added, last.map((_, a) => last.indexOf(a))) as Tensor<Shape, D>;
}
