/**
 * One side of a contraction at the places of a lane and the steps of one turn of k.
 *
 * A side is evaluated four elements at a time along whichever axis its loads are contiguous in: its own, or k. Since
 * the tile is unrolled, which component is wanted is known when the kernel is made, so a side that is contiguous in k
 * and wanted along its columns is transposed in registers.
 */

import type { Instr } from "../../kernel/ir.ts";
import type { Evaluator } from "../../kernel/lower.ts";
import type { Value, Var } from "../../kernel/value.ts";
import type { Bindings, FreshVars, Places } from "./places.ts";
import { contiguousLoads } from "./extent.ts";

/** The axis along which a side is evaluated by fours. */
export type Along = "own" | "k" | "none";

/** The axis in which most of a side's loads are contiguous. */
export function alongOf(side: readonly Value[], own: Var | undefined, k: Var, depth: number): Along {
  const alongK = depth % 4 === 0 ? contiguousLoads(side, k) : 0;
  const alongOwn = own && own.extent % 4 === 0 ? contiguousLoads(side, own) : 0;
  return alongK === 0 && alongOwn === 0 ? "none" : alongK > alongOwn ? "k" : "own";
}

/** The steps of one turn along the innermost summed variable: base + 0 … count − 1. */
export class Steps {
  readonly #component: Value;

  /**
   * @param base A multiple of 4 wherever steps are read by fours.
   */
  constructor(
    readonly ev: Evaluator,
    fresh: FreshVars,
    readonly variable: Var,
    readonly base: Value,
    readonly count: number,
  ) {
    this.#component = fresh.of(4);
    ev.bind(this.#component, ev.b.int(0));
  }

  get component(): Var {
    return this.#component as Var;
  }

  at(step: number): Bindings {
    return [[this.variable, this.ev.k.iadd(this.base, step)]];
  }

  /** Does four steps' worth of a side lie together, whatever the variable is decoded to? */
  areContiguous(side: Value): boolean {
    if (this.count % 4 !== 0 || this.count === 0) return false;
    return contiguousLoads([this.ev.k.substitute(side, new Map(this.four(0)))], this.component) > 0;
  }

  /** The four steps around one, along `component`. */
  four(step: number): Bindings {
    const { k } = this.ev;
    return [[this.variable, k.iadd(k.iadd(this.base, step - step % 4), this.#component)]];
  }
}

export class Operand {
  constructor(
    readonly ev: Evaluator,
    readonly side: Value,
    readonly places: Places,
    readonly steps: Steps,
    readonly along: Along,
  ) {}

  #at(bindings: readonly (readonly [Value, Value])[]): Value {
    return this.ev.k.substitute(this.side, new Map(bindings));
  }

  /** What is evaluated for an element of the side: the value, and along what. */
  #source(
    place: number,
    component: number,
    step: number,
  ): { value: Value; along: Var | undefined; part: number } {
    const { places, steps, along } = this;
    const at = this.ev.k.int(component);
    if (along === "k") {
      const value = this.#at([...places.at(place, at), ...steps.four(step)]);
      return { value, along: steps.component, part: step % 4 };
    }
    if (along === "own" && places.component.kind === "var") {
      const value = this.#at([...places.at(place, places.component), ...steps.at(step)]);
      return { value, along: places.component, part: component };
    }
    return { value: this.#at([...places.at(place, at), ...steps.at(step)]), along: undefined, part: 0 };
  }

  /** The value of four steps, at the first place, for a side that is read along k. */
  four(step: number): Value {
    return this.#source(0, 0, step).value;
  }

  /** The side at one place, component and step. */
  scalar(place: number, component: number, step: number): Instr {
    const { value, along, part } = this.#source(place, component, step);
    if (!along) return this.ev.eval(value);
    return this.ev.b.component(this.ev.eval(value, 4, along), part as 0 | 1 | 2 | 3);
  }

  /** The side at all components of a place, and one step. */
  vector(place: number, step: number): Instr {
    const { ev, places, steps } = this;
    if (places.width === 1) return this.scalar(place, 0, step);
    if (this.along === "k") {
      const part = (component: number) => this.scalar(place, component, step);
      return ev.b.construct([part(0), part(1), part(2), part(3)]);
    }
    const value = this.#at([...places.at(place, places.component), ...steps.at(step)]);
    return ev.eval(value, 4, places.component as Var);
  }

  /** Evaluates, ahead of a loop, what does not depend on the loop's variable. */
  hoist(vars: readonly Value[]): void {
    const { ev, places, steps } = this;
    for (let place = 0; place < places.count; place++) {
      for (let component = 0; component < places.width; component++) {
        for (let step = 0; step < steps.count; step++) {
          const { value, along } = this.#source(place, component, step);
          ev.hoist(value, vars, along ? 4 : 1, along);
        }
      }
    }
  }
}

/** Sides over the same places, each evaluated along the axis in which it is contiguous. */
export const operandsOf = (
  ev: Evaluator,
  sides: readonly Value[],
  places: Places,
  own: Var | undefined,
  steps: Steps,
): readonly Operand[] =>
  sides.map((side) => {
    const best = alongOf([side], own, steps.variable, steps.count);
    return new Operand(ev, side, places, steps, best === "k" ? "k" : places.width === 4 ? "own" : "none");
  });
