import { ShapeError } from "../../compiler/errors.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import { showType, type Tensor } from "../../compiler/graph/node.ts";
import { philox } from "../../compiler/kernel/philox.ts";
import type { Value } from "../../compiler/kernel/value.ts";
import { defineOp } from "../define_op.ts";
import { linearize } from "../views/reshape.ts";
import { count } from "../views/walk.ts";
import { randomKey } from "./key.ts";
import { philox4x32 } from "./philox.ts";
import { newStream } from "./stream.ts";

/**
 * 32 random bits per element. Element i, counted row-major in this node's own shape, is word i mod 4 of
 * Philox4x32-10(counter = (i div 4, stream, step), key = seed): the same on every adapter, in every fusion and layout.
 *
 * Four neighbors share a block, and equal values are one value: a kernel that computes four at once runs Philox once.
 */
export const randomBitsOp = defineOp<{ shape: Shape; stream: number }>({
  name: "randomBits",
  infer([key], { shape }) {
    if (key!.dtype !== "u32" || key!.shape.length !== 1 || key!.shape[0] !== 2) {
      throw new ShapeError(
        `randomBits: the key is ${showType(key!)}; it must be u32[2], the seed and the step`,
      );
    }
    return [{ shape, dtype: "u32" }];
  },
  gradient: () => [null],
  reference([key], { stream }, { outputs }) {
    const out = new Uint32Array(count(outputs[0]!.shape));
    const [seed, step] = key as Uint32Array;
    for (let i = 0; i < out.length; i += 4) {
      const block = philox4x32([i / 4, stream, step!, 0], [seed!, 0]);
      for (let word = 0; word < 4 && i + word < out.length; word++) out[i + word] = block[word]!;
    }
    return [out];
  },
  lower(k, [key], at, { outputs, stream }) {
    const position = linearize(k, at, outputs[0]!.shape);
    const zero = k.const(0, "u32");
    const seed = key!.at([k.int(0)]);
    const step = key!.at([k.int(1)]);
    const words = philox(k, [k.cast("u32", k.idiv(position, 4)), stream, step, zero], [seed, zero]);
    const word = k.imod(position, 4);
    const pick = (i: number): Value => i === 3 ? words[3] : k.select(k.eq(word, i), words[i]!, pick(i + 1));
    return pick(0);
  },
  dims: ["shape"],
  samples: [
    { inputs: [{ shape: [2], dtype: "u32", values: [42, 0] }], attrs: { shape: [16], stream: 1 } },
    {
      inputs: [{ shape: [2], dtype: "u32", values: [0xffffffff, 7] }],
      attrs: { shape: [3, 5], stream: 0xdeadbeef },
    },
    { inputs: [{ shape: [2], dtype: "u32", values: [0, 0] }], attrs: { shape: [], stream: 0 } },
  ],
});

/** Where random numbers come from. */
export interface RandomOptions {
  /** (seed, step); default: the graph's own. */
  readonly key?: Tensor<Shape, "u32">;
}

/**
 * 32 independent random bits per element. Every call is a stream of its own.
 *
 * @example
 * ```ts
 * import { model, randomBits, shiftRight } from "@weft/weft";
 *
 * // Numbers from 0 to 7, all equally likely.
 * model({}, () => ({ n: shiftRight(randomBits([16]), 29) }));
 * ```
 */
export function randomBits<const S extends Shape>(
  shape: S,
  { key = randomKey() }: RandomOptions = {},
): Tensor<S, "u32"> {
  return apply(randomBitsOp, [key], { shape, stream: newStream() }) as Tensor<S, "u32">;
}
