/**
 * From values to instructions: evaluates a value where a schedule's cursor stands.
 *
 * A schedule decides which loops exist and binds variables to loop counters; this file turns what is left into
 * straight-line code, once per distinct value in scope. At width 4 a value is evaluated for four neighbors along one
 * variable: loads are vec4s as far as they can be (lower_load.ts), and splats where they miss the variable. A reduction that the schedule has not placed becomes a loop right here, so that any value can be
 * evaluated anywhere; schedules exist to do better than that.
 */

import { InternalError } from "../errors.ts";
import type { IrBuilder } from "./build.ts";
import type { Instr } from "./ir.ts";
import { wide } from "./ir.ts";
import { Accumulator, identityOf, stepOf } from "./reducers.ts";
import { loadOf } from "./lower_load.ts";
import { isContiguous } from "./stride.ts";
import { childrenOf, type Prefix, type Reduce, type Value, type Var } from "./value.ts";
import { type Values } from "./values.ts";

/** What a schedule promises of its vectors, so that loads may rely on it. */
export interface VectorRules {
  /** All four neighbors are within the extent of their variable: a buffer may end in the middle of a vec4. */
  readonly inExtent?: boolean;
  /** Indices that lie inside their buffers, although their ranges don't say so. */
  readonly inside?: ReadonlySet<Value>;
  /**
   * Where neighbors lie 2 to so many elements apart, all vec4s from the first to the last of them are loaded: for a
   * schedule that needs what lies between them as well, at the same place. Their variable stands at a multiple of 4.
   */
  readonly stride?: number;
}

export class Evaluator {
  readonly #bound = new Map<Value, Instr>();
  readonly #expected = new Set<Value>();
  /** Part of every key: a variable bound anew must not meet what was computed for its old counter. */
  readonly #epochs = new Map<Value, number>();
  #epoch = 0;

  constructor(readonly k: Values, readonly b: IrBuilder, readonly vectors: VectorRules = {}) {}

  /** Says what a variable or a placed reduction is from here on. */
  bind(value: Value, instr: Instr): void {
    this.#bound.set(value, instr);
    this.#epochs.set(value, ++this.#epoch);
  }

  /**
   * Says, before anything is evaluated, that a value of any kind will be bound now and then, each time to something else:
   * what is above it is then not remembered from one binding to the next.
   */
  expect(value: Value): void {
    this.#expected.add(value);
  }

  unbind(value: Value): void {
    this.#bound.delete(value);
    this.#epochs.delete(value);
  }

  bindingOf(value: Value): Instr | undefined {
    return this.#bound.get(value);
  }

  /** Runs `f` with bindings that end with it. */
  with<T>(bindings: readonly (readonly [Value, Instr])[], f: () => T): T {
    const before = bindings.map(([v]) => [v, this.#bound.get(v), this.#epochs.get(v)] as const);
    for (const [v, instr] of bindings) this.bind(v, instr);
    try {
      return f();
    } finally {
      for (const [v, instr, epoch] of before) {
        if (instr === undefined) this.unbind(v);
        else {
          this.#bound.set(v, instr);
          this.#epochs.set(v, epoch!);
        }
      }
    }
  }

  /** What the bindings below a value are, as text: variables by free sets, placed reductions and the like by a walk. */
  readonly #holes = new Map<Value, readonly Value[]>();
  #holesIn(value: Value): readonly Value[] {
    let known = this.#holes.get(value);
    if (!known) {
      const found = new Set<Value>();
      if (value.kind === "reduce" || value.kind === "prefix" || this.#expected.has(value)) found.add(value);
      for (const child of childrenOf(value)) for (const hole of this.#holesIn(child)) found.add(hole);
      this.#holes.set(value, known = found.size === 0 ? [] : [...found]);
    }
    return known;
  }

  #key(value: Value, width: number, along: Var | undefined): string {
    let key = `v${value.id}.${width}.${along?.id ?? ""}`;
    for (const v of value.free) key += `,${this.#epochs.get(v) ?? 0}`;
    for (const h of this.#holesIn(value)) {
      const epoch = this.#epochs.get(h);
      if (epoch !== undefined) key += `;${h.id}:${epoch}`;
    }
    return key;
  }

  readonly #variable = new Map<Var, Map<Value, boolean>>();

  /**
   * Does the value change between four neighbors along the variable? An aligned run of four has one quotient by a
   * multiple of 4 (a random op draws one block for them).
   */
  varies(value: Value, along: Var): boolean {
    for (const hole of this.#holesIn(value)) if (this.#bound.get(hole)?.type.width === 4) return true;
    let memo = this.#variable.get(along);
    if (!memo) this.#variable.set(along, memo = new Map());
    const known = memo;
    const changes = (v: Value): boolean => {
      if (v === along) return true;
      if (!v.free.has(along)) return false;
      let answer = known.get(v);
      if (answer === undefined) {
        const steady = v.kind === "div" && v.divisor % 4 === 0 && isContiguous(v.arg, along);
        answer = !steady && childrenOf(v).some(changes);
        known.set(v, answer);
      }
      return answer;
    };
    return changes(value);
  }

  /** The value at the bound indices; at width 4 the variable `along` stands for its binding + 0, 1, 2, 3. */
  eval(value: Value, width: 1 | 4 = 1, along?: Var): Instr {
    const direct = this.#bound.get(value);
    if (direct && value !== along) return this.b.widen(direct, width);
    if (value.kind === "const") return this.b.widen(this.b.literal(value.type, value.value), width);
    if (width === 4 && !this.varies(value, along!)) return this.b.widen(this.eval(value), 4);
    const key = this.#key(value, width, width === 4 ? along : undefined);
    const known = this.b.recall(key);
    if (known) return known;
    const maker = this.k.makers?.get(value);
    const made = maker === undefined
      ? this.#make(value, width, along)
      : this.b.serving(maker, () => this.#make(value, width, along));
    this.b.remember(key, made);
    return made;
  }

  #make(value: Value, width: 1 | 4, along: Var | undefined): Instr {
    const { b } = this;
    const go = (v: Value) => this.eval(v, width, along);
    switch (value.kind) {
      case "const":
        return b.literal(value.type, value.value);
      case "param":
        return b.widen(b.param(value.name, value.type, value.value, value.lo, value.hi), width);
      case "var": {
        if (value === along && width === 4) {
          const base = this.#bound.get(value);
          if (!base) throw new InternalError("lower", `variable of extent ${value.extent} is not bound`);
          const steps = b.construct([b.int(0), b.int(1), b.int(2), b.int(3)]);
          return b.binary("add", b.widen(base, 4), steps);
        }
        throw new InternalError("lower", `variable ${value.extent}_${value.slot} is not bound`);
      }
      case "linear": {
        // Σ first, constant last: neighbors in a tile share the sum.
        let sum: Instr | undefined;
        for (const { atom, coefficient } of value.terms) {
          const x = go(atom);
          const term = coefficient === 1 ? x : b.binary("mul", x, b.widen(b.int(coefficient), x.type.width));
          sum = sum ? b.binary("add", sum, term) : term;
        }
        return value.constant === 0
          ? sum!
          : b.binary("add", sum!, b.widen(b.int(value.constant), sum!.type.width));
      }
      case "div":
      case "mod":
        return this.#divMod(value.kind, value.arg, value.divisor, width, along);
      case "unary":
        return b.unary(value.op, go(value.arg));
      case "binary":
        return b.binary(value.op, go(value.a), go(value.b));
      case "select":
        return b.select(go(value.condition), go(value.then), go(value.otherwise));
      case "cast":
        return b.cast(value.type, go(value.arg));
      case "bitcast":
        return b.bitcast(value.type, go(value.arg));
      case "guard":
        return b.select(go(value.condition), go(value.value), go(value.otherwise));
      case "load":
        return loadOf(this, value, width, along);
      case "reduce":
        return this.#serial(value, width, along);
      case "prefix":
        return this.#prefix(value, width, along);
    }
  }

  /** Floors, where the target truncates: a negative numerator is lifted by a multiple of the divisor first. */
  #divMod(kind: "div" | "mod", arg: Value, divisor: number, width: 1 | 4, along: Var | undefined): Instr {
    const { b } = this;
    if (!(arg.lo > -(2 ** 30))) {
      throw new InternalError("lower", "division of an index without a lower bound");
    }
    const lift = arg.lo < 0 ? Math.ceil(-arg.lo / divisor) : 0;
    const x = this.eval(lift === 0 ? arg : this.k.iadd(arg, lift * divisor), width, along);
    const d = b.widen(b.int(divisor), x.type.width);
    if (kind === "mod") return b.binary("rem", x, d);
    const q = b.binary("div", x, d);
    return lift === 0 ? q : b.binary("sub", q, b.widen(b.int(lift), q.type.width));
  }

  // ---- reductions that no schedule has placed ------------------------------------------------------------------

  #serial(value: Reduce, width: 1 | 4, along: Var | undefined): Instr {
    const { b } = this;
    this.hoist(value.body, value.vars, width, along);
    const acc = new Accumulator(b, value, width);
    acc.reset();
    const nest = (i: number, position: Instr): void => {
      const v = value.vars[i];
      if (!v) {
        acc.step(this.eval(value.body, width, along), position);
        return;
      }
      b.for(b.int(0), b.int(v.extent), 1, (counter) => {
        this.with(
          [[v, counter]],
          () => nest(i + 1, acc.indexed ? b.add(b.mul(position, v.extent), counter) : position),
        );
      });
    };
    nest(0, b.int(0));
    return acc.result();
  }

  #prefix(value: Prefix, width: 1 | 4, along: Var | undefined): Instr {
    const { b } = this;
    if (width === 4 && value.upTo.free.has(along!)) return this.#byComponent(value, along!);
    const acc = b.array("lane", wide(value.type, width), 1);
    b.set(acc, 0, b.widen(b.literal(value.type, identityOf(value.op, value.type)), width));
    for (const v of value.restart ? [value.body, value.restart] : [value.body]) {
      this.hoist(v, [value.variable], width, along);
    }
    const end = this.eval(value.upTo);
    b.for(b.int(0), value.exclusive ? end : b.add(end, 1), 1, (counter) => {
      this.with([[value.variable, counter]], () => {
        const x = b.widen(this.eval(value.body, width, along), width);
        const next = stepOf(b, value.op, b.read(acc, 0), x);
        b.set(acc, 0, value.restart ? b.select(this.eval(value.restart, width, along), x, next) : next);
      });
    });
    return b.read(acc, 0);
  }

  /** Four scalar evaluations at the binding of `along` + 0 … 3. */
  #byComponent(value: Value, along: Var): Instr {
    const { b } = this;
    const base = this.#bound.get(along)!;
    const part = (i: number) => this.with([[along, b.add(base, i)]], () => this.eval(value));
    return b.construct([part(0), part(1), part(2), part(3)]);
  }

  /**
   * Evaluates, before a loop over `vars`, the largest sub-values that do not depend on them: what interning shares
   * within an iteration, this shares between iterations.
   */
  hoist(value: Value, vars: readonly Value[], width: 1 | 4 = 1, along?: Var): void {
    const seen = new Set<Value>();
    const go = (v: Value): void => {
      if (seen.has(v) || v.kind === "const" || v.kind === "var") return;
      seen.add(v);
      if (this.#bound.has(v)) return;
      const independent = !vars.some((x) => v.free.has(x as Var)) &&
        [...v.free].every((x) => this.#bound.has(x));
      if (!independent) {
        if (v.kind === "reduce" || v.kind === "prefix") return; // its own loop hoists for itself
        for (const child of childrenOf(v)) go(child);
        return;
      }
      if (width === 4 && along && this.varies(v, along)) this.eval(v, 4, along);
      else this.eval(v);
    };
    go(value);
  }
}
