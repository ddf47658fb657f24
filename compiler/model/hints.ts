import { GraphBuilder } from "../graph/build.ts";

/**
 * Runs `f`; the ops called in it become one kernel. What it needs from outside may be computed in that kernel as well,
 * and its results are stored. Their gradients are left to the compiler.
 *
 * A hint binds or fails: the compile ends with the reason where the ops cannot be one kernel (a reduction inside the
 * loop of a product, two products, more buffers than a kernel may bind). `policies.none` takes no hints: it is what
 * fused results are compared with.
 *
 * @returns What `f` returns.
 * @throws CompileError, when the model is compiled, at the line of this call.
 * @example
 * ```ts
 * import { add, fuse, input, matmul, model, relu } from "@weft/weft";
 *
 * const net = model({ x: input([8, 4], "f32"), w: input([4, 16], "f32") }, ({ x, w }) => {
 *   return { y: fuse(() => relu(add(matmul(x, w), 1))) };
 * });
 * ```
 */
export function fuse<T>(f: () => T): T {
  return GraphBuilder.current("fuse").fuse(f);
}
