/**
 * Holds a kernel to the rules of ir.ts, and proves every access inside its array. The first rule broken is an
 * InternalError that shows the line of the kernel.
 *
 *     declarations   names are unique; lanes, groups, buffers and shared bytes (with the scratch of combines) fit the limits
 *     types          as check_types.ts says
 *     scopes         a value is used after its `Let`, inside the list that holds it; nothing leaves a phase
 *     uniformity     `Uniform` values and `Loop` bounds depend on nothing that differs between lanes
 *     access         a store goes to a buffer that may be written, a load to one that may be read; an array in registers is
 *                    indexed by literals; a vec4 lies at a multiple of 4
 *     bounds         every index lies inside its buffer or array, by ranges.ts, for all parameters, groups and lanes
 *     races          lanes (groups) don't all store alike: where there are several, what is stored to depends on the
 *                    lane (group) by the index or by a condition or loop around the store
 *
 * Of a raw kernel only the declarations are looked at.
 *
 * That two lanes never meet on one element cannot be decided in general; the interpreter watches for it at run time.
 * Barriers need no check: between phases they are always possible, and within a phase there are none.
 */

import { InternalError } from "../errors.ts";
import type { TargetLimits } from "../target.ts";
import { isIndex, typeErrorOf } from "./check_types.ts";
import { isPowerOfTwo } from "./interval.ts";
import { combineTypeError } from "./combine.ts";
import { checkDeclarations, sharedMemoryError } from "./check_declarations.ts";
import { domainOf } from "./interval.ts";
import {
  type ArrayDecl,
  type Block,
  type BufferDecl,
  type Computed,
  type For,
  type If,
  type Instr,
  isAtom,
  type Kernel,
  type Loop,
  operandsOf,
  type Statement,
} from "./ir.ts";
import { kernelLines, showType } from "./print.ts";
import { Ranges } from "./ranges.ts";
import { type AnyKernel, isRaw, type RawKernel, volume } from "./raw.ts";
import { valueType } from "./value.ts";

/**
 * Throws an InternalError that names the line and the rule where the kernel breaks one.
 *
 * @param label What the kernel computes, for the message.
 */
export function verifyKernel(
  kernel: AnyKernel,
  limits: TargetLimits,
  label?: string,
): void {
  const fail = (message: string): never => {
    throw new InternalError("verify", label === undefined ? message : `in "${label}", ${message}`);
  };
  if (isRaw(kernel)) {
    const problem = rawProblem(kernel, limits);
    if (problem) fail(`customKernel(${kernel.name}): ${problem}`);
    return;
  }
  const declarations = checkDeclarations(kernel, limits);
  if (declarations) fail(declarations);
  new Verifier(kernel, fail).run();
  const memory = sharedMemoryError(kernel, limits);
  if (memory) fail(memory);
}

/** A raw kernel's text is its user's and its compiler's affair; what it declares has to fit together all the same. */
function rawProblem(kernel: RawKernel, limits: TargetLimits): string | undefined {
  const { lanes, groups, buffers, forms, inputs, workgroupSize, workgroups } = kernel;
  if (volume(workgroupSize) !== lanes) return `workgroups of ${workgroupSize} are not ${lanes} lanes`;
  if (volume(workgroups) !== groups) return `a grid of ${workgroups} is not ${groups} groups`;
  if (forms.length !== buffers.length) {
    return `${forms.length} forms of elements for ${buffers.length} buffers`;
  }
  const unwritten = buffers.findIndex((b, i) => i < inputs ? b.access === "write" : b.access === "read");
  if (unwritten >= 0) return `the buffer ${buffers[unwritten]!.name} is bound ${buffers[unwritten]!.access}`;
  return checkDeclarations({ ...kernel, arrays: [] }, limits);
}

/** Who a value may differ between. */
interface Dependence {
  readonly lane: boolean;
  readonly group: boolean;
}
const alike: Dependence = { lane: false, group: false };
const either = (all: readonly Dependence[]): Dependence => ({
  lane: all.some(({ lane }) => lane),
  group: all.some(({ group }) => group),
});

class Verifier {
  readonly #kernel: Kernel;
  readonly #complain: (message: string) => never;
  readonly #ranges: Ranges;
  readonly #buffers: ReadonlyMap<string, BufferDecl>;
  readonly #params: ReadonlySet<string>;
  /** Values and loop variables in scope, and what they depend on. */
  readonly #live = new Map<Instr, Dependence>();
  /** What is live and was bound by a `Let`, in order. */
  readonly #bound: Instr[] = [];
  /** What the statements around this one depend on: conditions, and bounds of loops. */
  #around: Dependence = alike;
  #place: Statement | Block | undefined;

  constructor(kernel: Kernel, complain: (message: string) => never) {
    this.#kernel = kernel;
    this.#complain = complain;
    this.#ranges = new Ranges(kernel);
    this.#buffers = new Map(kernel.buffers.map((buffer) => [buffer.name, buffer]));
    this.#params = new Set(kernel.params.map(({ name }) => name));
  }

  run(): void {
    this.#blocks(this.#kernel.body);
  }

  #fail(message: string): never {
    const lines = kernelLines(this.#kernel);
    const at = lines.findIndex((line) => line.at !== undefined && line.at === this.#place);
    const context = lines.slice(Math.max(0, at - 3), at + 2).map(({ text }, i) => {
      const number = Math.max(0, at - 3) + i;
      return `${number === at ? ">" : " "} ${String(number + 1).padStart(4)} | ${text}`;
    });
    return this.#complain([message, ...at < 0 ? [] : context, ""].join("\n"));
  }

  /** What a list binds is in scope until its end. */
  #list<T extends Statement | Block>(list: readonly T[], each: (item: T) => void): void {
    const mark = this.#bound.length;
    for (const item of list) {
      this.#place = item;
      each(item);
    }
    for (const instr of this.#bound.splice(mark)) this.#live.delete(instr);
  }

  // ---- blocks ---------------------------------------------------------------------------------------------------

  #blocks(blocks: readonly Block[]): void {
    this.#list(blocks, (block) => {
      switch (block.kind) {
        case "uniform":
          for (const statement of block.lets) {
            this.#place = statement;
            this.#uniform(statement.instr);
            this.#bind(statement.instr);
          }
          return;
        case "phase":
          return this.#list(block.body, (statement) => this.#statement(statement));
        case "loop":
          for (const bound of [block.from, block.to]) {
            if (this.#use(bound).lane) this.#fail("the bounds of a loop of blocks differ between lanes");
          }
          return this.#loop(block, () => this.#blocks(block.body));
        case "combine":
          return this.#combine(block.op, block.arrays, block.across);
      }
    });
  }

  #uniform(instr: Computed): void {
    if (instr.kind === "read") this.#fail(`${instr.array.name} is read outside a phase`);
    if (instr.kind === "load" && this.#buffers.get(instr.buffer)?.access !== "read") {
      this.#fail(`a uniform value is loaded from ${instr.buffer}, which is not read-only`);
    }
    if (operandsOf(instr).some((operand) => this.#use(operand).lane)) {
      this.#fail("a uniform value differs between lanes");
    }
  }

  #combine(op: Parameters<typeof combineTypeError>[0], arrays: readonly ArrayDecl[], across: number): void {
    const { lanes } = this.#kernel;
    if (!isPowerOfTwo(across) || lanes % across !== 0) {
      this.#fail(`${across} lanes are combined: not a power of two that divides ${lanes}`);
    }
    for (const array of arrays) {
      this.#declared(array);
      if (array.space !== "lane") this.#fail(`${array.name} is combined, and is not a lane array`);
      if (array.length !== arrays[0]!.length) this.#fail("arrays of different lengths are combined");
    }
    const error = combineTypeError(op, arrays.map(({ type }) => type));
    if (error) this.#fail(error);
  }

  #loop(loop: Loop | For, body: () => void): void {
    const { variable, from, to, step } = loop;
    if (![variable, from, to].every(isIndex)) this.#fail("a loop counts in i32");
    if (!Number.isInteger(step) || step < 1) this.#fail(`a loop steps by ${step}`);
    const bounds = either([this.#use(from), this.#use(to)]);
    const { hi } = domainOf("i32");
    if (!this.#ranges.within(to, domainOf("i32").lo, hi - step)) {
      this.#fail(`the loop's variable may overflow: its end reaches ${this.#ranges.range(to).hi}`);
    }
    if (this.#live.has(variable)) this.#fail(`the variable ${variable.name} is bound twice`);
    const outer = this.#around;
    this.#live.set(variable, bounds);
    this.#around = either([outer, bounds]);
    this.#ranges.inLoop(loop, body);
    this.#around = outer;
    this.#live.delete(variable);
  }

  // ---- statements -----------------------------------------------------------------------------------------------

  #statement(statement: Statement): void {
    switch (statement.kind) {
      case "let":
        return this.#bind(statement.instr);
      case "for":
        return this.#loop(statement, () => this.#list(statement.body, (inner) => this.#statement(inner)));
      case "if":
        return this.#if(statement);
      case "set": {
        const { array, index, value } = statement;
        if (showType(value.type) !== showType(array.type)) {
          this.#fail(
            `a ${showType(value.type)} is set in ${array.name}, which holds ${showType(array.type)}`,
          );
        }
        const depends = this.#use(index);
        this.#use(value);
        this.#element(array, index);
        if (array.space === "shared") this.#distinct(array.name, { ...depends, group: true });
        return;
      }
      case "store": {
        const { index, value } = statement;
        const buffer = this.#buffer(statement.buffer);
        if (buffer.access === "read") this.#fail(`a store to ${buffer.name}, which is only read`);
        if (!isIndex(index)) this.#fail(`the index is ${showType(index.type)}, not i32`);
        if (value.type.scalar !== valueType(buffer.dtype)) {
          this.#fail(`a ${showType(value.type)} is stored to ${buffer.name}, which holds ${buffer.dtype}`);
        }
        const depends = this.#use(index);
        this.#use(value);
        this.#inside(buffer.name, buffer.size, index, value.type.width);
        this.#distinct(buffer.name, depends);
        return;
      }
    }
  }

  #if({ condition, then, otherwise }: If): void {
    if (showType(condition.type) !== "bool") {
      this.#fail(`the condition is ${showType(condition.type)}, not bool`);
    }
    const depends = this.#use(condition);
    const outer = this.#around;
    this.#around = either([outer, depends]);
    const branch = (statements: readonly Statement[], holds: boolean) =>
      this.#ranges.assuming(
        condition,
        holds,
        () => this.#list(statements, (inner) => this.#statement(inner)),
      );
    branch(then, true);
    branch(otherwise, false);
    this.#around = outer;
  }

  #bind(instr: Computed): void {
    if (this.#live.has(instr)) this.#fail("a value is bound twice");
    const operands = operandsOf(instr).map((operand) => this.#use(operand));
    const buffer = instr.kind === "load" ? this.#buffer(instr.buffer) : undefined;
    const error = typeErrorOf(instr, buffer);
    if (error) this.#fail(error);
    if (buffer && instr.kind === "load") {
      if (buffer.access === "write") this.#fail(`a load from ${buffer.name}, which is only written`);
      this.#inside(buffer.name, buffer.size, instr.index, instr.type.width);
    }
    if (instr.kind === "read") this.#element(instr.array, instr.index);
    // What was in memory may differ between all, except where all read one place that nobody writes.
    const isData = instr.kind === "read" || (buffer !== undefined && buffer.access !== "read");
    this.#bound.push(instr);
    this.#live.set(instr, isData ? { lane: true, group: true } : either(operands));
  }

  // ---- rules ----------------------------------------------------------------------------------------------------

  /** What an operand depends on, once it is known to be in scope. */
  #use(operand: Instr): Dependence {
    switch (operand.kind) {
      case "literal":
        return alike;
      case "builtin":
        return { lane: operand.name === "lane", group: operand.name === "group" };
      case "param":
        return this.#params.has(operand.name) ? alike : this.#fail(`there is no parameter ${operand.name}`);
      default: {
        const depends = this.#live.get(operand);
        if (depends) return depends;
        return this.#fail(
          isAtom(operand)
            ? `the variable ${operand.name} is used outside its loop`
            : `a ${operand.kind} is used outside the list that binds it`,
        );
      }
    }
  }

  #buffer(name: string): BufferDecl {
    return this.#buffers.get(name) ?? this.#fail(`there is no buffer ${name}`);
  }

  #declared(array: ArrayDecl): void {
    if (!this.#kernel.arrays.includes(array)) this.#fail(`there is no array ${array.name}`);
  }

  #element(array: ArrayDecl, index: Instr): void {
    this.#declared(array);
    if (!isIndex(index)) this.#fail(`the index is ${showType(index.type)}, not i32`);
    if (array.space === "lane" && !array.dynamic && index.kind !== "literal") {
      this.#fail(`${array.name} is held in registers, and its index is not a literal`);
    }
    this.#inside(array.name, array.length, index, 1);
  }

  #inside(name: string, size: number, index: Instr, width: 1 | 4): void {
    const isInside = this.#ranges.within(index, 0, size - width);
    const isAligned = width === 1 || this.#ranges.multiple(index) % 4 === 0;
    if ((isInside && isAligned) || this.#ranges.isUnreachable()) return;
    if (!isAligned) this.#fail(`the index of a vec4 of ${name} is not known to be a multiple of 4`);
    const { lo, hi } = this.#ranges.range(index);
    const reach = width === 4 ? `[${lo}, ${hi} + 3]` : `[${lo}, ${hi}]`;
    this.#fail(`the index lies in ${reach} and ${name} has ${size} elements`);
  }

  #distinct(name: string, { lane, group }: Dependence): void {
    const { lanes, groups } = this.#kernel;
    if (lanes > 1 && !lane && !this.#around.lane) {
      this.#fail(`all lanes store to the same element of ${name}`);
    }
    if (groups > 1 && !group && !this.#around.group) {
      this.#fail(`all groups store to the same element of ${name}`);
    }
  }
}
