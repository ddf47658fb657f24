/** The lower and the upper triangle of each matrix; the rest is 0. Selected, never multiplied: an ∞ outside is gone. */

import { ShapeError } from "../../compiler/errors.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import { type Shape, showShape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Op } from "../../compiler/graph/op.ts";
import { defineOp } from "../define_op.ts";
import { gatherBy } from "./walk.ts";

interface Triangle {
  /** Column minus row on the last diagonal kept (tril), or the first (triu). */
  readonly diagonal: number;
}

function triangle(name: "tril" | "triu"): Op<Triangle> {
  const lower = name === "tril";
  const op: Op<Triangle> = defineOp<Triangle>({
    name,
    infer([x]) {
      if (x!.shape.length < 2) {
        throw new ShapeError(
          `${name}: ${showShape(x!.shape)} has no matrix in it: at least two axes are needed`,
        );
      }
      return [x!];
    },
    gradient: ({ cotangents: [g], attrs }) => [g ? apply(op, [g], attrs) : null],
    reference([x], { diagonal }, { inputs, outputs }) {
      const source = (index: readonly number[]) => {
        const across = index.at(-1)! - index.at(-2)!;
        return (lower ? across <= diagonal : across >= diagonal) ? index : undefined;
      };
      return [gatherBy(x!, inputs[0]!, outputs[0]!, source)];
    },
    lower(k, [x], at, { attrs: { diagonal } }) {
      const bound = k.iadd(at.at(-2)!, diagonal);
      const column = at.at(-1)!;
      return k.guard(lower ? k.le(column, bound) : k.le(bound, column), x!.at(at), 0);
    },
    samples: [
      { inputs: [{ shape: [4, 4] }], attrs: { diagonal: 0 } },
      { inputs: [{ shape: [2, 3, 5] }], attrs: { diagonal: 1 } },
      { inputs: [{ shape: [5, 3] }], attrs: { diagonal: -2 } },
      { inputs: [{ shape: [3, 3], dtype: "i32", lo: -9, hi: 9 }], attrs: { diagonal: 0 } },
      { inputs: [{ shape: [3, 3], dtype: "bool" }], attrs: { diagonal: -1 } },
    ],
  });
  return op;
}

export const trilOp = triangle("tril");
export const triuOp = triangle("triu");

/**
 * Each matrix up to a diagonal (0: the main one, 1: the one above it); 0 above.
 *
 * @example
 * ```ts
 * import { input, model, tril, triu } from "@weft/weft";
 *
 * model({ x: input([4, 4], "f32") }, ({ x }) => ({ lower: tril(x), strictlyUpper: triu(x, 1) }));
 * ```
 */
export function tril<D extends DType>(x: Tensor<Shape, D>, diagonal = 0): Tensor<Shape, D> {
  return apply(trilOp, [x], { diagonal }) as Tensor<Shape, D>;
}

/** Each matrix from a diagonal (0: the main one, 1: the one above it) on; 0 below. */
export function triu<D extends DType>(x: Tensor<Shape, D>, diagonal = 0): Tensor<Shape, D> {
  return apply(triuOp, [x], { diagonal }) as Tensor<Shape, D>;
}
