/**
 * Ranges of integers read off how they are computed, operand by operand, wherever they stand.
 *
 * This forgets how operands are related and what conditions say, which ranges.ts is about, but it keeps what a single
 * operation says: a remainder of 5 is at most 4, however its operand came about. Sums of digits of one number are told
 * apart by that at once, where relations between quotients would need a long proof. It costs one visit per value.
 */

import { type Component, isInteger } from "./inequalities.ts";
import { domainOf, type Interval, intervalOf } from "./interval.ts";
import type { BinaryInstr, Instr, Kernel, LoopVar } from "./ir.ts";

export interface LoopEnds {
  readonly from: Instr;
  readonly to: Instr;
}

export class StructureRanges {
  readonly #kernel: Kernel;
  readonly #loops: ReadonlyMap<LoopVar, LoopEnds>;
  readonly #known = new Map<Instr, Interval[]>();

  /** @param loops The loops around what will be asked for. */
  constructor(kernel: Kernel, loops: ReadonlyMap<LoopVar, LoopEnds>) {
    this.#kernel = kernel;
    this.#loops = loops;
  }

  /** Where the value of one component lies; all of its type where nothing is known. */
  of(instr: Instr, component: Component): Interval {
    let known = this.#known.get(instr);
    if (!known) this.#known.set(instr, known = []);
    return known[component] ??= this.#inside(instr, this.#make(instr, component));
  }

  /** A result that may leave its type wraps, and can be anything then. */
  #inside(instr: Instr, found: Interval | undefined): Interval {
    const domain = domainOf(instr.type.scalar);
    return found && found.lo >= domain.lo && found.hi <= domain.hi ? found : domain;
  }

  #make(instr: Instr, component: Component): Interval | undefined {
    if (!isInteger(instr)) return undefined;
    switch (instr.kind) {
      case "literal":
        return { lo: instr.value, hi: instr.value };
      case "builtin":
        return { lo: 0, hi: (instr.name === "group" ? this.#kernel.groups : this.#kernel.lanes) - 1 };
      case "param":
        return this.#kernel.params.find(({ name }) => name === instr.name);
      case "loop": {
        const ends = this.#loops.get(instr);
        if (!ends) return undefined;
        const [from, to] = [this.of(ends.from, 0), this.of(ends.to, 0)];
        // A loop without turns binds nothing.
        return { lo: from.lo, hi: Math.max(from.lo, to.hi - 1) };
      }
      case "splat":
        return this.of(instr.arg, 0);
      case "component":
        return this.of(instr.arg, instr.index);
      case "construct":
        return this.of(instr.args[component], 0);
      case "unary": {
        const { lo, hi } = this.of(instr.arg, component);
        return instr.op === "neg" ? { lo: 0 - hi, hi: 0 - lo } : undefined;
      }
      case "select": {
        const [a, b] = [this.of(instr.then, component), this.of(instr.otherwise, component)];
        return { lo: Math.min(a.lo, b.lo), hi: Math.max(a.hi, b.hi) };
      }
      case "binary":
        return this.#binary(instr, component);
      default:
        return undefined;
    }
  }

  #binary(instr: BinaryInstr, component: Component): Interval | undefined {
    // A comparison has operands of another type.
    if (!isInteger(instr.a) || !isInteger(instr.b)) return undefined;
    const [a, b] = [this.of(instr.a, component), this.of(instr.b, component)];
    switch (instr.op) {
      case "add":
        return { lo: a.lo + b.lo, hi: a.hi + b.hi };
      case "sub":
        return { lo: a.lo - b.hi, hi: a.hi - b.lo };
      case "min":
      case "max": {
        const pick = Math[instr.op];
        return { lo: pick(a.lo, b.lo), hi: pick(a.hi, b.hi) };
      }
      case "div":
        if (b.lo !== b.hi || b.lo <= 0) break;
        return { lo: Math.trunc(a.lo / b.lo), hi: Math.trunc(a.hi / b.lo) };
      default:
        break;
    }
    return intervalOf(instr.op, { ...a, multiple: 1 }, { ...b, multiple: 1 });
  }
}
