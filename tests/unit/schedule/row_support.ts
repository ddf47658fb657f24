/** Groups made by hand for the row schedule, run by the interpreter or, where they are large, as JavaScript. */

import assert from "node:assert/strict";
import { compileJavaScript } from "../../../compiler/emit/javascript.ts";
import type { DType } from "../../../compiler/graph/dtype.ts";
import { type HostView, interpret } from "../../../compiler/kernel/interpret.ts";
import { type BufferRef, type Reader, type Value } from "../../../compiler/kernel/value.ts";
import { Values } from "../../../compiler/kernel/values.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import {
  isRefusal,
  type LoweredGroup,
  type Root,
  type ScheduledKernel,
} from "../../../compiler/schedule/group.ts";
import { scheduleRow } from "../../../compiler/schedule/row/row.ts";
import { gpuTarget, softwareTarget, type Target, testTarget } from "../../../compiler/target.ts";

export const oneLane: Target = {
  ...testTarget,
  name: "one lane",
  lanes: { map: 1, row: 1, contraction: 1 },
  row: { ...testTarget.row, unroll: 2 },
};
export const merging: Target = {
  ...testTarget,
  name: "test with merging",
  row: { ...testTarget.row, merge: true, unroll: 2 },
};
/** Chunks are worth it from a few elements on. */
export const splitting: Target = {
  ...merging,
  name: "test, splitting",
  parallel: 16,
  row: { ...merging.row, perChunk: 1 },
};
/** What lavapipe shows of itself: its own exp can be relied on, and lanes hand on what they have. */
export const handing: Target = { ...softwareTarget, name: "handing", builtins: { exp: true }, subgroup: 8 };

export const targets: readonly Target[] = [
  testTarget,
  merging,
  softwareTarget,
  handing,
  gpuTarget,
  oneLane,
];

export const count = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** The same numbers in each run, in [−1, 1). */
export function numbers(length: number, seed = 1): Float32Array {
  let state = (seed * 2654435761 + 1) >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

const storage = (dtype: DType, size: number): HostView =>
  dtype === "i32"
    ? new Int32Array(size)
    : dtype === "u32" || dtype === "bool"
    ? new Uint32Array(size)
    : new Float32Array(size).fill(NaN);

export class RowGroup {
  constructor(readonly k: Values = new Values()) {}

  readonly roots: Root[] = [];
  readonly data = new Map<string, HostView>();

  /** A tensor, dense unless its strides are given. */
  input(name: string, shape: readonly number[], data: HostView, strides = dense(shape)): Reader {
    const dtype: DType = data instanceof Int32Array ? "i32" : data instanceof Uint32Array ? "bool" : "f32";
    const buffer: BufferRef = { name, dtype, size: data.length };
    this.data.set(name, data);
    const at = (index: readonly Value[]) =>
      this.k.load(buffer, this.k.affine(index.map((x, i) => [x, strides[i]!] as const)));
    return { shape, dtype, at };
  }

  random(name: string, shape: readonly number[]): Reader {
    return this.input(name, shape, numbers(count(shape), this.data.size + 1));
  }

  /** @param into The name of an input to store it over. */
  output(
    name: string,
    shape: readonly number[],
    value: (at: readonly Value[]) => Value,
    into?: string,
  ): void {
    const axes = this.k.axes(shape);
    const strides = dense(shape);
    const index = this.k.affine(axes.map((x, i) => [x, strides[i]!] as const));
    const result = value(axes);
    const buffer: BufferRef = { name: into ?? name, dtype: result.type, size: count(shape) };
    this.roots.push({ value: result, shape, axes, buffer, index });
    if (into === undefined) this.data.set(name, storage(buffer.dtype, buffer.size));
  }

  get lowered(): LoweredGroup {
    return { values: this.k, roots: this.roots, label: "test" };
  }

  schedule(target: Target): readonly ScheduledKernel[] {
    const scheduled = scheduleRow(this.lowered, target);
    assert.ok(!isRefusal(scheduled), isRefusal(scheduled) ? scheduled.refused : "");
    return scheduled as readonly ScheduledKernel[];
  }

  refusal(target: Target = testTarget): string {
    const scheduled = scheduleRow(this.lowered, target);
    assert.ok(isRefusal(scheduled), "it was scheduled");
    return scheduled.refused;
  }

  /** Schedules, verifies and runs; small groups through the interpreter, which watches for races. */
  run(target: Target): readonly ScheduledKernel[] {
    const kernels = this.schedule(target);
    const memory = new Map(this.data);
    for (const { kernel, buffers, params, scratch, groups } of kernels) {
      verifyKernel(kernel, target.limits);
      for (const s of scratch) if (!memory.has(s.name)) memory.set(s.name, storage(s.dtype, s.size));
      const views = buffers.map((ref) => memory.get(ref.name)!);
      const named = Object.fromEntries(kernel.params.map((p, i) => [p.name, params[i]!]));
      const elements = views.reduce((n, v) => n + v.length, 0);
      if (elements < 20_000) interpret(kernel, views, named, groups);
      else compileJavaScript(kernel)(views, named, groups);
    }
    return kernels;
  }
}

export const dense = (shape: readonly number[]): number[] => shape.map((_, i) => count(shape.slice(i + 1)));

/** Elements equal within a relative and absolute tolerance; NaN and infinities exactly. */
export function assertClose(got: HostView, want: ArrayLike<number>, tolerance: number, what: string): void {
  assert.equal(got.length, want.length, what);
  for (let i = 0; i < got.length; i++) {
    const [g, w] = [got[i]!, want[i]!];
    if (Object.is(g, w) || g === w) continue;
    assert.ok(Math.abs(g - w) <= tolerance * (1 + Math.abs(w)), `${what}[${i}] = ${g}, not ${w}`);
  }
}
