/**
 * Convolution over any number of spatial axes (in the sense of neural networks: the kernel is not mirrored).
 *
 *     x [N, C, n…]   w [O, C/groups, k…]   →   [N, O, y…]
 *     y[b, o, i] = Σ over c, j of x[b, c, (i·stride − low + j·dilation) / inputDilation] · w[o, c, j]
 *
 * Around x there are zeros, which are multiplied as those of `pad` are; between its elements, where it is dilated, there is
 * nothing, and terms there contribute nothing, not 0 · w (SEMANTICS §8). Both gradients are this op again, so one schedule
 * serves all three (SCHEDULES §6).
 */

import { counted } from "../../compiler/counted.ts";
import { ShapeError } from "../../compiler/errors.ts";
import { type DType, hostArray } from "../../compiler/graph/dtype.ts";
import {
  addDims,
  type Dim,
  divideDims,
  mulDims,
  type Shape,
  showShape,
  subDims,
} from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { Op } from "../../compiler/graph/op.ts";
import type { Value } from "../../compiler/kernel/value.ts";
import type { Convolved } from "../../compiler/model/partial_types.ts";
import { sameDType } from "../broadcast.ts";
import { defineOp } from "../define_op.ts";
import { permute } from "../views/permute.ts";
import { reshape } from "../views/reshape.ts";
import { flip } from "../views/slice.ts";
import { count, forEachIndex, offsetOf } from "../views/walk.ts";
import {
  checkedCount,
  type Padding,
  paddingOf,
  type PerAxis,
  perAxis,
  span,
  type Windows,
} from "./geometry.ts";
import { convSamples } from "./samples.ts";

export interface Conv {
  readonly strides: readonly number[];
  /** Before and after each axis; a negative number cuts. Dimensions, as the gradient's depend on sizes. */
  readonly low: readonly Dim[];
  readonly high: readonly Dim[];
  readonly dilations: readonly number[];
  readonly inputDilations: readonly number[];
  readonly groups: number;
}

export const convOp: Op<Conv> = defineOp<Conv>({
  name: "conv",
  infer([x, w], attrs) {
    sameDType("conv", x!.dtype, w!.dtype);
    if (x!.dtype === "bool") throw new ShapeError(`conv: bool has no arithmetic; use cast(x, "f32")`);
    const { groups } = attrs;
    const [n, channels, ...spatial] = x!.shape;
    const [out, perGroup, ...kernel] = w!.shape;
    const shapes = `${showShape(x!.shape)} and kernel ${showShape(w!.shape)}`;
    if (spatial.length !== kernel.length || perGroup === undefined || channels === undefined) {
      throw new ShapeError(
        `conv: ${shapes}: both need a batch, a channel and the same number of spatial axes`,
      );
    }
    if (mulDims(perGroup, groups) !== channels) {
      throw new ShapeError(
        `conv: ${shapes} with ${counted(groups, "group")}: axis 1 of the kernel is ${perGroup} and must be ` +
          `${channels}${groups === 1 ? "" : ` / ${groups}`}, as many as x has channels (its axis 1)${
            groups === 1 ? "" : " per group"
          }`,
      );
    }
    if (divideDims(out!, groups) === undefined) {
      throw new ShapeError(
        `conv: ${out} results of kernel ${showShape(w!.shape)} do not fall into ${counted(groups, "group")}`,
      );
    }
    const sizes = kernel.map((size, a) => checkedCount("conv", x!.shape, a + 2, size, windowsOf(attrs, a)));
    return [{ shape: [n!, out!, ...sizes], dtype: x!.dtype }];
  },
  gradient({ inputs: [x, w], cotangents: [g], attrs }) {
    return g ? [inputGradient(x!, w!, g, attrs), kernelGradient(x!, w!, g, attrs)] : [null, null];
  },
  reference([x, w], attrs, { inputs, outputs }) {
    const [image, kernel] = inputs.map((t) => t.shape) as [readonly number[], readonly number[]];
    const { shape, dtype } = outputs[0]!;
    const out = hostArray(dtype, count(shape));
    const perGroup = shape[1]! / attrs.groups;
    forEachIndex(shape, ([b, o, ...i], position) => {
      const first = Math.floor(o! / perGroup) * kernel[1]!;
      let total = 0;
      forEachIndex(kernel.slice(1), ([c, ...j]) => {
        const from = i.map((y, a) =>
          (y * attrs.strides[a]! - (attrs.low[a] as number) + j[a]! * attrs.dilations[a]!) /
          attrs.inputDilations[a]!
        );
        // Between the elements of a dilated x there is nothing; around x there are zeros.
        if (!from.every(Number.isInteger)) return;
        const isInside = from.every((p, a) => p >= 0 && p < image[a + 2]!);
        const element = isInside ? x![offsetOf([b!, first + c!, ...from], image)]! : 0;
        total += element * w![offsetOf([o!, c!, ...j], kernel)]!;
      });
      out[position] = total;
    });
    return [out];
  },
  lower(k, [x, w], at, { attrs, outputs }) {
    const [b, o, ...i] = at;
    const [channels, ...kernel] = w!.shape.slice(1);
    const group = k.idiv(o!, outputs[0]!.shape[1]! / attrs.groups);
    return k.reduce("sum", [channels!, ...kernel], at, ([c, ...j]) => {
      // Zeros of the border are multiplied, as those of `pad` are; between dilated elements there is nothing to multiply.
      let inside: Value = k.const(true, "bool");
      let there: Value = k.const(true, "bool");
      const from = i.map((y, a) => {
        const p = k.affine([[y, attrs.strides[a]!], [j[a]!, attrs.dilations[a]!]], -(attrs.low[a] as number));
        const apart = attrs.inputDilations[a]!;
        const index = k.idiv(p, apart);
        inside = k.and(inside, k.and(k.le(0, index), k.lt(index, x!.shape[a + 2]!)));
        if (apart > 1) there = k.and(there, k.eq(k.imod(p, apart), 0));
        return index;
      });
      const channel = k.iadd(k.imul(group, channels!), c!);
      const element = k.guard(inside, x!.at([b!, channel, ...from]), 0);
      return k.guard(there, k.mul(element, w!.at([o!, c!, ...j])), 0);
    });
  },
  dims: ["low", "high"],
  terms: ([, w]) => count(w!.shape.slice(1)),
  samples: convSamples,
});

const windowsOf = (attrs: Conv, axis: number): Windows => ({
  stride: attrs.strides[axis]!,
  low: attrs.low[axis]!,
  high: attrs.high[axis]!,
  dilation: attrs.dilations[axis]!,
  inputDilation: attrs.inputDilations[axis]!,
});

/** [G·O, C, k…] → [G·C, O, k…], mirrored: each group's kernel as its transpose uses it. */
function transposedKernel(w: Tensor, groups: number): Tensor {
  const [out, channels, ...kernel] = w.shape as readonly [Dim, Dim, ...Dim[]];
  const axes = kernel.map((_, a) => a + 3);
  const apart = reshape(w, [groups, divideDims(out, groups)!, channels, ...kernel]);
  const swapped = permute(apart, [0, 2, 1, ...axes]);
  return flip(
    reshape(swapped, [mulDims(channels, groups), divideDims(out, groups)!, ...kernel]),
    axes.map((a) => a - 1),
  );
}

/** What stood in window position j of result i flows back to i·stride + j·dilation: a convolution of the dilated g. */
function inputGradient(x: Tensor, w: Tensor, g: Tensor, attrs: Conv): Tensor {
  const spatial = attrs.strides.map((_, a) => a);
  const reach = spatial.map((a) => span(w.shape[a + 2]!, attrs.dilations[a]!));
  const low = spatial.map((a) => subDims(addDims(reach[a]!, -1), attrs.low[a]!));
  // Exactly as many results as x has elements, also where the last windows did not reach its end.
  const high = spatial.map((a) => {
    const covered = addDims(span(g.shape[a + 2]!, attrs.strides[a]!), low[a]!);
    return subDims(addDims(addDims(span(x.shape[a + 2]!, attrs.inputDilations[a]!), -1), reach[a]!), covered);
  });
  return apply(convOp, [g, transposedKernel(w, attrs.groups)], {
    ...attrs,
    strides: attrs.inputDilations,
    inputDilations: attrs.strides,
    low,
    high,
  });
}

/** Batch and channels change places: g is the kernel that slides over x, its elements `stride` apart. */
function kernelGradient(x: Tensor, w: Tensor, g: Tensor, attrs: Conv): Tensor {
  const { groups } = attrs;
  const [n, channels, ...spatial] = x.shape as readonly [Dim, Dim, ...Dim[]];
  const axes = spatial.map((_, a) => a + 3);
  const perGroup = divideDims(channels, groups)!;
  const apart = permute(reshape(x, [n, groups, perGroup, ...spatial]), [2, 1, 0, ...axes]);
  const image = reshape(apart, [perGroup, mulDims(n, groups), ...spatial]);
  const rest = axes.map((a) => a - 1);
  const high = spatial.map((d, a) => {
    const needed = addDims(
      span(w.shape[a + 2]!, attrs.dilations[a]!),
      span(g.shape[a + 2]!, attrs.strides[a]!),
    );
    return subDims(addDims(needed, -1), addDims(span(d, attrs.inputDilations[a]!), attrs.low[a]!));
  });
  const swapped = apply(convOp, [image, permute(g, [1, 0, ...rest])], {
    ...attrs,
    strides: attrs.dilations,
    dilations: attrs.strides,
    high,
  });
  return permute(swapped, [1, 0, ...rest]);
}

/** Options of `conv`; a number counts for all spatial axes. */
export interface ConvOptions {
  readonly stride?: PerAxis;
  readonly padding?: Padding;
  /** Distance between the elements of the kernel. */
  readonly dilation?: PerAxis;
  /** Distance between the elements of x; what lies between is not there. */
  readonly inputDilation?: PerAxis;
  /** Channels fall into this many groups that do not see each other; as many as channels: depthwise. */
  readonly groups?: number;
}

/**
 * Convolution of x [N, C, n…] with a kernel [O, C / groups, k…], over one or more spatial axes.
 *
 * @throws ShapeError when channels and groups do not fit, or no window fits.
 * @example
 * ```ts
 * import { conv, input, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 3, 32, 32], "f32"), kernel: input([16, 3, 3, 3], "f32") }, ({ x, kernel }) => ({
 *   same: conv(x, kernel, { padding: "same" }), // [batch, 16, 32, 32]
 *   half: conv(x, kernel, { stride: 2, padding: 1 }), // [batch, 16, 16, 16]
 * }));
 * ```
 */
export function conv<S extends Shape, D extends DType, K extends Shape>(
  x: Tensor<S, D>,
  kernel: Tensor<K, NoInfer<D>>,
  { stride = 1, padding = 0, dilation = 1, inputDilation = 1, groups = 1 }: ConvOptions = {},
): Tensor<Convolved<S, K>, D> {
  const rank = Math.max(0, x.shape.length - 2);
  perAxis("conv", "groups", groups, 1);
  const strides = perAxis("conv", "stride", stride, rank);
  const dilations = perAxis("conv", "dilation", dilation, rank);
  const inputDilations = perAxis("conv", "inputDilation", inputDilation, rank);
  const spread = x.shape.slice(2).map((d, a) => span(d, inputDilations[a]!));
  const sides = paddingOf("conv", padding, spread, kernel.shape.slice(2), strides, dilations);
  return apply(convOp, [x, kernel], { strides, ...sides, dilations, inputDilations, groups }) as Tensor<
    Convolved<S, K>,
    D
  >;
}

/** Options of `convTranspose`; a number counts for all spatial axes. */
export interface ConvTransposeOptions {
  readonly stride?: PerAxis;
  /** What the convolution that this reverses padded with: cut off the result. */
  readonly padding?: PerAxis;
  /** Added behind the result: with a stride, several sizes convolve to the same one. */
  readonly outputPadding?: PerAxis;
  readonly dilation?: PerAxis;
  readonly groups?: number;
}

/**
 * The transpose of a convolution: x [N, C, n…] with a kernel [C, O / groups, k…] gives
 * [N, O, (n − 1)·stride − 2·padding + (k − 1)·dilation + 1 + outputPadding …].
 *
 * @example
 * ```ts
 * import { convTranspose, input, model } from "@weft/weft";
 *
 * model({ x: input([2, 16, 8, 8], "f32"), kernel: input([16, 3, 4, 4], "f32") }, ({ x, kernel }) => {
 *   return { y: convTranspose(x, kernel, { stride: 2, padding: 1 }) }; // [2, 3, 16, 16]
 * });
 * ```
 */
export function convTranspose<D extends DType>(
  x: Tensor<Shape, D>,
  kernel: Tensor<Shape, D>,
  { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1 }: ConvTransposeOptions = {},
): Tensor<Shape, D> {
  const rank = Math.max(0, x.shape.length - 2);
  const cut = perAxis("convTranspose", "padding", padding, rank, 0);
  const extra = perAxis("convTranspose", "outputPadding", outputPadding, rank, 0);
  const dilations = perAxis("convTranspose", "dilation", dilation, rank);
  if (kernel.shape.length !== x.shape.length || divideDims(kernel.shape[0]!, groups) === undefined) {
    throw new ShapeError(
      `convTranspose: ${showShape(x.shape)} and kernel ${showShape(kernel.shape)} with ${
        counted(groups, "group")
      }: the kernel ` +
        "is [channels of x, results / groups, one size per spatial axis]",
    );
  }
  const low = cut.map((p, a) => addDims(span(kernel.shape[a + 2]!, dilations[a]!), -1 - p));
  return apply(convOp, [x, transposedKernel(kernel, groups)], {
    strides: new Array<number>(rank).fill(1),
    low,
    high: low.map((n, a) => addDims(n, extra[a]!)),
    dilations,
    inputDilations: perAxis("convTranspose", "stride", stride, rank),
    groups,
  }) as Tensor<Shape, D>;
}
