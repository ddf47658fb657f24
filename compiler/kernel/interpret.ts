/**
 * The definition of what a kernel does, in plain TypeScript.
 *
 * Groups run one after the other; within a group the blocks run in order, and a phase is a loop over lanes. Whatever
 * would be undefined on a device is an error here: an access outside an array, a read of an array element that nobody
 * has set, a value used where it is out of scope, a parameter outside its bounds, and two lanes or groups that touch
 * one element without a barrier between them (races.ts).
 *
 * A value is a list of 1 or 4 numbers, bool as 0 or 1; what an op does to a number is in scalar.ts. Buffers are typed
 * arrays in device form: bool as u32, f16 rounded where it is stored and widened where it is loaded.
 */

import { InternalError } from "../errors.ts";
import { foldStates } from "./combine.ts";
import type {
  ArrayDecl,
  Block,
  BufferDecl,
  Combine,
  Computed,
  Instr,
  Kernel,
  LoopVar,
  Statement,
} from "./ir.ts";
import { literal } from "./ir.ts";
import { RaceWatch } from "./races.ts";
import { binaryMeaning, bitcastMeaning, castMeaning, unaryMeaning } from "./scalar.ts";

/** A buffer on the host in device form: one element per f16, one word per bool. */
export type HostView = Float32Array | Float16Array | Int32Array | Uint32Array;

type Vector = readonly number[];

/** Hears what is executed, for whoever counts it. */
export interface Witness {
  /** An instruction, by one lane, or by a workgroup together. */
  computed?(instr: Computed): void;
  /** Elements at … at + width − 1 of a buffer. */
  touched?(buffer: string, at: number, width: number, writes: boolean): void;
}

/** Runs groups 0 … groups − 1 of a kernel on its buffers, which are in the order of `kernel.buffers`. */
export function interpret(
  kernel: Kernel,
  buffers: readonly HostView[],
  params: Readonly<Record<string, number>>,
  groups: number = kernel.groups,
  witness: Witness = {},
): void {
  if (groups > kernel.groups) fail(`${groups} groups of at most ${kernel.groups}`);
  if (buffers.length !== kernel.buffers.length) {
    fail(`${buffers.length} buffers for ${kernel.buffers.length}`);
  }
  for (const { name, lo, hi, multiple = 1 } of kernel.params) {
    const value = params[name];
    if (value === undefined) fail(`parameter ${name} is missing`);
    if (!(value >= lo && value <= hi)) fail(`parameter ${name} = ${value} is outside [${lo}, ${hi}]`);
    if (value % multiple !== 0) fail(`parameter ${name} = ${value} is no multiple of ${multiple}`);
  }
  const memory = new Map(
    kernel.buffers.map((decl, i) => [decl.name, new Memory(decl, buffers[i]!, witness)]),
  );
  const clock = { phase: 0 };
  for (let group = 0; group < groups; group++) new Group(kernel, memory, params, group, clock, witness).run();
}

function fail(message: string): never {
  throw new InternalError("interpret", message);
}

/** A buffer, with its bounds and the watch for races between groups and between lanes of one phase. */
class Memory {
  readonly #decl: BufferDecl;
  readonly #view: HostView;
  readonly #groups: RaceWatch | undefined;
  readonly #lanes: RaceWatch | undefined;
  readonly #witness: Witness;

  constructor(decl: BufferDecl, view: HostView, witness: Witness) {
    this.#decl = decl;
    this.#view = view;
    this.#witness = witness;
    if (decl.access === "read") return;
    this.#groups = new RaceWatch(decl.size);
    this.#lanes = new RaceWatch(decl.size);
  }

  #touch(at: number, width: number, { group, lane, phase }: Position, writes: boolean): void {
    const { name, size, access } = this.#decl;
    if (access === (writes ? "read" : "write")) {
      fail(`${writes ? "store to" : "load from"} ${name}, which is ${access}`);
    }
    if (at < 0 || at + width > Math.min(size, this.#view.length)) {
      fail(`${name}[${at}${width === 4 ? " … " + (at + 3) : ""}] is outside its ${size} elements`);
    }
    if (width === 4 && at % 4 !== 0) fail(`${name}[${at}] is no place for a vec4`);
    this.#witness.touched?.(name, at, width, writes);
    for (let i = at; i < at + width; i++) {
      if (this.#groups?.touch(i, 0, group, writes)) {
        fail(`group ${group} races with another on ${name}[${i}]`);
      }
      if (this.#lanes?.touch(i, phase, lane, writes)) {
        fail(`lane ${lane} races with another on ${name}[${i}]`);
      }
    }
  }

  load(at: number, width: number, position: Position): Vector {
    this.#touch(at, width, position, false);
    const view = this.#view;
    const elements = width === 1 ? [view[at]!] : [view[at]!, view[at + 1]!, view[at + 2]!, view[at + 3]!];
    return this.#decl.dtype === "bool" ? elements.map((x) => x !== 0 ? 1 : 0) : elements;
  }

  store(at: number, value: Vector, position: Position): void {
    this.#touch(at, value.length, position, true);
    this.#view.set(value, at);
  }
}

/** Who runs, and in which execution of a phase. */
interface Position {
  readonly group: number;
  readonly lane: number;
  readonly phase: number;
}

type Elements = (Vector | undefined)[];

/** One workgroup: its arrays, and the values in scope. */
class Group {
  readonly #kernel: Kernel;
  readonly #memory: ReadonlyMap<string, Memory>;
  readonly #params: Readonly<Record<string, number>>;
  readonly #group: number;
  readonly #clock: { phase: number };
  readonly #shared = new Map<ArrayDecl, { readonly elements: Elements; readonly watch: RaceWatch }>();
  readonly #private: Map<ArrayDecl, Elements>[];
  readonly #variables = new Map<LoopVar, number>();
  readonly #uniforms = new Map<Instr, Vector>();
  readonly #locals = new Map<Instr, Vector>();
  readonly #witness: Witness;
  #lane = 0;

  constructor(
    kernel: Kernel,
    memory: ReadonlyMap<string, Memory>,
    params: Readonly<Record<string, number>>,
    group: number,
    clock: { phase: number },
    witness: Witness,
  ) {
    this.#witness = witness;
    this.#kernel = kernel;
    this.#memory = memory;
    this.#params = params;
    this.#group = group;
    this.#clock = clock;
    for (const array of kernel.arrays) {
      if (array.space !== "shared") continue;
      this.#shared.set(array, { elements: new Array(array.length), watch: new RaceWatch(array.length) });
    }
    const own = kernel.arrays.filter((array) => array.space === "lane");
    this.#private = Array.from(
      { length: kernel.lanes },
      () => new Map(own.map((array): [ArrayDecl, Elements] => [array, new Array(array.length)])),
    );
  }

  run(): void {
    this.#blocks(this.#kernel.body);
  }

  #blocks(blocks: readonly Block[]): void {
    for (const block of blocks) this.#block(block);
  }

  #block(block: Block): void {
    switch (block.kind) {
      case "uniform":
        for (const { instr } of block.lets) this.#uniforms.set(instr, this.#evaluate(instr));
        return;
      case "phase":
        this.#clock.phase++;
        for (this.#lane = 0; this.#lane < this.#kernel.lanes; this.#lane++) {
          this.#locals.clear();
          this.#statements(block.body);
        }
        this.#locals.clear();
        return;
      case "loop":
        this.#repeat(block, () => this.#blocks(block.body));
        return;
      case "combine":
        return this.#combine(block);
    }
  }

  #repeat(loop: { variable: LoopVar; from: Instr; to: Instr; step: number }, body: () => void): void {
    const to = this.#scalar(loop.to);
    for (let v = this.#scalar(loop.from); v < to; v += loop.step) {
      this.#variables.set(loop.variable, v);
      body();
    }
    this.#variables.delete(loop.variable);
  }

  #statements(statements: readonly Statement[]): void {
    for (const statement of statements) {
      switch (statement.kind) {
        case "let":
          this.#locals.set(statement.instr, this.#evaluate(statement.instr));
          break;
        case "store":
          this.#buffer(statement.buffer)
            .store(this.#scalar(statement.index), this.#value(statement.value), this.#position());
          break;
        case "set": {
          const { array } = statement;
          const at = this.#scalar(statement.index);
          this.#elements(array, at, true)[at] = this.#value(statement.value);
          break;
        }
        case "for":
          this.#repeat(statement, () => this.#statements(statement.body));
          break;
        case "if":
          this.#statements(this.#scalar(statement.condition) !== 0 ? statement.then : statement.otherwise);
          break;
      }
    }
  }

  /** Every lane's state becomes the combination over its lanes. */
  #combine({ op, arrays, across }: Combine): void {
    if (across === 1) return;
    const make = (instr: Computed): Instr => {
      this.#locals.set(instr, this.#evaluate(instr));
      return instr;
    };
    for (let first = 0; first < this.#kernel.lanes; first += across) {
      for (let element = 0; element < arrays[0]!.length; element++) {
        const states = Array.from({ length: across }, (_, i) => {
          this.#lane = first + i;
          return arrays.map((array) =>
            make({ kind: "read", type: array.type, array, index: literal("i32", element) })
          );
        });
        const result = foldStates(op, make, states).map((component) => this.#value(component));
        for (this.#lane = first; this.#lane < first + across; this.#lane++) {
          arrays.forEach((array, c) => this.#elements(array, element, true)[element] = result[c]);
        }
        this.#locals.clear();
      }
    }
  }

  #position(): Position {
    return { group: this.#group, lane: this.#lane, phase: this.#clock.phase };
  }

  #buffer(name: string): Memory {
    return this.#memory.get(name) ?? fail(`there is no buffer ${name}`);
  }

  /** The elements that this lane sees of an array, after checking the access. */
  #elements(array: ArrayDecl, at: number, writes: boolean): Elements {
    const shared = this.#shared.get(array);
    const elements = shared?.elements ?? this.#private[this.#lane]!.get(array) ??
      fail(`there is no array ${array.name}`);
    if (at < 0 || at >= array.length) fail(`${array.name}[${at}] is outside its ${array.length} elements`);
    if (!writes && elements[at] === undefined) fail(`${array.name}[${at}] is read and was never set`);
    if (shared?.watch.touch(at, this.#clock.phase, this.#lane, writes)) {
      fail(`lane ${this.#lane} races with another on ${array.name}[${at}]`);
    }
    return elements;
  }

  #scalar(instr: Instr): number {
    return this.#value(instr)[0]!;
  }

  #value(instr: Instr): Vector {
    switch (instr.kind) {
      case "literal":
        return [instr.value];
      case "builtin":
        return [instr.name === "group" ? this.#group : this.#lane];
      case "param": {
        const value = this.#params[instr.name];
        return value === undefined ? fail(`parameter ${instr.name} is missing`) : [value];
      }
      case "loop":
        return [this.#variables.get(instr) ?? fail(`loop variable ${instr.name} is used outside its loop`)];
      default:
        return this.#locals.get(instr) ?? this.#uniforms.get(instr) ??
          fail(`a ${instr.kind} is used out of scope`);
    }
  }

  #evaluate(instr: Computed): Vector {
    this.#witness.computed?.(instr);
    switch (instr.kind) {
      case "unary": {
        const meaning = unaryMeaning[instr.op][instr.arg.type.scalar];
        return meaning
          ? this.#value(instr.arg).map(meaning)
          : fail(`${instr.op} of ${instr.arg.type.scalar}`);
      }
      case "binary": {
        const meaning = binaryMeaning[instr.op][instr.a.type.scalar];
        if (!meaning) return fail(`${instr.op} of ${instr.a.type.scalar}`);
        const b = this.#value(instr.b);
        return this.#value(instr.a).map((x, i) => meaning(x, b[i]!));
      }
      case "select": {
        const condition = this.#value(instr.condition);
        const otherwise = this.#value(instr.otherwise);
        return this.#value(instr.then).map((x, i) => condition[i] !== 0 ? x : otherwise[i]!);
      }
      case "cast":
        return this.#value(instr.arg).map((x) => castMeaning(instr.arg.type.scalar, instr.type.scalar, x));
      case "bitcast":
        return this.#value(instr.arg).map((x) => bitcastMeaning(instr.arg.type.scalar, instr.type.scalar, x));
      case "load":
        return this.#buffer(instr.buffer).load(this.#scalar(instr.index), instr.type.width, this.#position());
      case "read": {
        const at = this.#scalar(instr.index);
        return this.#elements(instr.array, at, false)[at]!;
      }
      case "splat": {
        const x = this.#scalar(instr.arg);
        return [x, x, x, x];
      }
      case "component":
        return [this.#value(instr.arg)[instr.index]!];
      case "construct":
        return instr.args.map((arg) => this.#scalar(arg));
    }
  }
}
