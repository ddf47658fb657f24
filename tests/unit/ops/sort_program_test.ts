import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { emitWgsl } from "../../../compiler/emit/wgsl.ts";
import { compileJavaScript } from "../../../compiler/emit/javascript.ts";
import { type DType, hostArray, roundTo } from "../../../compiler/graph/dtype.ts";
import { type HostView, interpret } from "../../../compiler/kernel/interpret.ts";
import type { ScheduledKernel } from "../../../compiler/kernel/scheduled.ts";
import { type BufferRef, type ConcreteType, type Value } from "../../../compiler/kernel/value.ts";
import { Values } from "../../../compiler/kernel/values.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { softwareTarget, type Target, testTarget } from "../../../compiler/target.ts";
import { sortOp } from "../../../ops/indexing/sort.ts";
import { sortProgram } from "../../../ops/indexing/sort_program.ts";
import { linearize } from "../../../ops/views/reshape.ts";
import { irKernels } from "../../support/ir_kernels.ts";

const count = (shape: readonly number[]) => shape.reduce((n, d) => n * d, 1);

function view(dtype: DType, size: number): HostView {
  if (dtype === "f32") return new Float32Array(size);
  if (dtype === "f16") return new Float16Array(size);
  return dtype === "i32" ? new Int32Array(size) : new Uint32Array(size);
}

interface Planned {
  readonly kernels: readonly ScheduledKernel[];
  readonly run: (execute: typeof interpret) => readonly HostView[];
}

function plan(
  x: ArrayLike<number>,
  type: ConcreteType,
  descending: boolean,
  kept: number,
  target: Target,
): Planned {
  const values = new Values();
  const buffers = new Map<string, HostView>();
  const dense = (name: string, { shape, dtype }: ConcreteType) => {
    const buffer: BufferRef = { name, dtype, size: count(shape) };
    buffers.set(name, view(dtype, buffer.size));
    return { shape, dtype, buffer, index: (at: readonly Value[]) => linearize(values, at, shape) };
  };
  const input = dense("x", type);
  const results = sortOp.infer([type], { descending, count: kept }) as readonly ConcreteType[];
  const outputs = results.map((r, i) => dense(`y${i}`, r));
  let scratches = 0;
  const kernels = irKernels(sortProgram.plan({
    attrs: { descending, count: kept },
    inputs: [{ ...type, at: (at) => values.load(input.buffer, input.index(at)) }],
    outputs: outputs.map((o) => ({ ...o, at: o.index })),
    values,
    target,
    label: "sort",
    sideBySide: [],
    scratch(dtype, size) {
      const buffer: BufferRef = { name: `scratch${scratches++}`, dtype, size };
      buffers.set(buffer.name, view(dtype, size));
      return buffer;
    },
  }));
  return {
    kernels,
    run(execute) {
      for (const data of buffers.values()) data.fill(0);
      buffers.get("x")!.set(x);
      for (const { kernel, buffers: refs, params, groups } of kernels) {
        const named = Object.fromEntries(kernel.params.map((p, i) => [p.name, params[i]!]));
        execute(kernel, refs.map((r) => buffers.get(r.name)!), named, groups);
      }
      return outputs.map((o) => buffers.get(o.buffer.name)!);
    },
  };
}

const drawn = (n: number) => Array.from({ length: n }, (_, i) => Math.fround(Math.sin(i * 12.9898) * 4));

/** Shared memory for 8 pairs: rows of more need chunks. */
const narrow: Target = { ...testTarget, limits: { ...testTarget.limits, sharedBytes: 64 } };

function compare(x: number[], type: ConcreteType, descending: boolean, kept: number, target: Target): void {
  const host = hostArray(type.dtype, x.length);
  host.set(x);
  const attrs = { descending, count: kept };
  const types = { inputs: [type], outputs: sortOp.infer([type], attrs) as readonly ConcreteType[] };
  const expected = sortOp.reference([host], attrs, types);
  const { kernels, run } = plan(x, type, descending, kept, target);
  for (const { kernel } of kernels) verifyKernel(kernel, target.limits);
  const executes: (typeof interpret)[] = [
    interpret,
    (kernel, buffers, params, groups) => compileJavaScript(kernel)(buffers, params, groups ?? kernel.groups),
  ];
  for (const execute of executes) {
    run(execute).forEach((result, i) => {
      // −0 may have become 0 (SEMANTICS §8).
      deepStrictEqual([...result].map((v) => v + 0), [...expected[i]!].map((v) => v + 0));
    });
  }
}

Deno.test("sortProgram gives the reference's order on every sample", () => {
  for (const { inputs: [input], attrs } of sortOp.samples) {
    const { shape, dtype = "f32", values = drawn(count(input!.shape)) } = input!;
    const x = Array.from(values, (v) => dtype === "bool" ? Number(v > 0) : roundTo(dtype, v));
    for (const target of [testTarget, softwareTarget, narrow]) {
      compare(x, { shape, dtype }, attrs.descending, attrs.count as number, target);
    }
  }
});

Deno.test("sortProgram sorts rows longer than shared memory in chunks", () => {
  for (const length of [9, 16, 31, 64]) {
    const type = { shape: [2, length], dtype: "f32" } as const;
    const x = drawn(2 * length).map((v) => Math.round(v * 2));
    compare(x, type, false, length, narrow);
    compare(x, type, true, 11 % length, narrow);
  }
});

Deno.test("sortProgram is one kernel where a row fits, and few texts where it does not", () => {
  const type = { shape: [3, 2000], dtype: "f32" } as const;
  strictEqual(plan(drawn(6000), type, false, 2000, testTarget).kernels.length, 1);
  const { kernels } = plan(drawn(300), { shape: [300], dtype: "f32" }, false, 300, narrow);
  ok(kernels.length > 20);
  strictEqual(new Set(kernels.map((k) => emitWgsl(k.kernel, { features: testTarget.features }))).size, 4);
});
