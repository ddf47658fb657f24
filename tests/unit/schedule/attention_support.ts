/** Runs program ops on host arrays, by the interpreter or as JavaScript, beside their references. */

import assert from "node:assert/strict";
import { compileJavaScript } from "../../../compiler/emit/javascript.ts";
import { type HostArray, hostArray } from "../../../compiler/graph/dtype.ts";
import { isProgram, type Op, type Sample, type SampleInput } from "../../../compiler/graph/op.ts";
import { type HostView, interpret } from "../../../compiler/kernel/interpret.ts";
import type { ScheduledKernel } from "../../../compiler/kernel/scheduled.ts";
import { type ConcreteType, type Reader, type Value } from "../../../compiler/kernel/value.ts";
import { Values } from "../../../compiler/kernel/values.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { statementsOfKernel } from "../../../compiler/kernel/walk.ts";
import type { Target } from "../../../compiler/target.ts";
import { irKernels } from "../../support/ir_kernels.ts";

export const count = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** How a tensor lies in memory: strides and an offset in a buffer of some size. */
export interface Layout {
  readonly buffer: string;
  readonly strides: readonly number[];
  readonly offset: number;
  readonly size: number;
}

export function dense(buffer: string, shape: readonly number[]): Layout {
  const strides = shape.map((_, i) => count(shape.slice(i + 1)));
  return { buffer, strides, offset: 0, size: count(shape) };
}

/** The same numbers in each run, exact in f32. */
export function numbersOf(input: SampleInput, seed: number): HostArray {
  const { shape, dtype = "f32", lo = 0, hi = 1, values } = input;
  const out = hostArray(dtype, count(shape));
  let state = (seed * 2654435761 + 12345) >>> 0;
  for (let i = 0; i < out.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const u = (state >>> 8) / 2 ** 24;
    out[i] = values ? values[i]! : dtype === "bool" ? Math.round(u) : Math.fround(lo + u * (hi - lo));
  }
  return out;
}

export interface Case<Attrs> {
  readonly op: Op<Attrs>;
  readonly attrs: Attrs;
  readonly inputs: readonly HostArray[];
  readonly types: readonly ConcreteType[];
  /** Where an input lies; dense in a buffer of its own unless given. */
  readonly layouts?: readonly (Layout | undefined)[];
}

export function caseOf<Attrs>(op: Op<Attrs>, sample: Sample<Attrs>): Case<Attrs> {
  return {
    op,
    attrs: sample.attrs,
    inputs: sample.inputs.map(numbersOf),
    types: sample.inputs.map(({ shape, dtype = "f32" }) => ({ shape, dtype })),
  };
}

const outputTypes = <A>({ op, types, attrs }: Case<A>): ConcreteType[] =>
  op.infer(types, attrs).map((t) => ({ shape: t.shape as readonly number[], dtype: t.dtype }));

export function plan<A>(c: Case<A>, target: Target): readonly ScheduledKernel[] {
  const { lower } = c.op;
  assert.ok(isProgram(lower));
  const k = new Values();
  const place = (type: ConcreteType, layout: Layout): Reader & { at: (i: readonly Value[]) => Value } => ({
    ...type,
    at: (index) => k.affine(index.map((x, i) => [x, layout.strides[i]!] as const), layout.offset),
  });
  const inputs = c.types.map((type, n): Reader => {
    const layout = c.layouts?.[n] ?? dense(`in${n}`, type.shape);
    const buffer = { name: layout.buffer, dtype: type.dtype, size: layout.size };
    if (layout.size === 0) return { ...type, at: () => k.const(0) };
    return { ...type, at: (index) => k.load(buffer, place(type, layout).at(index)) };
  });
  const outputs = outputTypes(c).map((type, n) => {
    const layout = dense(`out${n}`, type.shape);
    return { ...place(type, layout), buffer: { name: layout.buffer, dtype: type.dtype, size: layout.size } };
  });
  let scratches = 0;
  return irKernels(lower.plan({
    attrs: c.attrs,
    inputs,
    sideBySide: [],
    outputs,
    values: k,
    target,
    label: c.op.name,
    scratch: (dtype, size) => ({ name: `scratch${scratches++}`, dtype, size }),
  }));
}

export const statementsOf = (kernel: ScheduledKernel): number =>
  [...statementsOfKernel(kernel.kernel)].length;

/** What the kernels make of the inputs. Buffers start as NaN, so that nothing is right by luck. */
export function run<A>(c: Case<A>, target: Target, how: "interpret" | "javascript"): Float32Array[] {
  const memory = new Map<string, HostView>();
  c.types.forEach((type, n) => {
    const layout = c.layouts?.[n] ?? dense(`in${n}`, type.shape);
    let view = memory.get(layout.buffer);
    if (!view) {
      view = type.dtype === "bool" ? new Uint32Array(layout.size) : new Float32Array(layout.size).fill(NaN);
      memory.set(layout.buffer, view);
    }
    const strides = dense("", type.shape).strides;
    c.inputs[n]!.forEach((x, i) => {
      const at = strides.reduce(
        (sum, s, a) => sum + Math.floor(i / s) % type.shape[a]! * layout.strides[a]!,
        layout.offset,
      );
      view[at] = x;
    });
  });
  const types = outputTypes(c);
  types.forEach((type, n) => memory.set(`out${n}`, new Float32Array(count(type.shape)).fill(NaN)));
  for (const { kernel, buffers, params, groups, scratch } of plan(c, target)) {
    verifyKernel(kernel, target.limits);
    for (const s of scratch) if (!memory.has(s.name)) memory.set(s.name, new Float32Array(s.size).fill(NaN));
    const views = buffers.map((ref) => memory.get(ref.name)!);
    const named = Object.fromEntries(kernel.params.map((p, i) => [p.name, params[i]!]));
    if (how === "interpret") interpret(kernel, views, named, groups);
    else compileJavaScript(kernel)(views, named, groups);
  }
  return types.map((_, n) => memory.get(`out${n}`) as Float32Array);
}

/** Asserts that results equal the reference; `slack` scales the tolerance. */
export function check<A>(
  c: Case<A>,
  target: Target,
  how: "interpret" | "javascript" = "javascript",
  slack = 1,
): void {
  const got = run(c, target, how);
  const outputs = outputTypes(c);
  const want = c.op.reference(c.inputs, c.attrs, { inputs: c.types, outputs });
  want.forEach((expected, n) => {
    let largest = 0;
    for (const x of expected) if (Number.isFinite(x)) largest = Math.max(largest, Math.abs(x));
    expected.forEach((x, i) => {
      const y = got[n]![i]!;
      const near = Math.abs(y - x) <= slack * 2e-6 * (1 + Math.abs(x) + largest);
      assert.ok(
        Object.is(x, y) || near,
        `${c.op.name} on ${target.name}: result ${n}, element ${i} of [${
          outputs[n]!.shape
        }] is ${y}, not ${x}`,
      );
    });
  });
}
