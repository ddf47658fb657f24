import { ShapeError } from "../../compiler/errors.ts";
import { type DType, hostArray } from "../../compiler/graph/dtype.ts";
import { addDims, type Dim, sameShape, type Shape, showShape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { type Value, valueType } from "../../compiler/kernel/value.ts";
import type { Joined } from "../../compiler/model/partial_types.ts";
import { sameDType } from "../broadcast.ts";
import { defineOp } from "../define_op.ts";
import { axisOf } from "./axis.ts";
import { split } from "./split.ts";
import { expandDims } from "./squeeze.ts";
import { count, forEachIndex, offsetOf } from "./walk.ts";

/** Tensors one after the other along an axis; the other axes are equal. */
export const concatOp = defineOp<{ axis: number }>({
  name: "concat",
  associative: true,
  infer(inputs, { axis }) {
    const [first] = inputs;
    for (const { shape, dtype } of inputs) {
      sameDType("concat", first!.dtype, dtype);
      const wrong = shape.length !== first!.shape.length
        ? -1
        : shape.findIndex((d, a) => a !== axis && d !== first!.shape[a]);
      if (shape.length === first!.shape.length && wrong < 0) continue;
      throw new ShapeError(
        `concat: ${showShape(first!.shape)} and ${
          showShape(shape)
        } do not fit together along axis ${axis}: ` +
          (wrong < 0
            ? "the numbers of axes differ; use expandDims"
            : `axis ${wrong} is ${first!.shape[wrong]} in one and ${
              shape[wrong]
            } in the other; axis ${axis} alone may differ`),
      );
    }
    const along = inputs.reduce<Dim>((n, { shape }) => addDims(n, shape[axis]!), 0);
    return [{ shape: first!.shape.map((d, a) => a === axis ? along : d), dtype: first!.dtype }];
  },
  gradient({ inputs, cotangents: [g], attrs: { axis } }) {
    return g ? split(g, inputs.map((x) => x.shape[axis]!), axis) : inputs.map(() => null);
  },
  reference(xs, { axis }, { inputs, outputs }) {
    const { shape, dtype } = outputs[0]!;
    const out = hostArray(dtype, count(shape));
    let start = 0;
    xs.forEach((x, n) => {
      forEachIndex(inputs[n]!.shape, (index, position) => {
        out[offsetOf(index.map((i, a) => a === axis ? i + start : i), shape)] = x[position]!;
      });
      start += inputs[n]!.shape[axis]!;
    });
    return [out];
  },
  lower(k, inputs, at, { attrs: { axis } }) {
    // Each guard states its whole range, so that its loads are in bounds whatever is around it.
    const i = at[axis]!;
    let end = inputs.reduce((n, x) => n + x.shape[axis]!, 0);
    let out: Value | undefined;
    for (const x of inputs.toReversed()) {
      const start = end - x.shape[axis]!;
      const inside = k.and(k.le(start, i), k.lt(i, end));
      end = start;
      if (x.shape[axis] === 0 || (inside.kind === "const" && inside.value === 0)) continue;
      const value = x.at(at.map((j, a) => a === axis ? k.iadd(i, -start) : j));
      out = k.guard(inside, value, out ?? 0);
    }
    // Nothing is ever read of a result without elements.
    return out ?? k.const(0, valueType(inputs[0]!.dtype));
  },
  samples: [
    { inputs: [{ shape: [0, 3] }, { shape: [0, 3] }], attrs: { axis: 0 }, note: "nothing to join" },
    { inputs: [{ shape: [3] }, { shape: [4] }], attrs: { axis: 0 } },
    { inputs: [{ shape: [3, 2] }, { shape: [3, 5] }, { shape: [3, 1] }], attrs: { axis: 1 } },
    { inputs: [{ shape: [2, 3, 2] }, { shape: [2, 1, 2] }], attrs: { axis: 1 } },
    { inputs: [{ shape: [0, 3] }, { shape: [2, 3] }], attrs: { axis: 0 }, note: "an empty part" },
    {
      inputs: [{ shape: [2, 2], dtype: "i32", lo: -9, hi: 9 }, {
        shape: [2, 2],
        dtype: "i32",
        lo: -9,
        hi: 9,
      }],
      attrs: { axis: 0 },
    },
    { inputs: [{ shape: [3], dtype: "bool" }, { shape: [2], dtype: "bool" }], attrs: { axis: 0 } },
  ],
});

/**
 * Tensors one after the other along an axis.
 *
 * @throws ShapeError when another axis or the dtype differs.
 * @example
 * ```ts
 * import { concat, input, model } from "@weft/weft";
 *
 * model({ a: input([2, 3], "f32"), b: input([2, 5], "f32") }, ({ a, b }) => ({ c: concat([a, b], 1) })); // [2, 8]
 * ```
 */
export function concat<const T extends readonly Tensor[], const X extends number = 0>(
  tensors: T,
  axis?: X,
): Tensor<Joined<T, X>, T[number]["dtype"]> {
  const [first] = tensors;
  if (!first) throw new ShapeError("concat: needs at least one tensor");
  const at = axisOf("concat", axis ?? 0, first.shape);
  const joined = tensors.length === 1 ? first : apply(concatOp, tensors, { axis: at });
  return joined as Tensor<Joined<T, X>, T[number]["dtype"]>;
}

/**
 * Tensors of one shape side by side along a new axis.
 *
 * @example
 * ```ts
 * import { input, model, stack } from "@weft/weft";
 *
 * model({ a: input([3], "f32"), b: input([3], "f32") }, ({ a, b }) => ({ c: stack([a, b]) })); // [2, 3]
 * ```
 */
export function stack<D extends DType>(tensors: readonly Tensor<Shape, D>[], axis = 0): Tensor<Shape, D> {
  const [first] = tensors;
  if (!first) throw new ShapeError("stack: needs at least one tensor");
  const other = tensors.find((x) => !sameShape(x.shape, first.shape));
  if (other) {
    throw new ShapeError(
      `stack: ${showShape(first.shape)} and ${
        showShape(other.shape)
      } differ; use concat to join tensors along an ` +
        "axis that they have, or pad the shorter ones",
    );
  }
  return concat(tensors.map((x) => expandDims(x, axis)), axis) as Tensor<Shape, D>;
}
