/** Kernels for tests, built by hand from a few lines; and instructions for those that no builder would make. */

import { IrBuilder } from "../../compiler/kernel/build.ts";
import type {
  Computed,
  Instr,
  IrType,
  Kernel,
  Let,
  Literal,
  LoopVar,
  Phase,
  Statement,
} from "../../compiler/kernel/ir.ts";
import { i32, literal, wide } from "../../compiler/kernel/ir.ts";
import { type HostView, interpret } from "../../compiler/kernel/interpret.ts";
import type { BinaryOp, BufferRef, ValueType } from "../../compiler/kernel/value.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import { deviceArray } from "./random_kernel.ts";

export const ref = (name: string, dtype: DType, size: number): BufferRef => ({ name, dtype, size });

/** A kernel that a builder makes. */
export function build(lanes: number, groups: number, body: (b: IrBuilder) => void): Kernel {
  const b = new IrBuilder(lanes);
  body(b);
  return b.finish(groups).kernel;
}

/** What one lane stores: the value that `f` makes from literals or loads. */
export function evaluate(dtype: DType, f: (b: IrBuilder) => Instr): number {
  const kernel = build(1, 1, (b) => b.phase(() => b.store(ref("out", dtype, 1), b.int(0), f(b))));
  const out = deviceArray(dtype, 1);
  interpret(kernel, [out], {});
  return out[0]!;
}

/** The result of an op on two numbers of a type, without the builder's folding. */
export function binaryOf(op: BinaryOp, scalar: ValueType, a: number, b: number): number {
  const isBool = op === "lt" || op === "le" || op === "eq" || op === "ne";
  const type = isBool ? wide("bool", 1) : wide(scalar, 1);
  const instr: Computed = { kind: "binary", type, op, a: literal(scalar, a), b: literal(scalar, b) };
  return run(instr);
}

/** The value of one instruction over atoms. */
export function run(instr: Computed): number {
  const dtype = instr.type.scalar;
  const out = deviceArray(dtype, 1);
  const store: Statement = { kind: "store", buffer: "out", index: literal("i32", 0), value: instr };
  interpret(
    phaseKernel([bind(instr), store], { buffers: [{ name: "out", dtype, size: 1, access: "write" }] }),
    [out],
    {},
  );
  return out[0]!;
}

export const int = (value: number): Literal => literal("i32", value);
export const lane: Instr = { kind: "builtin", type: i32, name: "lane" };
export const group: Instr = { kind: "builtin", type: i32, name: "group" };
export const loopVar = (name = "i"): LoopVar => ({ kind: "loop", type: i32, name });
export const bind = (instr: Computed): Let => ({ kind: "let", instr });
export const phase = (...body: Statement[]): Phase => ({ kind: "phase", body });
export const binary = (op: BinaryOp, a: Instr, b: Instr, type: IrType = a.type): Computed => ({
  kind: "binary",
  type,
  op,
  a,
  b,
});

/** A kernel of one lane and one group, unless told otherwise, with one phase. */
export function phaseKernel(body: readonly Statement[], rest: Partial<Kernel> = {}): Kernel {
  return {
    lanes: 1,
    groups: 1,
    params: [],
    buffers: [],
    arrays: [],
    body: [{ kind: "phase", body }],
    ...rest,
  };
}

/** Runs a kernel on copies of its buffers and gives those back. */
export function interpreted(
  kernel: Kernel,
  buffers: readonly HostView[],
  params: Record<string, number> = {},
): HostView[] {
  const copies = buffers.map((view) => view.slice());
  interpret(kernel, copies, params);
  return copies;
}

/** Where two lists of buffers differ, NaN and the sign of a zero included. */
export function difference(actual: readonly HostView[], expected: readonly HostView[]): string | undefined {
  for (const [buffer, view] of actual.entries()) {
    const at = view.findIndex((x, i) => !Object.is(x, expected[buffer]![i]));
    if (at >= 0) return `buffer ${buffer}[${at}] is ${view[at]}, not ${expected[buffer]![at]}`;
  }
  return undefined;
}
