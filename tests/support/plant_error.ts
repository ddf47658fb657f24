/**
 * Ops that compute something slightly wrong, for tests of the tests: floats 1 % off, integers one more, bools flipped.
 * @module
 */

import type { Op, Pull } from "../../compiler/graph/op.ts";
import { isProgram } from "../../compiler/graph/op.ts";
import {
  type Block,
  type Computed,
  type Instr,
  type Kernel,
  literal,
  type Statement,
  wide,
} from "../../compiler/kernel/ir.ts";
import type { KernelProgram } from "../../compiler/kernel/program_op.ts";
import type { Value } from "../../compiler/kernel/value.ts";
import type { Values } from "../../compiler/kernel/values.ts";
import { irKernels } from "./ir_kernels.ts";

/** The op with an error in one of its results. */
export function withError<Attrs>(op: Op<Attrs>, result: number): Op<Attrs> {
  const { lower } = op;
  return { ...op, lower: isProgram(lower) ? wrongProgram(lower, result) : wrongPull(lower, result) };
}

const wrongPull = <Attrs>(lower: Pull<Attrs>, result: number): Pull<Attrs> => (k, inputs, at, site) => {
  const value = lower(k, inputs, at, site);
  return site.result === result ? wrongValue(k, value) : value;
};

function wrongValue(k: Values, value: Value): Value {
  if (value.type === "f32") return k.mul(value, 1.01);
  return value.type === "bool" ? k.not(value) : k.add(value, 1);
}

/** The same kernels, which store something else to the result. */
const wrongProgram = <Attrs>(program: KernelProgram<Attrs>, result: number): KernelProgram<Attrs> => ({
  ...program,
  plan: (site) =>
    irKernels(program.plan(site)).map((scheduled) => {
      const position = scheduled.buffers.findIndex(({ name }) => name === site.outputs[result]!.buffer.name);
      return position < 0 ? scheduled : {
        ...scheduled,
        kernel: wrongStores(scheduled.kernel, scheduled.kernel.buffers[position]!.name),
      };
    }),
});

/** The kernel with an error in all that it stores to a buffer. */
export function wrongStores(kernel: Kernel, buffer: string): Kernel {
  const block = (b: Block): Block =>
    b.kind === "phase"
      ? { ...b, body: b.body.flatMap(statement) }
      : b.kind === "loop"
      ? { ...b, body: b.body.map(block) }
      : b;
  const statement = (s: Statement): Statement[] => {
    if (s.kind === "for") return [{ ...s, body: s.body.flatMap(statement) }];
    if (s.kind === "if") {
      return [{ ...s, then: s.then.flatMap(statement), otherwise: s.otherwise.flatMap(statement) }];
    }
    if (s.kind !== "store" || s.buffer !== buffer) return [s];
    const made = wrongInstr(s.value);
    const value = made.at(-1)!;
    return [...made.map((instr) => ({ kind: "let", instr } as const)), { ...s, value }];
  };
  return { ...kernel, body: kernel.body.map(block) };
}

/** Instructions of which the last is the wrong value. */
function wrongInstr(value: Instr): Computed[] {
  const { scalar, width } = value.type;
  if (scalar === "bool") return [{ kind: "unary", type: value.type, op: "not", arg: value }];
  const amount = literal(scalar, scalar === "f32" ? 1.01 : 1);
  const op = scalar === "f32" ? "mul" : "add";
  if (width === 1) return [{ kind: "binary", type: value.type, op, a: value, b: amount }];
  const splat = { kind: "splat", type: wide(scalar, 4), arg: amount } as const;
  return [splat, { kind: "binary", type: value.type, op, a: value, b: splat }];
}
