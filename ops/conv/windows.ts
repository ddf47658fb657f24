/**
 * Sliding windows as axes: [L…, n…] → [L…, y…, size…]. A view, so that pooling is a plain reduction of the window axes,
 * fused with what makes its input; and the reverse, where windows that overlap are added up.
 */

import { ShapeError } from "../../compiler/errors.ts";
import { type DType, hostArray } from "../../compiler/graph/dtype.ts";
import type { Dim, Shape } from "../../compiler/graph/dim.ts";
import { showShape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Op } from "../../compiler/graph/op.ts";
import type { Value } from "../../compiler/kernel/value.ts";
import { defineOp } from "../define_op.ts";
import { count, forEachIndex, gatherBy, offsetOf } from "../views/walk.ts";
import { checkedCount } from "./geometry.ts";

interface Sliding {
  /** Size, step and inner distance of the windows on each of the last axes. */
  readonly sizes: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
}

/** Element j of window i is element i·stride + j·dilation. */
export const windowsOp: Op<Sliding> = defineOp<Sliding>({
  name: "windows",
  infer([x], { sizes, strides, dilations }) {
    const lead = x!.shape.length - sizes.length;
    if (lead < 0) {
      throw new ShapeError(`windows: ${sizes.length} window axes, and x is ${showShape(x!.shape)}`);
    }
    const counts = sizes.map((size, a) =>
      checkedCount("windows", x!.shape, lead + a, size, {
        stride: strides[a]!,
        low: 0,
        high: 0,
        dilation: dilations[a]!,
        inputDilation: 1,
      })
    );
    return [{ shape: [...x!.shape.slice(0, lead), ...counts, ...sizes], dtype: x!.dtype }];
  },
  gradient({ inputs: [x], cotangents: [g], attrs }) {
    return [g ? apply(overlapAddOp, [g], { ...attrs, spatial: x!.shape.slice(-attrs.sizes.length) }) : null];
  },
  reference([x], { sizes, strides, dilations }, { inputs, outputs }) {
    const lead = inputs[0]!.shape.length - sizes.length;
    const rank = sizes.length;
    const source = (index: readonly number[]) => [
      ...index.slice(0, lead),
      ...sizes.map((_, a) => index[lead + a]! * strides[a]! + index[lead + rank + a]! * dilations[a]!),
    ];
    return [gatherBy(x!, inputs[0]!, outputs[0]!, source)];
  },
  lower(k, [x], at, { attrs: { sizes, strides, dilations } }) {
    const rank = sizes.length;
    const lead = at.slice(0, at.length - 2 * rank);
    const [outer, inner] = [at.slice(lead.length, lead.length + rank), at.slice(lead.length + rank)];
    return x!.at([...lead, ...outer.map((i, a) => k.affine([[i, strides[a]!], [inner[a]!, dilations[a]!]]))]);
  },
  view: true,
  samples: [
    { inputs: [{ shape: [9] }], attrs: { sizes: [3], strides: [2], dilations: [1] } },
    { inputs: [{ shape: [2, 5, 7] }], attrs: { sizes: [2, 3], strides: [1, 3], dilations: [2, 1] } },
    {
      inputs: [{ shape: [1, 4], dtype: "i32", lo: -9, hi: 9 }],
      attrs: { sizes: [2], strides: [2], dilations: [1] },
    },
    { inputs: [{ shape: [3, 1] }], attrs: { sizes: [1], strides: [1], dilations: [1] } },
  ],
});

interface Overlap extends Sliding {
  /** The axes that the windows slid over. */
  readonly spatial: readonly Dim[];
}

/** [L…, y…, size…] → [L…, n…]: each element is the sum of what the windows hold at its place. */
export const overlapAddOp: Op<Overlap> = defineOp<Overlap>({
  name: "overlapAdd",
  infer([g], { spatial }) {
    if (g!.dtype === "bool") throw new ShapeError(`overlapAdd: bool has no arithmetic; use cast(x, "f32")`);
    return [{
      shape: [...g!.shape.slice(0, g!.shape.length - 2 * spatial.length), ...spatial],
      dtype: g!.dtype,
    }];
  },
  gradient: ({ cotangents: [h], attrs: { sizes, strides, dilations } }) => [
    h ? apply(windowsOp, [h], { sizes, strides, dilations }) : null,
  ],
  reference([g], { sizes, strides, dilations }, { inputs, outputs }) {
    const { shape, dtype } = outputs[0]!;
    const out = hostArray(dtype, count(shape));
    const rank = sizes.length;
    const lead = shape.length - rank;
    forEachIndex(inputs[0]!.shape, (index, position) => {
      const place = sizes.map((_, a) =>
        index[lead + a]! * strides[a]! + index[lead + rank + a]! * dilations[a]!
      );
      out[offsetOf([...index.slice(0, lead), ...place], shape)]! += g![position]!;
    });
    return [out];
  },
  lower(k, [g], at, { attrs: { sizes, strides, dilations } }) {
    const rank = sizes.length;
    const lead = at.slice(0, at.length - rank);
    const places = at.slice(lead.length);
    // Without dilation, only the elements j ≡ p mod stride of a window can lie on place p: every stride-th one.
    const turns = sizes.map((size, a) => dilations[a] === 1 ? Math.ceil(size / strides[a]!) : size);
    return k.reduce("sum", turns, at, (bound) => {
      let there: Value = k.const(true, "bool");
      const need = (condition: Value) => there = k.and(there, condition);
      const outer: Value[] = [];
      const inner: Value[] = [];
      places.forEach((p, a) => {
        const [stride, counted] = [strides[a]!, g!.shape[lead.length + a]!];
        let j: Value;
        let i: Value;
        if (dilations[a] === 1) {
          j = k.iadd(k.imod(p, stride), k.imul(bound[a]!, stride));
          i = k.isub(k.idiv(p, stride), bound[a]!);
          need(k.lt(j, sizes[a]!));
        } else {
          j = bound[a]!;
          const offset = k.isub(p, k.imul(j, dilations[a]!));
          i = k.idiv(offset, stride);
          need(k.eq(k.imod(offset, stride), 0));
        }
        need(k.and(k.le(0, i), k.lt(i, counted)));
        outer.push(i);
        inner.push(j);
      });
      return k.guard(there, g!.at([...lead, ...outer, ...inner]), 0);
    });
  },
  dims: ["spatial"],
  terms: (_, { sizes, strides, dilations }) =>
    sizes.reduce((n, size, a) => n * (dilations[a] === 1 ? Math.ceil(size / strides[a]!) : size), 1),
  samples: [
    {
      inputs: [{ shape: [4, 3], lo: -1, hi: 1 }],
      attrs: { sizes: [3], strides: [2], dilations: [1], spatial: [10] },
    },
    {
      inputs: [{ shape: [2, 3, 2, 2, 3], lo: -1, hi: 1 }],
      attrs: { sizes: [2, 3], strides: [1, 3], dilations: [2, 1], spatial: [5, 7] },
    },
    {
      inputs: [{ shape: [2, 2, 2], lo: -1, hi: 1 }],
      attrs: { sizes: [2], strides: [3], dilations: [1], spatial: [6] },
    },
    {
      inputs: [{ shape: [3, 3], dtype: "i32", lo: -9, hi: 9 }],
      attrs: { sizes: [3], strides: [3], dilations: [1], spatial: [9] },
    },
  ],
});

/**
 * All windows of a size over the last axes, as new last axes.
 *
 * @param sizes Size of the window on each of the last axes.
 * @param strides Distance between windows.
 * @param dilations Distance between the elements of a window.
 * @example
 * ```ts
 * import { input, model, slice, sort, windows } from "@weft/weft";
 *
 * // The median of 3 neighbors, at each place but the ends.
 * model({ x: input([9], "f32") }, ({ x }) => ({ y: slice(sort(windows(x, [3])), [null, 1]) }));
 * ```
 */
export function windows<D extends DType>(
  x: Tensor<Shape, D>,
  sizes: readonly number[],
  strides: readonly number[] = sizes.map(() => 1),
  dilations: readonly number[] = sizes.map(() => 1),
): Tensor<Shape, D> {
  return apply(windowsOp, [x], { sizes, strides, dilations }) as Tensor<Shape, D>;
}
