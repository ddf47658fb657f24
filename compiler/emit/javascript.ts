/**
 * A kernel as one JavaScript function over typed arrays: for constant folding, and for tests that want the interpreter's
 * results at a hundred times its speed.
 *
 *     group, phase      loops over groups outside, over lanes inside each phase; no lane loop where there is one lane
 *     value             v0, v1, …; a vec4 is four scalars v0_0 … v0_3; splats and components are names, not code
 *     f32               rounded by Math.fround after each operation, which engines compile to single precision
 *     lane array        r0_0, … variables with one lane and static indices, else a typed array [lane][element][component]
 *     bool              true and false in values, 0 and 1 in arrays and buffers
 *
 * Nothing is checked here: kernels are verified before they are emitted, and the interpreter is the definition.
 */

import { InternalError } from "../errors.ts";
import { expandCombines } from "../kernel/expand_combines.ts";
import type {
  ArrayDecl,
  Block,
  BufferDecl,
  Computed,
  Instr,
  Kernel,
  LoopVar,
  Statement,
} from "../kernel/ir.ts";
import type { HostView } from "../kernel/interpret.ts";
import type { ValueType } from "../kernel/value.ts";
import { type AnyKernel, isRaw } from "../kernel/raw.ts";
import { hostKernel } from "./javascript_raw.ts";
import { binaryScript, castScript, literalScript, prelude, unaryScript } from "./javascript_ops.ts";

/** Runs groups 0 … groups − 1 on buffers in device form, with parameters by name. */
export type CompiledKernel = (
  buffers: readonly HostView[],
  params: Readonly<Record<string, number>>,
  groups: number,
) => void;

/** The source of the function: an expression. */
export const emitJavaScript = (kernel: Kernel): string => new Emitter(expandCombines(kernel)).source();

/** The function itself; of a raw kernel, its reference. */
export function compileJavaScript(kernel: AnyKernel): CompiledKernel {
  if (isRaw(kernel)) return hostKernel(kernel);
  return new Function(`return ${emitJavaScript(kernel)};`)() as CompiledKernel;
}

const storage: { readonly [T in ValueType]: string } = {
  f32: "Float32Array",
  f16: "Float32Array",
  i32: "Int32Array",
  u32: "Uint32Array",
  bool: "Uint8Array",
};

/** One JavaScript expression per component. */
type Parts = readonly string[];

class Emitter {
  readonly #kernel: Kernel;
  readonly #lines: string[] = [];
  readonly #names = new Map<Instr, Parts>();
  readonly #arrays = new Map<ArrayDecl, string>();
  readonly #buffers = new Map<string, { readonly name: string; readonly decl: BufferDecl }>();
  readonly #params = new Map<string, string>();
  #indent = "  ";
  #values = 0;
  #variables = 0;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    kernel.buffers.forEach((decl, i) => this.#buffers.set(decl.name, { name: `b${i}`, decl }));
    kernel.arrays.forEach((array, i) =>
      this.#arrays.set(array, `${array.space === "shared" ? "s" : "r"}${i}`)
    );
    kernel.params.forEach(({ name }, i) => this.#params.set(name, `p${i}`));
  }

  source(): string {
    const { buffers, params, arrays } = this.#kernel;
    for (const line of prelude) this.#line(line);
    buffers.forEach((_, i) => this.#line(`const b${i} = buffers[${i}];`));
    params.forEach(({ name, scalar }, i) => {
      const read = `params[${JSON.stringify(name)}]`;
      this.#line(
        `const p${i} = ${scalar === "f32" ? `fround(${read})` : scalar === "bool" ? `${read} !== 0` : read};`,
      );
    });
    for (const array of arrays) this.#declare(array);
    this.#nested("for (let group = 0; group < groups; group++) {", () => this.#blocks(this.#kernel.body));
    return `function (buffers, params, groups) {\n  "use strict";\n${this.#lines.join("\n")}\n}`;
  }

  #declare(array: ArrayDecl): void {
    const name = this.#arrays.get(array)!;
    const { type: { scalar, width }, length } = array;
    if (this.#inRegisters(array)) {
      for (let i = 0; i < length; i++) {
        const parts = Array.from(
          { length: width },
          (_, c) => `${name}_${i}_${c} = ${scalar === "bool" ? "false" : 0}`,
        );
        this.#line(`let ${parts.join(", ")};`);
      }
    } else {
      const copies = array.space === "lane" ? this.#kernel.lanes : 1;
      this.#line(`const ${name} = new ${storage[scalar]}(${copies * length * width});`);
    }
  }

  #inRegisters(array: ArrayDecl): boolean {
    return array.space === "lane" && !array.dynamic && this.#kernel.lanes === 1;
  }

  #line(text: string): void {
    this.#lines.push(this.#indent + text);
  }

  #nested(opening: string, body: () => void): void {
    this.#line(opening);
    const outer = this.#indent;
    this.#indent += "  ";
    body();
    this.#indent = outer;
    this.#line("}");
  }

  #blocks(blocks: readonly Block[]): void {
    for (const block of blocks) {
      switch (block.kind) {
        case "uniform":
          this.#statements(block.lets);
          break;
        case "phase":
          if (this.#kernel.lanes === 1) this.#nested("{", () => this.#statements(block.body));
          else {
            this.#nested(
              `for (let lane = 0; lane < ${this.#kernel.lanes}; lane++) {`,
              () => this.#statements(block.body),
            );
          }
          break;
        case "loop":
          this.#loop(block, () => this.#blocks(block.body));
          break;
        case "combine":
          throw new InternalError("javascript", "a combine survived its expansion");
      }
    }
  }

  #loop(loop: { variable: LoopVar; from: Instr; to: Instr; step: number }, body: () => void): void {
    const { variable, from, to, step } = loop;
    const name = `i${this.#variables++}`;
    const header = `let ${name} = ${this.#scalar(from)}; ${name} < ${this.#scalar(to)}; ${name} += ${step}`;
    this.#names.set(variable, [name]);
    this.#nested(`for (${header}) {`, body);
  }

  #statements(statements: readonly Statement[]): void {
    for (const statement of statements) this.#statement(statement);
  }

  #statement(statement: Statement): void {
    switch (statement.kind) {
      case "let":
        this.#bind(statement.instr);
        return;
      case "store": {
        const { name, decl } = this.#buffer(statement.buffer);
        const places = this.#places(name, this.#scalar(statement.index), statement.value.type.width);
        this.#operand(statement.value).forEach((value, c) =>
          this.#line(`${places[c]} = ${decl.dtype === "bool" ? `${value} ? 1 : 0` : value};`)
        );
        return;
      }
      case "set": {
        const { array } = statement;
        const asNumber = array.type.scalar === "bool" && !this.#inRegisters(array);
        const places = this.#element(array, statement.index);
        this.#operand(statement.value).forEach((value, c) =>
          this.#line(`${places[c]} = ${asNumber ? `${value} ? 1 : 0` : value};`)
        );
        return;
      }
      case "for":
        this.#loop(statement, () => this.#statements(statement.body));
        return;
      case "if":
        this.#nested(`if (${this.#scalar(statement.condition)}) {`, () => this.#statements(statement.then));
        if (statement.otherwise.length === 0) return;
        this.#lines.pop();
        this.#nested("} else {", () => this.#statements(statement.otherwise));
        return;
    }
  }

  /** Names the parts of a value, after the code that computes those that are not names already. */
  #bind(instr: Computed): void {
    switch (instr.kind) {
      case "splat": {
        const part = this.#scalar(instr.arg);
        this.#names.set(instr, [part, part, part, part]);
        return;
      }
      case "component":
        this.#names.set(instr, [this.#operand(instr.arg)[instr.index]!]);
        return;
      case "construct":
        this.#names.set(instr, instr.args.map((arg) => this.#scalar(arg)));
        return;
      default: {
        const name = `v${this.#values++}`;
        const parts = this.#computed(instr).map((text, c) => {
          const part = instr.type.width === 1 ? name : `${name}_${c}`;
          this.#line(`const ${part} = ${text};`);
          return part;
        });
        this.#names.set(instr, parts);
      }
    }
  }

  #computed(instr: Exclude<Computed, { kind: "splat" | "component" | "construct" }>): Parts {
    switch (instr.kind) {
      case "unary":
        return this.#operand(instr.arg).map((x) => unaryScript(instr.op, instr.type.scalar, x));
      case "binary": {
        const b = this.#operand(instr.b);
        const { scalar } = instr.a.type;
        return this.#operand(instr.a).map((a, c) => binaryScript(instr.op, scalar, a, b[c]!, instr.b));
      }
      case "select": {
        const then = this.#operand(instr.then);
        const otherwise = this.#operand(instr.otherwise);
        return this.#operand(instr.condition).map((condition, c) =>
          `${condition} ? ${then[c]} : ${otherwise[c]}`
        );
      }
      case "cast":
      case "bitcast":
        return this.#operand(instr.arg).map((x) =>
          castScript(instr.kind, instr.arg.type.scalar, instr.type.scalar, x)
        );
      case "load": {
        const { name, decl } = this.#buffer(instr.buffer);
        const places = this.#places(name, this.#scalar(instr.index), instr.type.width);
        return decl.dtype === "bool" ? places.map((place) => `${place} !== 0`) : places;
      }
      case "read": {
        const places = this.#element(instr.array, instr.index);
        const isNumber = instr.type.scalar === "bool" && !this.#inRegisters(instr.array);
        return isNumber ? places.map((place) => `${place} !== 0`) : places;
      }
    }
  }

  #buffer(name: string): { readonly name: string; readonly decl: BufferDecl } {
    const buffer = this.#buffers.get(name);
    if (!buffer) throw new InternalError("javascript", `there is no buffer ${name}`);
    return buffer;
  }

  #places(name: string, index: string, width: 1 | 4): Parts {
    if (width === 1) return [`${name}[${index}]`];
    return [0, 1, 2, 3].map((c) => c === 0 ? `${name}[${index}]` : `${name}[${index} + ${c}]`);
  }

  #element(array: ArrayDecl, index: Instr): Parts {
    const name = this.#arrays.get(array);
    if (name === undefined) throw new InternalError("javascript", `there is no array ${array.name}`);
    const { type: { width }, length } = array;
    const at = this.#scalar(index);
    if (this.#inRegisters(array)) return Array.from({ length: width }, (_, c) => `${name}_${at}_${c}`);
    const perLane = array.space === "lane" && this.#kernel.lanes > 1;
    const start = index.kind === "literal"
      ? String(index.value * width)
      : width === 1
      ? at
      : `${at} * ${width}`;
    return this.#places(name, perLane ? `lane * ${length * width} + ${start}` : start, width);
  }

  #scalar(instr: Instr): string {
    return this.#operand(instr)[0]!;
  }

  #operand(instr: Instr): Parts {
    switch (instr.kind) {
      case "literal":
        return [literalScript(instr)];
      case "builtin":
        return [instr.name === "lane" && this.#kernel.lanes === 1 ? "0" : instr.name];
      case "param":
        return [this.#params.get(instr.name) ?? unbound(instr)];
      default:
        return this.#names.get(instr) ?? unbound(instr);
    }
  }
}

function unbound(instr: Instr): never {
  throw new InternalError("javascript", `a ${instr.kind} is used before it is bound`);
}
