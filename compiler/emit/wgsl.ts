/**
 * A kernel as WGSL, in the conservative subset that naga and Tint both take. Emission takes no decisions.
 *
 *     module, names     what stands around the statements                         wgsl_frame.ts
 *     buffer            b0, b1, … in order, at @binding(0), …                     wgsl_buffers.ts
 *     uniform block     the last binding, an array of vec4<u32>; see uniforms.ts
 *     parameter, bound  read from it once, at the top: p0, n0, …
 *     value             v0, v1, …: one `let` per operation; operations on literals are done here
 *     loop variable     i0, i1, …
 *     combine           lanes hand on what they have, or phases over workgroup memory; see wgsl_combine.ts
 *     shared load       w0, w1, …: what each lane loads for all, where lanes may broadcast; see shared_loads.ts
 *     lane array        r0_0, r0_1, …: one `var` per element; a dynamic one is private memory
 *     shared array      s0 in workgroup memory; barriers as barriers.ts says
 *
 * Names come from positions, so identical kernels are identical text whatever they call things. A grid that is folded
 * into two dimensions has groups beyond the last; they leave at once. The expression of a group's number is uniform, and
 * so is everything that decides whether a barrier is reached.
 */

import { CompileError, InternalError } from "../errors.ts";
import { expandCombines } from "../kernel/expand_combines.ts";
import {
  type ArrayDecl,
  type Block,
  type Computed,
  type Instr,
  type Kernel,
  type Literal,
  type LoadInstr,
  type LoopVar,
  type Phase,
  type Statement,
} from "../kernel/ir.ts";
import { type AnyKernel, isRaw } from "../kernel/raw.ts";
import { iterationsOf } from "../kernel/iterations.ts";
import type { PrintedLine } from "../kernel/print.ts";
import { type Barrier, barriersOf } from "./barriers.ts";
import { foldLiterals } from "./fold_literals.ts";
import { canHandOn, combineByHanding, type HandingWriter } from "./wgsl_combine.ts";
import { ModuleFrame } from "./wgsl_frame.ts";
import { SharedText } from "./wgsl_shared.ts";
import { rawModule } from "./wgsl_raw.ts";
import { binaryText, castText, isSpecial, literalText, typeText, unaryText } from "./wgsl_ops.ts";

export interface WgslOptions {
  readonly features: { readonly f16: boolean; readonly subgroups: boolean };
  /**
   * Workgroups of up to this many lanes hand one another what they load (shared_loads.ts); 0 or left out: every lane
   * loads for itself.
   */
  readonly broadcast?: number;
  /**
   * Lanes that follow one another from a multiple of so many, a power of two, hand one another values without memory
   * (wgsl_combine.ts); 0 or left out: only through workgroup memory.
   */
  readonly subgroup?: number;
  /**
   * For devices that nobody has probed: the text says `enable subgroups;`, and where a workgroup is to be one subgroup its
   * lanes are numbered as that numbers them, which need not be the workgroup's order (`bundle/subgroup_probe.ts`).
   */
  readonly subgroupLanes?: boolean;
  /**
   * Workgroups are numbered tile by tile, the so many parts of a tile's sum together, where the kernel has all tiles of a
   * part together: another order of the same workgroups (`bundle/open_grid.ts`).
   */
  readonly parts?: number;
  /** Turns of all loops of one invocation after which the driver would end them silently; a kernel may not exceed it. */
  readonly loopBound?: number;
}

/** The kernel as it is printed: combines that lanes can't do among themselves are phases. */
export const printedKernel = (kernel: Kernel, { subgroup = 0 }: WgslOptions): Kernel =>
  // Exchanges go by bits of a lane's number: of 6 adjacent lanes 4 can take part.
  expandCombines(kernel, undefined, { lanes: 1 << (31 - Math.clz32(Math.max(1, subgroup))), can: canHandOn });

const combinesIn = (blocks: readonly Block[]): boolean =>
  blocks.some((block) => block.kind === "combine" || (block.kind === "loop" && combinesIn(block.body)));

/** The text of the shader module; its entry point is `main`. */
export function emitWgsl(kernel: AnyKernel, options: WgslOptions): string {
  if (isRaw(kernel)) return rawModule(kernel, options.features).code;
  return wgslLines(kernel, options).map(({ text }) => text).join("\n");
}

/** The module line by line, each with the statement or block of the kernel that it says. */
export function wgslLines(kernel: Kernel, options: WgslOptions): readonly PrintedLine[] {
  const { loopBound = Infinity } = options;
  if (loopBound !== Infinity) {
    const turns = iterationsOf(kernel);
    if (turns > loopBound) {
      throw new CompileError(
        `A kernel takes up to ${turns} turns of its loops, and this driver ends loops silently after ${loopBound}. ` +
          "Update the driver (for Mesa, to version 25), or choose another schedule.",
      );
    }
  }
  return new Emitter(kernel, options).module();
}

class Emitter {
  readonly #kernel: Kernel;
  readonly #frame: ModuleFrame;
  readonly #barriers: ReadonlyMap<Phase, Barrier>;
  /** Text of values that have been bound; literals where a value was computed here. */
  readonly #names = new Map<Instr, string>();
  readonly #folded = new Map<Instr, Literal>();
  readonly #shared: SharedText;
  readonly #lines: PrintedLine[] = [];
  #indent = "  ";
  #at: PrintedLine["at"];
  #values = 0;
  #variables = 0;

  constructor(original: Kernel, options: WgslOptions) {
    const { features, broadcast = 0, subgroup = 0, subgroupLanes = false, parts = 1 } = options;
    const kernel = printedKernel(original, options);
    this.#shared = new SharedText(kernel, broadcast);
    const asked = subgroupLanes && (this.#shared.has || combinesIn(kernel.body));
    const fits = kernel.lanes <= Math.max(broadcast, subgroup);
    const asks = !asked ? undefined : fits ? "subgroup" : "order";
    this.#frame = new ModuleFrame(kernel, { hasF16: features.f16, parts, asks });
    this.#kernel = kernel;
    this.#barriers = barriersOf(kernel);
  }

  module(): readonly PrintedLine[] {
    this.#blocks(this.#kernel.body);
    const frame = (text: string): PrintedLine => ({ text, at: undefined });
    return [...this.#frame.opening().map(frame), ...this.#lines, frame("}"), frame("")];
  }

  #line(text: string): void {
    this.#lines.push({ text: this.#indent + text, at: this.#at });
  }

  #nested(opening: string, body: () => void): void {
    this.#line(opening);
    const [outer, at] = [this.#indent, this.#at];
    this.#indent += "  ";
    body();
    [this.#indent, this.#at] = [outer, at];
    this.#line("}");
  }

  #blocks(blocks: readonly Block[]): void {
    for (const block of blocks) {
      this.#at = block;
      switch (block.kind) {
        case "uniform":
          this.#statements(block.lets);
          break;
        case "phase": {
          const barrier = this.#barriers.get(block);
          if (barrier === "storage") this.#line("storageBarrier();");
          if (barrier) this.#line("workgroupBarrier();");
          this.#statements(block.body);
          break;
        }
        case "loop":
          this.#loop(block, () => this.#blocks(block.body));
          break;
        case "combine":
          combineByHanding(block, this.#handing);
          break;
      }
    }
  }

  readonly #handing: HandingWriter = {
    make: (instr) => (this.#print({ kind: "let", instr }), instr),
    hand: (value, bit) => {
      const name = `v${this.#values++}`;
      this.#line(`let ${name} = subgroupShuffleXor(${this.#operand(value)}, ${bit}u);`);
      const handed: Instr = { ...value };
      this.#names.set(handed, name);
      return handed;
    },
    put: (statement) => this.#print(statement),
  };

  #loop(loop: { variable: LoopVar; from: Instr; to: Instr; step: number }, body: () => void): void {
    const { variable, from, to, step } = loop;
    const bound = to.kind === "literal" ? this.#frame.bound(to.value) : this.#operand(to);
    const name = `i${this.#variables++}`;
    this.#names.set(variable, name);
    this.#nested(
      `for (var ${name}: i32 = ${this.#operand(from)}; ${name} < ${bound}; ${name} += ${step}i) {`,
      body,
    );
  }

  #statements(statements: readonly Statement[]): void {
    for (const statement of statements) this.#statement(statement);
  }

  #statement(statement: Statement): void {
    this.#at = statement;
    this.#print(statement);
  }

  #print(statement: Statement): void {
    switch (statement.kind) {
      case "let": {
        const { instr } = statement;
        const folded = foldLiterals(instr, (arg) => this.#literalOf(arg));
        if (folded) {
          this.#folded.set(instr, folded);
          return;
        }
        if (instr.type.scalar === "f16") this.#frame.computesHalves();
        const text = this.#shared.contains(instr) ? this.#sharedLoad(instr) : this.#computed(instr);
        const name = `v${this.#values++}`;
        this.#names.set(instr, name);
        this.#line(`let ${name} = ${text};`);
        return;
      }
      case "store": {
        const { index, value } = statement;
        const lines = this.#frame.buffer(statement.buffer)
          .store(this.#literalOf(index), this.#operand(index), this.#operand(value), value.type.width);
        for (const line of lines) this.#line(line);
        return;
      }
      case "set":
        this.#line(`${this.#element(statement.array, statement.index)} = ${this.#operand(statement.value)};`);
        return;
      case "for":
        this.#loop(statement, () => this.#statements(statement.body));
        return;
      case "if":
        this.#nested(`if (${this.#operand(statement.condition)}) {`, () => this.#statements(statement.then));
        if (statement.otherwise.length === 0) return;
        this.#lines.pop();
        this.#nested("} else {", () => this.#statements(statement.otherwise));
        return;
    }
  }

  #sharedLoad(instr: LoadInstr): string {
    this.#frame.builtin("lane");
    const { lines, text } = this.#shared.load(
      instr,
      this.#frame.buffer(instr.buffer),
      (x) => this.#operand(x),
    );
    for (const line of lines) this.#line(line);
    return text;
  }

  #element(array: ArrayDecl, index: Instr): string {
    const name = this.#frame.array(array);
    if (array.space === "shared" || array.dynamic) return `${name}[${this.#operand(index)}]`;
    const at = this.#literalOf(index);
    if (at.kind !== "literal") {
      throw new InternalError("wgsl", `${array.name} is read at an index that varies`);
    }
    return `${name}_${at.value}`;
  }

  /** The literal that an instruction was folded to, or the instruction itself. */
  #literalOf(instr: Instr): Instr {
    return this.#folded.get(instr) ?? instr;
  }

  #operand(instr: Instr): string {
    const known = this.#literalOf(instr);
    switch (known.kind) {
      case "literal":
        if (!isSpecial(known)) return literalText(known);
        return known.type.scalar === "f16"
          ? `f16(${this.#frame.special(known.bits >>> 0)})`
          : this.#frame.special(known.bits >>> 0);
      case "builtin":
        return this.#frame.builtin(known.name);
      case "param":
        return this.#frame.param(known.name);
      default: {
        const name = this.#names.get(known);
        if (name === undefined) throw new InternalError("wgsl", `a ${known.kind} is used before it is bound`);
        return name;
      }
    }
  }

  #computed(instr: Computed): string {
    const operand = (arg: Instr) => this.#operand(arg);
    switch (instr.kind) {
      case "unary":
        return unaryText(instr, operand(instr.arg));
      case "binary":
        return binaryText(
          { ...instr, a: this.#literalOf(instr.a), b: this.#literalOf(instr.b) },
          operand(instr.a),
          operand(instr.b),
        );
      case "select":
        return `select(${operand(instr.otherwise)}, ${operand(instr.then)}, ${operand(instr.condition)})`;
      case "cast":
      case "bitcast":
        return castText(instr, operand(instr.arg));
      case "load":
        return this.#frame.buffer(instr.buffer)
          .load(this.#literalOf(instr.index), operand(instr.index), instr.type.width);
      case "read":
        return this.#element(instr.array, instr.index);
      case "splat":
        return `${typeText(instr.type)}(${operand(instr.arg)})`;
      case "component":
        return `${operand(instr.arg)}.${"xyzw"[instr.index]}`;
      case "construct":
        return `${typeText(instr.type)}(${instr.args.map(operand).join(", ")})`;
    }
  }
}
