/**
 * Programs small enough to be written by hand, for testing the runtime without a compiler: kernels that compute one
 * element per lane, and the arenas around them.
 * @module
 */

import { deviceBytes, type DType } from "../../compiler/graph/dtype.ts";
import {
  type Access,
  type BinaryInstr,
  bool,
  type BufferDecl,
  type Computed,
  f32,
  i32,
  type Instr,
  type IrType,
  type Kernel,
  type Literal,
  type ParamDecl,
  type Statement,
} from "../../compiler/kernel/ir.ts";
import { type BinaryOp, valueType } from "../../compiler/kernel/value.ts";
import type { Arena, Binding, Program, Region, Slot, Step } from "../../compiler/program/program.ts";

const round = (bytes: number): number => Math.max(256, Math.ceil(bytes / 256) * 256);

/** Literals of the types that the programs below use. */
export function number(type: IrType, value: number): Literal {
  const bits = new DataView(new ArrayBuffer(4));
  if (type.scalar === "f32") bits.setFloat32(0, value);
  else bits.setInt32(0, value);
  return { kind: "literal", type, value, bits: bits.getInt32(0) };
}

/** Collects the statements of an element. */
export class Element {
  readonly statements: Statement[] = [];
  constructor(readonly index: Instr, readonly elementTypes: ReadonlyMap<string, IrType>) {}

  let<T extends Computed>(instr: T): T {
    this.statements.push({ kind: "let", instr });
    return instr;
  }

  binary(op: BinaryOp, a: Instr, b: Instr, type: IrType = a.type): BinaryInstr {
    return this.let({ kind: "binary", op, a, b, type });
  }

  load(buffer: string, index: Instr = this.index): Instr {
    return this.let({ kind: "load", buffer, index, type: this.elementTypes.get(buffer)! });
  }

  store(buffer: string, value: Instr, index: Instr = this.index): void {
    this.statements.push({ kind: "store", buffer, index, value });
  }

  param(name: string, type: IrType = f32): Instr {
    return { kind: "param", name, type };
  }
}

export interface ElementKernel {
  readonly elements: number;
  readonly lanes?: number;
  readonly buffers: readonly { readonly name: string; readonly dtype: DType; readonly access: Access }[];
  readonly params?: readonly ParamDecl[];
  body(element: Element): void;
}

/** A kernel that runs `body` once for each index below `elements`. */
export function elementKernel({ elements, lanes = 4, buffers, params = [], body }: ElementKernel): Kernel {
  const group: Instr = { kind: "builtin", type: i32, name: "group" };
  const lane: Instr = { kind: "builtin", type: i32, name: "lane" };
  const first = { kind: "binary", op: "mul", type: i32, a: group, b: number(i32, lanes) } as const;
  const index = { kind: "binary", op: "add", type: i32, a: first, b: lane } as const;
  const inside = { kind: "binary", op: "lt", type: bool, a: index, b: number(i32, elements) } as const;
  const types = new Map(
    buffers.map(({ name, dtype }) => [name, { scalar: valueType(dtype), width: 1 } as IrType]),
  );
  const element = new Element(index, types);
  body(element);
  return {
    lanes,
    groups: Math.ceil(elements / lanes),
    params,
    buffers: buffers.map((buffer): BufferDecl => ({ ...buffer, size: elements })),
    arrays: [],
    body: [{
      kind: "phase",
      body: [
        { kind: "let", instr: first },
        { kind: "let", instr: index },
        { kind: "let", instr: inside },
        { kind: "if", condition: inside, then: element.statements, otherwise: [] },
      ],
    }],
  };
}

/** Puts tensors into arenas, one behind the other, and dispatches into a program. */
export class ProgramBuilder {
  readonly #arenas: { name: string; bytes: number; role: Arena["role"] }[] = [];
  readonly #kernels: Kernel[] = [];
  readonly #steps: Step[] = [];
  readonly #inputs: Slot[] = [];
  readonly #outputs: Program["outputs"][number][] = [];
  readonly #state: Program["state"][number][] = [];
  readonly #constants: Program["constants"][number][] = [];

  region(role: Arena["role"], shape: readonly number[], dtype: DType): Region {
    let arena = this.#arenas.findIndex((a) => a.role === role);
    if (arena < 0) arena = this.#arenas.push({ name: role, bytes: 0, role }) - 1;
    const bytes = shape.reduce((n, size) => n * size, deviceBytes(dtype));
    const offset = this.#arenas[arena]!.bytes;
    this.#arenas[arena]!.bytes += round(bytes);
    return { arena, offset, bytes };
  }

  input(name: string, shape: readonly number[], dtype: DType): Region {
    const region = this.region("input", shape, dtype);
    this.#inputs.push({ name, shape, dtype, region });
    return region;
  }

  output(name: string, shape: readonly number[], dtype: DType): Region {
    const region = this.region("output", shape, dtype);
    const ring = region.bytes <= 64 * 1024 ? 8 : 1;
    this.#outputs.push({ name, shape, dtype, region, ring });
    return region;
  }

  state(name: string, shape: readonly number[], dtype: DType): Region {
    const region = this.region("state", shape, dtype);
    this.#state.push({ name, shape, dtype, region, role: "parameter" });
    return region;
  }

  constant(shape: readonly number[], dtype: DType, data: Uint8Array<ArrayBuffer>): Region {
    const region = this.region("constant", shape, dtype);
    this.#constants.push({ region, data });
    return region;
  }

  dispatch(
    kernel: Kernel,
    bindings: readonly Binding[],
    params: readonly number[] = [],
    label = "tiny",
  ): void {
    let index = this.#kernels.indexOf(kernel);
    if (index < 0) index = this.#kernels.push(kernel) - 1;
    const dispatch = { kernel: index, groups: kernel.groups, bindings, params, label, split: false };
    this.#steps.push({ kind: "dispatch", dispatch });
  }

  copy(from: Region, to: Region): void {
    this.#steps.push({ kind: "copy", copy: { from, to } });
  }

  build(): Program {
    return {
      version: 1,
      arenas: this.#arenas,
      kernels: this.#kernels,
      steps: this.#steps,
      inputs: this.#inputs,
      outputs: this.#outputs,
      state: this.#state,
      constants: this.#constants,
      memory: { peak: 0, bound: 0 },
    };
  }
}

const anyFloat = (name: string): ParamDecl => ({ name, scalar: "f32", lo: -1e30, hi: 1e30 });

/** y = scale·x + shift over `shape`, with scale and shift as parameters. */
export function affine(shape: readonly number[], scale = 2, shift = 1, dtype: DType = "f32"): Program {
  const elements = shape.reduce((n, size) => n * size, 1);
  const builder = new ProgramBuilder();
  const x = builder.input("x", shape, dtype);
  const y = builder.output("y", shape, dtype);
  const kernel = elementKernel({
    elements,
    buffers: [{ name: "x", dtype, access: "read" }, { name: "y", dtype, access: "write" }],
    params: [anyFloat("scale"), anyFloat("shift")],
    body: (e) => {
      const scaled = e.binary("mul", e.load("x"), e.param("scale"));
      e.store("y", e.binary("add", scaled, e.param("shift")));
    },
  });
  if (elements > 0) builder.dispatch(kernel, [x, y], [scale, shift], "affine");
  return builder.build();
}

/** An i32 state `count`, to which each run adds the input `by`, and whose new value is the output `count`. */
export function counter(): Program {
  const builder = new ProgramBuilder();
  const by = builder.input("by", [], "i32");
  const state = builder.state("count", [], "i32");
  const out = builder.output("count", [], "i32");
  const add = elementKernel({
    elements: 1,
    lanes: 1,
    buffers: [{ name: "by", dtype: "i32", access: "read" }, {
      name: "count",
      dtype: "i32",
      access: "read_write",
    }],
    body: (e) => e.store("count", e.binary("add", e.load("count"), e.load("by"))),
  });
  builder.dispatch(add, [by, state], [], "count up");
  builder.dispatch(copyKernel(1, "i32"), [state, out], [], "show");
  return builder.build();
}

/** to[i] = from[i]. */
export const copyKernel = (elements: number, dtype: DType): Kernel =>
  elementKernel({
    elements,
    buffers: [{ name: "from", dtype, access: "read" }, { name: "to", dtype, access: "write" }],
    body: (e) => e.store("to", e.load("from")),
  });

/** Two states `a` and `b` in one arena that each run swaps, by copies through a temporary. */
export function swap(): Program {
  const builder = new ProgramBuilder();
  const a = builder.state("a", [3], "f32");
  const b = builder.state("b", [3], "f32");
  const spare = builder.region("temporary", [3], "f32");
  builder.copy(a, spare);
  builder.copy(b, a);
  builder.copy(spare, b);
  return builder.build();
}

/** b ← 2·a between kernels that run before and after the copy; the order of steps shows in the output. */
export function kernelCopyKernel(): Program {
  const builder = new ProgramBuilder();
  const x = builder.input("x", [4], "f32");
  const first = builder.region("temporary", [4], "f32");
  const second = builder.region("temporary", [4], "f32");
  const y = builder.output("y", [4], "f32");
  const double = elementKernel({
    elements: 4,
    buffers: [{ name: "x", dtype: "f32", access: "read" }, { name: "y", dtype: "f32", access: "write" }],
    body: (e) => e.store("y", e.binary("add", e.load("x"), e.load("x"))),
  });
  builder.dispatch(double, [x, first], [], "double");
  builder.copy(first, second);
  builder.dispatch(copyKernel(4, "f32"), [second, y], [], "show");
  return builder.build();
}

/** not: y = !x, with 0 and 1 as bytes on the host and words on the device. */
export function invert(elements: number): Program {
  const builder = new ProgramBuilder();
  const x = builder.input("x", [elements], "bool");
  const y = builder.output("y", [elements], "bool");
  const kernel = elementKernel({
    elements,
    buffers: [{ name: "x", dtype: "bool", access: "read" }, { name: "y", dtype: "bool", access: "write" }],
    body: (e) => e.store("y", e.let({ kind: "unary", op: "not", type: bool, arg: e.load("x") })),
  });
  builder.dispatch(kernel, [x, y], [], "invert");
  return builder.build();
}
