/**
 * Which loads the lanes of a workgroup can share.
 *
 * Lanes that all load the same element each pay for it on a device that gathers lane by lane. Where such loads stand
 * together at places a step apart (a row of a matrix, chunk by chunk), one load per lane brings them all in, every lane
 * another, and a broadcast hands each of them to everyone:
 *
 *     v0 = b[i]; v1 = b[i + 4]; v2 = b[i + 8]; …      w = b[i + 4 · lane]; v0 = broadcast(w, 0); v1 = broadcast(w, 1); …
 *
 * Shared are loads of one statement list that all lanes reach together, at an index that is the same for all of them,
 * from a buffer that the kernel does not store into, whatever it is bound as: ranges that are bound at once don't overlap
 * (memory/verify.ts). Each lane loads one of the elements that were to be loaded anyway, so
 * what is proven of their indices holds.
 */

import { add, type Affine, constant, keyOf, plus, scale, subtract, variable } from "../kernel/affine.ts";
import {
  type Block,
  type Instr,
  isAtom,
  type Kernel,
  type LoadInstr,
  operandsOf,
  type Statement,
} from "../kernel/ir.ts";
import { statementsOfKernel } from "../kernel/walk.ts";

/** Loads at an index and each a step further, all at `most` at most where that is stated. */
export interface LoadGroup {
  readonly first: LoadInstr;
  /** The first one's index, before it is held to `most`. */
  readonly index: Instr;
  readonly most: number | undefined;
  readonly step: number;
  readonly count: number;
}

/** A load and its place in its group. */
export interface SharedLoad {
  readonly group: LoadGroup;
  readonly position: number;
}

/** The loads of a kernel that come in groups, of two at least and of as many as there are lanes at most. */
export function sharedLoads(kernel: Kernel): ReadonlyMap<Instr, SharedLoad> {
  const search = new Search(kernel);
  search.blocks(kernel.body);
  return search.found;
}

interface Candidate {
  readonly load: LoadInstr;
  readonly place: number;
  readonly index: Instr;
  readonly most: number | undefined;
}

/** An index that is held to a number at most (`kernel/lower_load.ts`), and that number. */
function heldTo(index: Instr): readonly [Instr, number | undefined] {
  if (index.kind === "binary" && index.op === "min" && index.b.kind === "literal") {
    return [index.a, index.b.value];
  }
  return [index, undefined];
}

class Search {
  readonly found = new Map<Instr, SharedLoad>();
  readonly #lanes: number;
  readonly #readable: ReadonlySet<string>;
  /** Is a value the same for all lanes? */
  readonly #alike = new Map<Instr, boolean>();
  readonly #names = new Map<Instr, string>();

  constructor(kernel: Kernel) {
    this.#lanes = kernel.lanes;
    const written = new Set<string>();
    for (const statement of statementsOfKernel(kernel)) {
      if (statement.kind === "store") written.add(statement.buffer);
    }
    const words = kernel.buffers.filter(({ dtype }) => dtype === "f32" || dtype === "i32" || dtype === "u32");
    this.#readable = new Set(words.map(({ name }) => name).filter((name) => !written.has(name)));
  }

  blocks(blocks: readonly Block[]): void {
    for (const block of blocks) {
      if (block.kind === "phase") this.#statements(block.body);
      if (block.kind === "loop") {
        this.#alike.set(block.variable, true);
        this.blocks(block.body);
      }
    }
  }

  /** A list that all lanes walk through together. */
  #statements(statements: readonly Statement[]): void {
    const candidates = new Map<string, Candidate[]>();
    for (const statement of statements) {
      if (statement.kind === "let") this.#consider(statement.instr, candidates);
      if (statement.kind === "for") {
        const together = this.#isAlike(statement.from) && this.#isAlike(statement.to);
        this.#alike.set(statement.variable, together);
        if (together) this.#statements(statement.body);
      }
      if (statement.kind === "if" && this.#isAlike(statement.condition)) {
        this.#statements(statement.then);
        this.#statements(statement.otherwise);
      }
    }
    for (const loads of candidates.values()) this.#group(loads);
  }

  #consider(instr: Instr, candidates: Map<string, Candidate[]>): void {
    if (instr.kind !== "load" || !this.#readable.has(instr.buffer) || !this.#isAlike(instr.index)) return;
    const [index, most] = heldTo(instr.index);
    const form = this.#formOf(index);
    const key = `${instr.buffer} ${instr.type.width} ${most} ${keyOf(plus(form, -form.constant))}`;
    const known = candidates.get(key);
    const candidate = { load: instr, place: form.constant, index, most };
    if (known) known.push(candidate);
    else candidates.set(key, [candidate]);
  }

  /** Runs of equal steps, as they stand. */
  #group(loads: readonly Candidate[]): void {
    for (let begin = 0; begin < loads.length - 1;) {
      const first = loads[begin]!;
      const step = loads[begin + 1]!.place - first.place;
      let count = 2;
      while (
        count < this.#lanes && loads[begin + count]?.place === first.place + count * step
      ) count++;
      count = Math.min(count, this.#lanes);
      const { load, index, most } = first;
      const group: LoadGroup = { first: load, index, most, step, count };
      for (let position = 0; position < count; position++) {
        this.found.set(loads[begin + position]!.load, { group, position });
      }
      begin += count;
    }
  }

  #isAlike(instr: Instr): boolean {
    const known = this.#alike.get(instr);
    if (known !== undefined) return known;
    const alike = this.#judge(instr);
    this.#alike.set(instr, alike);
    return alike;
  }

  #judge(instr: Instr): boolean {
    if (instr.kind === "builtin") return instr.name !== "lane";
    // Arrays of lanes differ, and those of the workgroup change.
    if (instr.kind === "read" || instr.kind === "loop") return false;
    if (instr.kind === "load" && !this.#readable.has(instr.buffer)) return false;
    return operandsOf(instr).every((operand) => this.#isAlike(operand));
  }

  #formOf(index: Instr): Affine {
    if (index.kind === "literal") return constant(index.value);
    if (!isAtom(index) && index.kind === "binary") {
      const { op, a, b } = index;
      if (op === "add") return add(this.#formOf(a), this.#formOf(b));
      if (op === "sub") return subtract(this.#formOf(a), this.#formOf(b));
      if (op === "mul" && b.kind === "literal") return scale(this.#formOf(a), b.value);
      if (op === "mul" && a.kind === "literal") return scale(this.#formOf(b), a.value);
    }
    let name = this.#names.get(index);
    if (name === undefined) this.#names.set(index, name = `x${this.#names.size}`);
    return variable(name);
  }
}
