/**
 * Sums of products, by Einstein's convention: a label that several operands share runs over them together, and a label
 * that the result does not name is summed.
 *
 * The op takes one or two operands, as a value one product under one sum, which is what the contraction schedule looks
 * for. A label may stand twice in an operand (its diagonal) and, in the op, twice in the result (a diagonal with zeros
 * around it), so that the gradient of an einsum is an einsum. More operands are taken two by two.
 */

import { ShapeError } from "../compiler/errors.ts";
import { type DType, hostArray } from "../compiler/graph/dtype.ts";
import { type Dim, type Shape, showShape } from "../compiler/graph/dim.ts";
import { apply } from "../compiler/graph/build.ts";
import type { Tensor } from "../compiler/graph/node.ts";
import type { Op } from "../compiler/graph/op.ts";
import type { ConcreteType, Value } from "../compiler/kernel/value.ts";
import { sameDType } from "./broadcast.ts";
import { defineOp } from "./define_op.ts";
import { parseEinsum } from "./einsum_parse.ts";
import { broadcastTo } from "./views/broadcast.ts";
import { permute } from "./views/permute.ts";
import { reshape } from "./views/reshape.ts";
import { count, forEachIndex, offsetOf } from "./views/walk.ts";

interface Einsum {
  /** One letter or digit per axis, for each operand and for the result. */
  readonly operands: readonly string[];
  readonly result: string;
}

export const einsumOp: Op<Einsum> = defineOp<Einsum>({
  name: "einsum",
  infer(inputs, { operands, result }) {
    for (const type of inputs) sameDType("einsum", inputs[0]!.dtype, type.dtype);
    if (inputs[0]!.dtype === "bool") {
      throw new ShapeError(`einsum: bool has no arithmetic; use cast(x, "f32")`);
    }
    const sizes = sizesOf(operands, inputs.map((t) => t.shape));
    return [{ shape: [...result].map((label) => sizes.get(label)!), dtype: inputs[0]!.dtype }];
  },
  gradient({ inputs, cotangents: [g], attrs: { operands, result } }) {
    if (!g) return inputs.map(() => null);
    return inputs.map((x, i) => {
      const others = operands.filter((_, j) => j !== i);
      // A label that only this operand has was summed: its cotangent is the same everywhere along it.
      const known = result + others.join("");
      const own = [...new Set(operands[i]!)].filter((label) => !known.includes(label));
      const lengths = own.map((label) => x.shape[operands[i]!.indexOf(label)]!);
      const spread = broadcastTo(reshape(g, [...g.shape, ...own.map(() => 1)]), [...g.shape, ...lengths]);
      return contract(
        [spread, ...inputs.filter((_, j) => j !== i)],
        [result + own.join(""), ...others],
        operands[i]!,
      );
    });
  },
  reference(xs, { operands, result }, { inputs, outputs }) {
    const { shape, dtype } = outputs[0]!;
    const out = hostArray(dtype, count(shape));
    const labels = [...new Set(operands.join(""))];
    const sizes = sizesOf(operands, inputs.map((t) => t.shape)) as Map<string, number>;
    const place = (names: string, index: readonly number[], of: readonly number[]) =>
      offsetOf([...names].map((label) => index[labels.indexOf(label)]!), of);
    forEachIndex(labels.map((label) => sizes.get(label)!), (index) => {
      const product = xs.reduce((p, x, i) => p * x[place(operands[i]!, index, inputs[i]!.shape)]!, 1);
      out[place(result, index, shape)]! += product;
    });
    return [out];
  },
  lower(k, readers, at, { attrs: { operands, result } }) {
    const index = new Map<string, Value>();
    let diagonal: Value = k.const(true, "bool");
    [...result].forEach((label, axis) => {
      const before = index.get(label);
      if (before) diagonal = k.and(diagonal, k.eq(before, at[axis]!));
      else index.set(label, at[axis]!);
    });
    const summed = summedLabels(operands, result);
    const sizes = sizesOf(operands, readers.map((r) => r.shape)) as Map<string, number>;
    const total = k.reduce("sum", summed.map((label) => sizes.get(label)!), at, (bound) => {
      summed.forEach((label, i) => index.set(label, bound[i]!));
      return readers.map((r, i) => r.at([...operands[i]!].map((label) => index.get(label)!))).reduce((a, b) =>
        k.mul(a, b)
      );
    });
    return k.guard(diagonal, total, 0);
  },
  terms: (inputs: readonly ConcreteType[], { operands, result }) => {
    const sizes = sizesOf(operands, inputs.map((t) => t.shape)) as Map<string, number>;
    return summedLabels(operands, result).reduce((n, label) => n * sizes.get(label)!, 1);
  },
  samples: ([
    [["bij", "bjk"], "bik", [[2, 3, 5], [2, 5, 4]]],
    [["ij", "kj"], "ik", [[3, 7], [2, 7]]],
    [["i", "j"], "ij", [[3], [4]]],
    [["ii"], "", [[5, 5]]],
    [["iji"], "ji", [[3, 4, 3]]],
    [["i"], "ii", [[4]]],
    [["ij", "jk"], "k", [[3, 4], [4, 2]]],
    [["", "ab"], "ba", [[], [2, 3]]],
    [["a", "a"], "", [[1], [1]]],
  ] as const).map(([operands, result, shapes]) => ({
    inputs: shapes.map((shape) => ({ shape, lo: -1, hi: 1 })),
    attrs: { operands, result },
  })),
});

function summedLabels(operands: readonly string[], result: string): string[] {
  return [...new Set(operands.join(""))].filter((label) => !result.includes(label));
}

function sizesOf(operands: readonly string[], shapes: readonly Shape[]): Map<string, Dim> {
  const sizes = new Map<string, Dim>();
  operands.forEach((labels, i) => {
    [...labels].forEach((label, axis) => {
      const size = shapes[i]![axis]!;
      const before = sizes.get(label);
      if (before !== undefined && before !== size) {
        throw new ShapeError(
          `einsum: "${label}" is ${before} in one place and ${size} on axis ${axis} of operand ${i}, ` +
            `${showShape(shapes[i]!)} as "${labels}"; the operands are ${
              shapes.map((s, n) => `${showShape(s)} as "${operands[n]}"`).join(" and ")
            }`,
        );
      }
      sizes.set(label, size);
    });
  });
  return sizes;
}

/** The einsum of one or two operands; a mere change of order is a view. */
function contract(tensors: readonly Tensor[], operands: readonly string[], result: string): Tensor {
  const [labels] = operands;
  if (tensors.length === 1 && labels!.length === result.length && new Set(result).size === result.length) {
    return permute(tensors[0]!, [...result].map((label) => labels!.indexOf(label)));
  }
  return apply(einsumOp, tensors, { operands, result });
}

/**
 * Sums of products over labeled axes: `einsum("bij,bjk->bik", a, b)` is a matrix product per b.
 *
 * Without `->` the result has the labels that stand once, in alphabetical order. A label that stands twice in an
 * operand reads its diagonal. `...` stands for any leading or inner axes, which broadcast. More than two operands are
 * multiplied from left to right, so write the pair that shrinks most first.
 *
 * @throws ShapeError when the text cannot be read, or a label has two sizes.
 * @example
 * ```ts
 * import { einsum, input, model } from "@weft/weft";
 *
 * model({ a: input([2, 3, 4], "f32"), b: input([2, 4, 5], "f32") }, ({ a, b }) => ({
 *   products: einsum("bij,bjk->bik", a, b),
 *   turned: einsum("...ij->...ji", a),
 *   total: einsum("bij->", a),
 * }));
 * ```
 */
export function einsum<D extends DType>(
  text: string,
  ...tensors: readonly Tensor<Shape, D>[]
): Tensor<Shape, D> {
  const { operands, result, shapes } = parseEinsum(text, tensors.map((t) => t.shape));
  // A size-1 axis that `...` stretched is gone from its operand.
  let parts: Tensor[] = tensors.map((t, i) => reshape(t, shapes[i]!));
  let names = [...operands];
  sizesOf(names, shapes);
  while (parts.length > 2) {
    const later = names.slice(2).join("") + result;
    const kept = [...new Set(names[0]! + names[1]!)].filter((label) => later.includes(label)).join("");
    parts = [contract(parts.slice(0, 2), names.slice(0, 2), kept), ...parts.slice(2)];
    names = [kept, ...names.slice(2)];
  }
  return contract(parts, names, result) as Tensor<Shape, D>;
}
