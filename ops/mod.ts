/**
 * Every op, in one place: importing this file fills the op table. One line per file, sorted.
 */

export * from "./conv/conv.ts";
export * from "./conv/pool.ts";
export * from "./conv/windows.ts";
export {
  type CustomKernel,
  customKernel,
  type CustomKernelOptions,
  type KernelInput,
  type KernelOutput,
} from "./custom/custom_kernel.ts";
export * from "./einsum.ts";
export * from "./elementwise/arithmetic.ts";
export * from "./elementwise/bitwise.ts";
export * from "./elementwise/comparison.ts";
export * from "./elementwise/convert.ts";
export * from "./elementwise/error_function.ts";
export * from "./elementwise/exponential.ts";
export * from "./elementwise/extremum.ts";
export * from "./elementwise/hyperbolic.ts";
export * from "./elementwise/logical.ts";
export * from "./elementwise/normal.ts";
export * from "./elementwise/power.ts";
export * from "./elementwise/predicates.ts";
export * from "./elementwise/remainder.ts";
export * from "./elementwise/rounding.ts";
export * from "./elementwise/select.ts";
export * from "./elementwise/trigonometric.ts";
export * from "./indexing/gather.ts";
export * from "./indexing/one_hot.ts";
export * from "./indexing/scatter_add.ts";
export * from "./indexing/sort.ts";
export * from "./leaves.ts";
export * from "./markers.ts";
export * from "./matmul.ts";
export * from "./no_fuse.ts";
export * from "./nn/activations.ts";
export * from "./nn/attention.ts";
export * from "./nn/batch_normalize.ts";
export * from "./nn/cross_entropy.ts";
export * from "./nn/gelu.ts";
export * from "./nn/losses.ts";
export * from "./nn/nll.ts";
export * from "./nn/normalize.ts";
export * from "./nn/softmax.ts";
export * from "./random/bits.ts";
export * from "./random/categorical.ts";
export * from "./random/distributions.ts";
export * from "./random/dropout.ts";
export * from "./random/key.ts";
export * from "./reduce/any_all.ts";
export * from "./reduce/arg_extremum.ts";
export * from "./reduce/cumulative.ts";
export * from "./reduce/extremum.ts";
export * from "./reduce/mean.ts";
export * from "./reduce/norm.ts";
export * from "./reduce/prod.ts";
export * from "./reduce/segmented.ts";
export * from "./reduce/sum.ts";
export * from "./reduce/variance.ts";
export * from "./views/broadcast.ts";
export * from "./views/concat.ts";
export * from "./views/expect_shape.ts";
export * from "./views/pad.ts";
export * from "./views/pad_extend.ts";
export * from "./views/permute.ts";
export * from "./views/reshape.ts";
export * from "./views/roll.ts";
export * from "./views/slice.ts";
export * from "./views/split.ts";
export * from "./views/squeeze.ts";
export * from "./views/tile.ts";
export * from "./views/triangle.ts";
