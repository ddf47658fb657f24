/**
 * What tests of custom kernels share.
 * @module
 */

import type { Compiled } from "../../compiler/compile.ts";
import { isRaw, type RawKernel } from "../../compiler/kernel/raw.ts";
import { customKernel, input, type Model, model, type Shape, type Tensor } from "../../mod.ts";

/** Leaves out every second element; it has neither gradient nor reference. */
export const sparse = customKernel({
  name: "sparse",
  inputs: { x: { shape: ["n"], dtype: "f32" } },
  outputs: { y: { shape: ["n"], dtype: "f32" } },
  wgsl: "let i = 2u * global_invocation_id.x; if (i < n) { y[i] = x[i]; }",
});

/** The raw kernels of a program. */
export const rawsOf = ({ program }: Compiled): RawKernel[] => program.kernels.filter(isRaw);

/** The model of one function of one input. */
export const inModel = (shape: Shape, f: (x: Tensor<Shape, "f32">) => Tensor): Model =>
  model({ x: input(shape, "f32") }, ({ x }) => ({ y: f(x) }));
