import { ShapeError } from "../compiler/errors.ts";
import { type DType, hostArray } from "../compiler/graph/dtype.ts";
import { sameShape, type Shape, showShape } from "../compiler/graph/dim.ts";
import { apply } from "../compiler/graph/build.ts";
import { checkTensor } from "../compiler/graph/check_tensor.ts";
import type { Tensor } from "../compiler/graph/node.ts";
import type { Inner, Product, SameDType } from "../compiler/model/shape_types.ts";
import { broadcastShapes, sameDType } from "./broadcast.ts";
import { defineOp } from "./define_op.ts";
import { broadcastTo } from "./views/broadcast.ts";
import { transpose } from "./views/permute.ts";
import { reshape } from "./views/reshape.ts";
import { count } from "./views/walk.ts";

const innerDiffers = (a: Shape, b: Shape): ShapeError => {
  const [k, k2] = [a.at(-1), b.at(b.length === 1 ? 0 : -2)];
  const fits = showShape([...b.slice(0, -2), k!, ...b.slice(b.length === 1 ? 1 : -1)]);
  const hint = k === b.at(-1) && b.length > 1
    ? "; transpose the second"
    : a.length > 1 && a.at(-2) === k2
    ? "; transpose the first, or make the second " + fits
    : "; the second must be " + fits;
  return new ShapeError(
    `matmul: inner dimensions of ${showShape(a)} and ${showShape(b)} differ: ${k} and ${k2}${hint}`,
  );
};

/**
 * [..., M, K] · [..., K, N] → [..., M, N], equal leading axes. Transposes and broadcasts are views in front of it, and
 * the schedule sees through them, so there is one matmul and no layout attribute.
 */
export const matmulOp = defineOp<Record<never, never>>({
  name: "matmul",
  infer([a, b]) {
    sameDType("matmul", a!.dtype, b!.dtype);
    if (a!.dtype === "bool") throw new ShapeError(`matmul: bool has no arithmetic; use cast(x, "f32")`);
    const [m, k] = a!.shape.slice(-2);
    const [k2, n] = b!.shape.slice(-2);
    if (!sameShape(a!.shape.slice(0, -2), b!.shape.slice(0, -2))) {
      throw new ShapeError(
        `matmul: leading axes of ${showShape(a!.shape)} and ${showShape(b!.shape)} differ; use broadcastTo`,
      );
    }
    if (k !== k2) {
      throw new ShapeError(
        `matmul: inner dimensions of ${showShape(a!.shape)} and ${
          showShape(b!.shape)
        } differ: ${k} and ${k2}`,
      );
    }
    return [{ shape: [...a!.shape.slice(0, -2), m!, n!], dtype: a!.dtype }];
  },
  gradient({ inputs: [a, b], cotangents: [g] }) {
    if (!g) return [null, null];
    return [matmul(g, transpose(b!)), matmul(transpose(a!), g)];
  },
  reference([a, b], _attrs, { inputs, outputs }) {
    const [M, K] = inputs[0]!.shape.slice(-2) as [number, number];
    const N = inputs[1]!.shape.at(-1)!;
    const batches = count(inputs[0]!.shape.slice(0, -2));
    const out = hostArray(outputs[0]!.dtype, batches * M * N);
    const row = new Float64Array(N); // a row at once: memory is read in its order
    for (let batch = 0; batch < batches; batch++) {
      for (let m = 0; m < M; m++) {
        row.fill(0);
        for (let k = 0; k < K; k++) {
          const left = a![(batch * M + m) * K + k]!;
          for (let n = 0; n < N; n++) row[n]! += left * b![(batch * K + k) * N + n]!;
        }
        out.set(row, (batch * M + m) * N);
      }
    }
    return [out];
  },
  lower(k, [a, b], at) {
    const lead = at.slice(0, -2);
    const [m, n] = at.slice(-2);
    return k.reduce(
      "sum",
      [a!.shape.at(-1)!],
      at,
      ([i]) => k.mul(a!.at([...lead, m!, i!]), b!.at([...lead, i!, n!])),
    );
  },
  terms: ([a]) => a!.shape.at(-1)!,
  samples: [
    { inputs: [{ shape: [4, 8], lo: -1, hi: 1 }, { shape: [8, 12], lo: -1, hi: 1 }], attrs: {} },
    { inputs: [{ shape: [5, 7], lo: -1, hi: 1 }, { shape: [7, 3], lo: -1, hi: 1 }], attrs: {} },
    { inputs: [{ shape: [2, 3, 6, 5], lo: -1, hi: 1 }, { shape: [2, 3, 5, 9], lo: -1, hi: 1 }], attrs: {} },
    { inputs: [{ shape: [1, 16], lo: -1, hi: 1 }, { shape: [16, 1], lo: -1, hi: 1 }], attrs: {} },
    {
      inputs: [{ shape: [3, 4], dtype: "i32", lo: -9, hi: 9 }, {
        shape: [4, 5],
        dtype: "i32",
        lo: -9,
        hi: 9,
      }],
      attrs: {},
    },
  ],
});

/**
 * Matrix product over the last two axes; leading axes broadcast. A vector counts as one row (left) or one column
 * (right), and that axis is gone from the result.
 *
 * @throws ShapeError when the inner dimensions or the leading axes do not fit.
 * @example
 * ```ts
 * import { input, matmul, model, transpose } from "@weft/weft";
 *
 * model({ x: input(["batch", "seq", 16], "f32"), w: input([16, 4], "f32") }, ({ x, w }) => {
 *   return { y: matmul(x, w), scores: matmul(x, transpose(x)) }; // [batch, seq, 4] and [batch, seq, seq]
 * });
 * ```
 */
export function matmul<A extends Shape, D extends DType, B extends Shape, E extends DType>(
  a: Tensor<A, D>,
  b: Tensor<B, E> & Inner<A, B> & SameDType<"matmul", D, E>,
): Tensor<Product<A, B>, D> {
  [a, b].forEach((x, i) => checkTensor("matmul", x, i));
  if (a.shape.length === 0 || b.shape.length === 0) {
    throw new ShapeError(
      `matmul: ${showShape(a.shape)} and ${showShape(b.shape)}: a scalar has no rows; use mul`,
    );
  }
  if (a.shape.at(-1) !== b.shape.at(b.shape.length === 1 ? 0 : -2)) throw innerDiffers(a.shape, b.shape);
  const left = a.shape.length === 1 ? reshape(a, [1, a.shape[0]!]) : a;
  const right = b.shape.length === 1 ? reshape(b, [b.shape[0]!, 1]) : b;
  // Rows of a stack that meet one matrix are more rows: one big product instead of many small ones.
  const stacked = right.shape.length === 2 && left.shape.length > 2;
  const lead = stacked
    ? []
    : broadcastShapes("matmul", left.shape.slice(0, -2), right.shape.slice(0, -2), [left.shape, right.shape]);
  const rows = stacked
    ? reshape(left, [-1, left.shape.at(-1)!])
    : broadcastTo(left, [...lead, ...left.shape.slice(-2)]);
  const columns = broadcastTo(right, [...lead, ...right.shape.slice(-2)]);
  let out = apply(matmulOp, [rows, columns], {});
  if (stacked) out = reshape(out, [...left.shape.slice(0, -1), right.shape.at(-1)!]);
  if (a.shape.length === 1) out = reshape(out, [...out.shape.slice(0, -2), out.shape.at(-1)!]);
  if (b.shape.length === 1) out = reshape(out, out.shape.slice(0, -1));
  return out as Tensor<Product<A, B>, D>;
}
