import { ShapeError } from "../errors.ts";
import { GraphBuilder } from "../graph/build.ts";
import { noTensor } from "../graph/check_tensor.ts";
import { Tensor } from "../graph/node.ts";

/**
 * Runs `f`; the ops called in it become one kernel. What it needs from outside may be computed in that kernel as well,
 * and its results are stored. Their gradients are left to the compiler.
 *
 * Or, of tensors that are there already: `fuse(a, b)` makes one kernel of the op that gives `a`, the op that gives `b`
 * and all between them, and returns the tensors.
 *
 * A hint binds or fails: the compile ends with the reason where the ops cannot be one kernel (a reduction inside the
 * loop of a product, two products, more buffers than a kernel may bind). `policies.none` takes no hints: it is what
 * fused results are compared with.
 *
 * @returns What `f` returns, or the tensors.
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
export function fuse<T>(f: () => T): T;
export function fuse<const T extends readonly [Tensor, Tensor, ...Tensor[]]>(...tensors: T): T;
export function fuse(...args: readonly unknown[]): unknown {
  const builder = GraphBuilder.current("fuse");
  const [first] = args;
  if (args.length === 1 && typeof first === "function") return builder.fuse(first as () => unknown);
  const stranger = args.find((arg) => !(arg instanceof Tensor));
  if (stranger !== undefined || args.length < 2) {
    throw new ShapeError(
      `fuse: takes a function, fuse(() => …), or two tensors and more, fuse(a, b); here it was given ${
        args.length === 0 ? "nothing" : stranger === undefined ? "one tensor" : noTensor(stranger)
      }`,
    );
  }
  builder.fuseTogether(args as readonly Tensor[]);
  return args;
}
