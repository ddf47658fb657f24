/**
 * The text form of a kernel. Canonical: two kernels with equal text do the same, so the text serves as a key, and a test
 * can compare it. Computed values are numbered where they are bound, loop variables where their loop begins; buffers,
 * parameters and arrays keep their names.
 *
 *     kernel lanes 8, groups 4
 *     param n: i32 in [0, 100]
 *     buffer x: f32[1024] read
 *     array sum: lane f32x4[1]
 *     uniform {
 *       %0 = mul group, 256 : i32
 *     }
 *     phase {
 *       %1 = load x[%0] : f32x4
 *       sum[0] = %1
 *     }
 */

import type { ArrayDecl, Block, Computed, Instr, IrType, Kernel, Literal, LoopVar, Statement } from "./ir.ts";
import { type AnyKernel, isRaw } from "./raw.ts";
import { printRaw } from "./print_raw.ts";

/** One line of the text, and what stands there. */
export interface PrintedLine {
  readonly text: string;
  readonly at: Statement | Block | undefined;
}

/** The canonical text of a kernel. */
export const printKernel = (kernel: AnyKernel): string =>
  isRaw(kernel) ? printRaw(kernel) : kernelLines(kernel).map(({ text }) => text + "\n").join("");

/** The text line by line, for messages that point into a kernel. */
export function kernelLines(kernel: Kernel): readonly PrintedLine[] {
  const printer = new Printer();
  printer.kernel(kernel);
  return printer.lines;
}

/** `f32` or `f32x4`. */
export const showType = ({ scalar, width }: IrType): string => width === 4 ? `${scalar}x4` : scalar;

/** The shortest decimal that reads back as this f32, whether it is read as f32 or as f64 and then rounded. */
export function showF32(x: number): string {
  if (Object.is(x, -0)) return "-0";
  for (let digits = 1; digits < 17; digits++) {
    const text = x.toPrecision(digits);
    const read = Number(text);
    const slack = Math.abs(read) * 2 ** -50;
    if ([read, read - slack, read + slack].every((y) => Math.fround(y) === x)) return String(read);
  }
  return String(x);
}

/** A literal with its type: `1.5f`, `1.5h`, `3`, `3u`, `true`; a float without a decimal form by its bits. */
export function showLiteral({ type, value, bits }: Literal): string {
  switch (type.scalar) {
    case "f32":
      return Number.isFinite(value) ? `${showF32(value)}f` : `f32(0x${(bits >>> 0).toString(16)})`;
    case "f16":
      return Number.isFinite(value) ? `${value}h` : `f16(0x${(bits >>> 0).toString(16)})`;
    case "i32":
      return String(value);
    case "u32":
      return `${value}u`;
    case "bool":
      return value !== 0 ? "true" : "false";
  }
}

class Printer {
  readonly lines: PrintedLine[] = [];
  readonly #names = new Map<Instr, string>();
  #values = 0;
  #variables = 0;
  #indent = "";

  #line(text: string, at?: Statement | Block): void {
    this.lines.push({ text: this.#indent + text, at });
  }

  #nested(body: () => void): void {
    const outer = this.#indent;
    this.#indent += "  ";
    body();
    this.#indent = outer;
  }

  kernel({ lanes, groups, params, buffers, arrays, body }: Kernel): void {
    this.#line(`kernel lanes ${lanes}, groups ${groups}`);
    for (const { name, scalar, lo, hi, multiple = 1 } of params) {
      const step = multiple === 1 ? "" : `, a multiple of ${multiple}`;
      this.#line(`param ${name}: ${scalar} in [${lo}, ${hi}]${step}`);
    }
    for (const { name, dtype, size, access } of buffers) {
      this.#line(`buffer ${name}: ${dtype}[${size}] ${access}`);
    }
    for (const array of arrays) this.#line(showArray(array));
    this.#blocks(body);
  }

  #blocks(blocks: readonly Block[]): void {
    for (const block of blocks) {
      switch (block.kind) {
        case "uniform":
          this.#line("uniform {", block);
          this.#nested(() => this.#statements(block.lets));
          this.#line("}");
          break;
        case "phase":
          this.#line("phase {", block);
          this.#nested(() => this.#statements(block.body));
          this.#line("}");
          break;
        case "loop":
          this.#line(`loop ${this.#header(block)} {`, block);
          this.#nested(() => this.#blocks(block.body));
          this.#line("}");
          break;
        case "combine": {
          const names = block.arrays.map(({ name }) => name).join(", ");
          this.#line(`combine ${block.op}(${names}) across ${block.across}`, block);
          break;
        }
      }
    }
  }

  #header({ variable, from, to, step }: { variable: LoopVar; from: Instr; to: Instr; step: number }): string {
    const bounds = `${this.#show(from)} to ${this.#show(to)}`;
    const name = `i${this.#variables++}`;
    this.#names.set(variable, name);
    return `${name} = ${bounds} step ${step}`;
  }

  #statements(statements: readonly Statement[]): void {
    for (const statement of statements) {
      switch (statement.kind) {
        case "let": {
          const { instr } = statement;
          const text = this.#computed(instr);
          const name = `%${this.#values++}`;
          this.#names.set(instr, name);
          this.#line(`${name} = ${text} : ${showType(instr.type)}`, statement);
          break;
        }
        case "store":
          this.#line(
            `store ${statement.buffer}[${this.#show(statement.index)}] = ${this.#show(statement.value)}`,
            statement,
          );
          break;
        case "set":
          this.#line(
            `${statement.array.name}[${this.#show(statement.index)}] = ${this.#show(statement.value)}`,
            statement,
          );
          break;
        case "for":
          this.#line(`for ${this.#header(statement)} {`, statement);
          this.#nested(() => this.#statements(statement.body));
          this.#line("}");
          break;
        case "if":
          this.#line(`if ${this.#show(statement.condition)} {`, statement);
          this.#nested(() => this.#statements(statement.then));
          if (statement.otherwise.length > 0) {
            this.#line("} else {");
            this.#nested(() => this.#statements(statement.otherwise));
          }
          this.#line("}");
          break;
      }
    }
  }

  /** A value used before it is bound prints as `%?`, so that broken kernels print too. */
  #show(instr: Instr): string {
    if (instr.kind === "literal") return showLiteral(instr);
    if (instr.kind === "builtin" || instr.kind === "param") return instr.name;
    return this.#names.get(instr) ?? (instr.kind === "loop" ? `${instr.name}?` : "%?");
  }

  #computed(instr: Computed): string {
    const show = (operand: Instr) => this.#show(operand);
    switch (instr.kind) {
      case "unary":
        return `${instr.op} ${show(instr.arg)}`;
      case "binary":
        return `${instr.op} ${show(instr.a)}, ${show(instr.b)}`;
      case "select":
        return `select ${show(instr.condition)}, ${show(instr.then)}, ${show(instr.otherwise)}`;
      case "cast":
      case "bitcast":
      case "splat":
        return `${instr.kind} ${show(instr.arg)}`;
      case "load":
        return `load ${instr.buffer}[${show(instr.index)}]`;
      case "read":
        return `read ${instr.array.name}[${show(instr.index)}]`;
      case "component":
        return `component ${show(instr.arg)}, ${instr.index}`;
      case "construct":
        return `construct ${instr.args.map(show).join(", ")}`;
    }
  }
}

function showArray({ name, space, type, length, dynamic }: ArrayDecl): string {
  return `array ${name}: ${space} ${showType(type)}[${length}]${
    space === "lane" && dynamic ? " dynamic" : ""
  }`;
}
