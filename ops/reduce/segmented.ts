/** Running sums of segments: sums that begin anew where they are told to. */

import { ShapeError } from "../../compiler/errors.ts";
import { type DType, hostArray } from "../../compiler/graph/dtype.ts";
import { sameShape, type Shape, showShape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import { showType, type Tensor } from "../../compiler/graph/node.ts";
import type { Sample } from "../../compiler/graph/op.ts";
import type { Reader, Value } from "../../compiler/kernel/value.ts";
import { defineOp } from "../define_op.ts";
import { axisOf } from "../views/axis.ts";
import { roll } from "../views/roll.ts";
import { stridesOf } from "../views/walk.ts";

interface Attrs {
  readonly axis: number;
  readonly reverse: boolean;
}

const flags = (values: readonly number[], shape: readonly number[]) =>
  ({ shape, dtype: "bool", values }) as const;

const samples: readonly Sample<Attrs>[] = [
  {
    inputs: [{ shape: [2, 6] }, flags([0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1], [2, 6])],
    attrs: { axis: 1, reverse: false },
  },
  {
    inputs: [{ shape: [2, 6] }, flags([0, 0, 1, 0, 1, 1, 1, 0, 0, 0, 0, 1], [2, 6])],
    attrs: { axis: 1, reverse: true },
  },
  { inputs: [{ shape: [5, 3] }, { shape: [5, 3], dtype: "bool" }], attrs: { axis: 0, reverse: false } },
  {
    inputs: [{ shape: [2, 5], dtype: "i32", lo: -9, hi: 9 }, { shape: [2, 5], dtype: "bool" }],
    attrs: { axis: 1, reverse: true },
  },
  { inputs: [{ shape: [3, 1] }, { shape: [3, 1], dtype: "bool" }], attrs: { axis: 1, reverse: false } },
  { inputs: [{ shape: [2, 0] }, { shape: [2, 0], dtype: "bool" }], attrs: { axis: 1, reverse: false } },
  {
    inputs: [{ shape: [6], values: [NaN, 1, 2, Infinity, 3, 4] }, flags([0, 0, 1, 0, 1, 0], [6])],
    attrs: { axis: 0, reverse: false },
    note: "special values: what was forgotten leaves no trace",
  },
];

export const segmentedCumsumOp = defineOp<Attrs>({
  name: "segmentedCumsum",
  infer([x, restart]) {
    if (x!.dtype === "bool") {
      throw new ShapeError(`segmentedCumsum: bool has no arithmetic; use cast(x, "i32")`);
    }
    if (restart!.dtype !== "bool") {
      throw new ShapeError(`segmentedCumsum: where sums restart is a bool, not ${showType(restart!)}`);
    }
    if (!sameShape(x!.shape, restart!.shape)) {
      throw new ShapeError(
        `segmentedCumsum: ${showShape(x!.shape)} and ${showShape(restart!.shape)} are different shapes; ` +
          "use broadcastTo(restart, x.shape)",
      );
    }
    return [x!];
  },
  /**
   * A sum reaches what comes behind it up to the next restart. Seen from there that is a sum the other way, which begins
   * anew one place earlier; the flag that `roll` carries around falls on the first element, where it changes nothing.
   */
  gradient: ({ inputs: [, restart], cotangents: [g], attrs: { axis, reverse } }) => [
    g
      ? segmentedCumsum(g, roll(restart as Tensor<Shape, "bool">, reverse ? 1 : -1, axis), axis, {
        reverse: !reverse,
      })
      : null,
    null,
  ],
  reference([x, restart], { axis, reverse }, { inputs }) {
    const { shape, dtype } = inputs[0]!;
    const out = hostArray(dtype, x!.length);
    const stride = stridesOf(shape)[axis]!;
    const size = shape[axis]!;
    for (let at = 0; at < x!.length; at++) {
      const place = Math.floor(at / stride) % size;
      // Back from each element to where its segment begins.
      for (let i = place;; i += reverse ? 1 : -1) {
        const from = at + (i - place) * stride;
        out[at] = out[at]! + x![from]!;
        if (restart![from] || i === (reverse ? size - 1 : 0)) break;
      }
    }
    return [out];
  },
  lower(k, [x, restart], at, { attrs: { axis, reverse } }) {
    const size = x!.shape[axis]!;
    const turned = (i: Value): Value => reverse ? k.isub(k.int(size - 1), i) : i;
    const read = (from: Reader) => (i: Value) => from.at(at.with(axis, turned(i)));
    return k.prefix("sum", size, turned(at[axis]!), at, false, read(x!), read(restart!));
  },
  terms: ([x], { axis }) => x!.shape[axis]!,
  samples,
});

/**
 * The sum of the elements up to each along an axis (default: the last), begun anew at each element where `restart` holds:
 * what came before it is forgotten, even NaN.
 *
 * @example
 * ```ts
 * import { input, model, segmentedCumsum } from "@weft/weft";
 *
 * // [1, 2, 3, 4], begun anew at the third: [1, 3, 3, 7].
 * model({ x: input([4], "f32"), begins: input([4], "bool") }, ({ x, begins }) => ({ y: segmentedCumsum(x, begins) }));
 * ```
 */
export function segmentedCumsum<S extends Shape, D extends DType>(
  x: Tensor<S, D>,
  restart: Tensor<Shape, "bool">,
  axis = -1,
  { reverse = false }: { readonly reverse?: boolean } = {},
): Tensor<S, D> {
  return apply(segmentedCumsumOp, [x, restart], {
    axis: axisOf("segmentedCumsum", axis, x.shape),
    reverse,
  }) as
    & Tensor
    & Tensor<S, D>;
}
