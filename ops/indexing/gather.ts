/**
 * Reading at computed indices.
 *
 * One op serves `gather`, `takeAlongAxis` and `embedding`: leading `batch` axes are common to the table and the
 * indices, and one axis of the table is replaced by the remaining axes of the indices.
 *
 *     x [B…, P…, n, Q…]   indices [B…, I…]   →   [B…, P…, I…, Q…]
 *
 * An index outside 0 ≤ i < n reads NaN (0 for integers and bool): it does not wrap, it does not clip, and it cannot
 * pass unseen. The load itself is clamped, so it is in bounds whatever the index holds.
 */

import { ShapeError } from "../../compiler/errors.ts";
import { type DType, hostArray, isFloat } from "../../compiler/graph/dtype.ts";
import { type Shape, showShape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import { showType, type Tensor, type TensorType } from "../../compiler/graph/node.ts";
import type { Op } from "../../compiler/graph/op.ts";
import type { Rows } from "../../compiler/model/shape_types.ts";
import { defineOp } from "../define_op.ts";
import { axisOf } from "../views/axis.ts";
import { permute } from "../views/permute.ts";
import { count, forEachIndex, offsetOf } from "../views/walk.ts";
import { scatterAddOp } from "./scatter_add.ts";

interface Gather {
  readonly axis: number;
  readonly batch: number;
  /** An index out of range reads 0, not NaN: for gradients, where nothing was added nothing flows. */
  readonly zeroOutside: boolean;
}

export const gatherOp: Op<Gather> = defineOp<Gather>({
  name: "gather",
  infer([x, indices], { axis, batch }) {
    checkIndices("gather", indices!);
    checkBatch("gather", x!, indices!, batch);
    const shape = [...x!.shape.slice(0, axis), ...indices!.shape.slice(batch), ...x!.shape.slice(axis + 1)];
    return [{ shape, dtype: x!.dtype }];
  },
  gradient({ inputs: [x, indices], cotangents: [g], attrs: { axis, batch } }) {
    return [g ? apply(scatterAddOp, [g, indices!], { axis, batch, size: x!.shape[axis]! }) : null, null];
  },
  reference([x, indices], { axis, batch, zeroOutside }, { inputs, outputs }) {
    const [from, ids] = inputs;
    const out = hostArray(outputs[0]!.dtype, count(outputs[0]!.shape));
    const nothing = !zeroOutside && isFloat(from!.dtype) ? NaN : 0;
    const wide = ids!.shape.length - batch;
    forEachIndex(outputs[0]!.shape, (index, position) => {
      const id =
        indices![offsetOf([...index.slice(0, batch), ...index.slice(axis, axis + wide)], ids!.shape)]!;
      const source = [...index.slice(0, axis), id, ...index.slice(axis + wide)];
      out[position] = id >= 0 && id < from!.shape[axis]! ? x![offsetOf(source, from!.shape)]! : nothing;
    });
    return [out];
  },
  lower(k, [x, indices], at, { attrs: { axis, batch, zeroOutside } }) {
    const n = x!.shape[axis]!;
    const nothing = !zeroOutside && isFloat(x!.dtype) ? NaN : 0;
    const wide = indices!.shape.length - batch;
    const id = indices!.at([...at.slice(0, batch), ...at.slice(axis, axis + wide)]);
    const value = x!.at([
      ...at.slice(0, axis),
      k.iclamp(id, 0, Math.max(0, n - 1)),
      ...at.slice(axis + wide),
    ]);
    return k.guard(n === 0 ? k.const(false, "bool") : k.and(k.le(0, id), k.lt(id, n)), value, nothing);
  },
  samples: [
    {
      inputs: [{ shape: [7, 3] }, { shape: [5], dtype: "i32", lo: 0, hi: 7 }],
      attrs: { axis: 0, batch: 0, zeroOutside: false },
    },
    {
      inputs: [{ shape: [2, 4, 3] }, { shape: [2, 3], dtype: "i32", lo: 0, hi: 4 }],
      attrs: { axis: 1, batch: 0, zeroOutside: false },
    },
    {
      inputs: [{ shape: [3, 6] }, { shape: [3, 2], dtype: "i32", lo: 0, hi: 6 }],
      attrs: { axis: 1, batch: 1, zeroOutside: false },
    },
    {
      inputs: [{ shape: [4] }, { shape: [], dtype: "i32", lo: 0, hi: 4 }],
      attrs: { axis: 0, batch: 0, zeroOutside: false },
    },
    {
      inputs: [{ shape: [3, 2] }, { shape: [5], dtype: "i32", values: [-1, 0, 2, 3, -2147483648] }],
      attrs: { axis: 0, batch: 0, zeroOutside: true },
      note: "out of range",
    },
    {
      inputs: [{ shape: [4], dtype: "i32", lo: 1, hi: 9 }, { shape: [3], dtype: "i32", values: [3, 4, -1] }],
      attrs: { axis: 0, batch: 0, zeroOutside: false },
      note: "integers out of range",
    },
  ],
});

/** Indices are i32 (SEMANTICS §6). */
export function checkIndices(op: string, indices: TensorType): void {
  if (indices.dtype === "i32") return;
  throw new ShapeError(`${op}: indices are ${showType(indices)}; use cast(indices, "i32")`);
}

export function checkBatch(op: string, x: TensorType, indices: TensorType, batch: number): void {
  const wrong = Array.from({ length: batch }, (_, a) => a).find((a) => x.shape[a] !== indices.shape[a]);
  if (wrong === undefined) return;
  throw new ShapeError(
    `${op}: ${showShape(x.shape)} and indices ${
      showShape(indices.shape)
    } differ on axis ${wrong}, which they share: ` +
      `${x.shape[wrong]} and ${indices.shape[wrong]}; broadcastTo makes them equal`,
  );
}

/**
 * Elements of an axis picked by a tensor of indices, whose axes take the place of that axis.
 *
 * @param indices i32. Negative indices do not wrap: what is out of range reads NaN (0 for integers and bool).
 * @example
 * ```ts
 * import { constant, gather, input, model } from "@weft/weft";
 *
 * // Rows 2 and 0 of a table: [2, 8].
 * model({ table: input([5, 8], "f32") }, ({ table }) => ({ rows: gather(table, constant([2, 0], [2], "i32")) }));
 * ```
 */
export function gather<D extends DType>(
  x: Tensor<Shape, D>,
  indices: Tensor<Shape, "i32">,
  axis = 0,
): Tensor<Shape, D> {
  const at = axisOf("gather", axis, x.shape);
  return apply(gatherOp, [x, indices], { axis: at, batch: 0, zeroOutside: false }) as Tensor<Shape, D>;
}

/**
 * Along one axis, the elements named by indices of the same rank: `out[i][j] = x[i][indices[i][j]]` for axis 1.
 *
 * @param indices i32; equal to `x` in every other axis. Out of range reads NaN (0 for integers and bool).
 * @example
 * ```ts
 * import { expandDims, input, model, squeeze, takeAlongAxis } from "@weft/weft";
 *
 * // The logit of each row's label.
 * model({ x: input([4, 10], "f32"), label: input([4], "i32") }, ({ x, label }) => {
 *   return { picked: squeeze(takeAlongAxis(x, expandDims(label, 1), 1), 1) };
 * });
 * ```
 */
export function takeAlongAxis<D extends DType>(
  x: Tensor<Shape, D>,
  indices: Tensor<Shape, "i32">,
  axis = -1,
): Tensor<Shape, D> {
  const at = axisOf("takeAlongAxis", axis, x.shape);
  const rank = x.shape.length;
  checkAlong("takeAlongAxis", x, indices, at);
  // The axis goes last, so that all others lead and are common to both.
  const last = [...Array(rank).keys()].filter((a) => a !== at).concat(at);
  const attrs: Gather = { axis: rank - 1, batch: rank - 1, zeroOutside: false };
  const taken = apply(gatherOp, [permute(x, last), permute(indices, last)], attrs);
  return permute(taken, last.map((_, a) => last.indexOf(a))) as Tensor<Shape, D>;
}

export function checkAlong(op: string, x: Tensor, indices: Tensor, axis: number): void {
  const wrong = x.shape.length !== indices.shape.length
    ? "their numbers of axes differ"
    : x.shape.flatMap((d, a) => a === axis || d === indices.shape[a] ? [] : [`axis ${a} is not the same`])[0];
  if (wrong === undefined) return;
  throw new ShapeError(
    `${op}: ${showShape(x.shape)} and indices ${
      showShape(indices.shape)
    } must be equal except on axis ${axis}: ` +
      `${wrong}; use expandDims and broadcastTo, or gather to pick the same elements everywhere`,
  );
}

/**
 * The rows of a table [rows, …] named by ids of any shape: a token embedding.
 *
 * @example
 * ```ts
 * import { embedding, input, model } from "@weft/weft";
 *
 * model({ table: input([100, 16], "f32"), ids: input(["batch", "seq"], "i32") }, ({ table, ids }) => {
 *   return { vectors: embedding(table, ids) }; // [batch, seq, 16]
 * });
 * ```
 */
export function embedding<T extends Shape, D extends DType, I extends Shape>(
  table: Tensor<T, D>,
  ids: Tensor<I, "i32">,
): Tensor<Rows<T, I>, D> {
  if (table.shape.length < 1) throw new ShapeError("embedding: the table is a scalar; it must have rows");
  checkIndices("embedding", ids);
  return gather(table, ids, 0) as Tensor<Rows<T, I>, D>;
}
