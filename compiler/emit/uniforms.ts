/**
 * The uniform block of a kernel: one 32-bit word each for
 *
 *   1. the number of workgroups of this dispatch, since a folded grid has more than are wanted;
 *   2. the kernel's parameters, in order;
 *   3. every distinct literal that bounds a loop, in order of appearance.
 *
 * Why 3: a driver that sees a constant trip count unrolls the loop, which costs seconds of compile time and runs slower
 * (layer norm on Mesa: first dispatch 5.3 s against 0.16 s). A bound that comes from memory hides it; and kernels that
 * differ only in the length of a loop become one shader.
 *
 * A kernel with no parameters, no loops bounded by literals and an unfolded grid has no block.
 */

import { InternalError } from "../errors.ts";
import { type AnyKernel, isRaw } from "../kernel/raw.ts";
import { castMeaning } from "../kernel/scalar.ts";
import type { ValueType } from "../kernel/value.ts";
import { loopsOf } from "../kernel/walk.ts";

export type UniformWord =
  | { readonly kind: "groups" }
  | { readonly kind: "param"; readonly name: string; readonly scalar: ValueType }
  | { readonly kind: "bound"; readonly value: number };

/** Beyond this many workgroups the runtime folds a dispatch into two dimensions: WebGPU's limit per dimension. */
const maxGroupsPerDimension = 65_535;

export const isFolded = (kernel: AnyKernel): boolean => kernel.groups > maxGroupsPerDimension;

/** The words of the block in order; none where the kernel has no block. */
export function uniformWords(kernel: AnyKernel): readonly UniformWord[] {
  const bounds = new Set<number>();
  // What loops a text has that a user wrote, nobody looks.
  const loops = isRaw(kernel) ? [] : loopsOf(kernel);
  for (const { to } of loops) if (to.kind === "literal") bounds.add(to.value);
  if (kernel.params.length + bounds.size === 0 && !isFolded(kernel)) return [];
  return [
    { kind: "groups" },
    ...kernel.params.map(({ name, scalar }) => ({ kind: "param", name, scalar }) as const),
    ...[...bounds].map((value) => ({ kind: "bound", value }) as const),
  ];
}

/** Bytes of the block, whole vec4s; 0 where the kernel has none. */
export const uniformBytes = (kernel: AnyKernel): number => Math.ceil(uniformWords(kernel).length / 4) * 16;

const float = new Float32Array(1);
const floatBits = new Uint32Array(float.buffer);

function bitsOf(scalar: ValueType, value: number): number {
  if (scalar !== "f32") return castMeaning(scalar, "u32", value);
  float[0] = value;
  return floatBits[0]!;
}

/** The contents of the block for one dispatch, whole vec4s; empty where the kernel has none. */
export function encodeUniforms(
  kernel: AnyKernel,
  params: readonly number[],
  groups: number,
): Uint32Array<ArrayBuffer> {
  const words = uniformWords(kernel);
  if (params.length !== kernel.params.length) {
    throw new InternalError("uniforms", `${params.length} values for ${kernel.params.length} parameters`);
  }
  const block = new Uint32Array(uniformBytes(kernel) / 4);
  let next = 0;
  words.forEach((word, i) => {
    if (word.kind === "groups") block[i] = groups;
    else if (word.kind === "bound") block[i] = word.value;
    else block[i] = bitsOf(word.scalar, params[next++]!);
  });
  return block;
}
