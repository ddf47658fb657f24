/**
 * From values to instructions: evaluates a value where a schedule's cursor stands.
 *
 * A schedule decides which loops exist and binds variables to loop counters; this file turns what is left into
 * straight-line code, once per distinct value in scope. At width 4 a value is evaluated for four neighbors along one
 * variable: loads with stride 1 become vec4 loads, loads that miss the variable are splats, everything else is four
 * scalar loads. A reduction that the schedule has not placed becomes a loop right here, so that any value can be
 * evaluated anywhere; schedules exist to do better than that.
 *
 * Loads whose range reaches outside their buffer are clamped: either a guard makes their value irrelevant there, or the
 * index came from data. So every access is inside its buffer by construction, and the verifier can prove it.
 */

import { InternalError } from "../errors.ts";
import type { IrBuilder } from "./build.ts";
import type { Instr } from "./ir.ts";
import { wide } from "./ir.ts";
import { Accumulator, identityOf, stepOf } from "./reducers.ts";
import { strideOf } from "./stride.ts";
import { childrenOf, type Load, type Prefix, type Reduce, type Value, type Var } from "./value.ts";
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
        return this.#load(value, width, along);
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

  #load(value: Load, width: 1 | 4, along: Var | undefined): Instr {
    const { b, k } = this;
    const { buffer } = value;
    const index = k.iclamp(value.index, 0, buffer.size - 1);
    if (width === 1) return b.load(buffer, this.eval(index), 1);
    const ragged = buffer.size % 4;
    // At width 1 the variable stands for the first of the four.
    if (isContiguous(value.index, along!) && (ragged === 0 || this.#isWhole(value))) {
      const inside = index === value.index && ragged === 0;
      return b.load(
        buffer,
        this.eval(inside ? value.index : k.iclamp(value.index, 0, buffer.size - ragged - 4)),
        4,
      );
    }
    const between = (index === value.index ? this.#spread(value, along!) : undefined) ??
      this.#shifted(value, along!);
    if (between) return between;
    const at = this.eval(index, 4, along);
    const parts = ([0, 1, 2, 3] as const).map((i) => b.load(buffer, b.component(at, i), 1));
    return b.construct([parts[0]!, parts[1]!, parts[2]!, parts[3]!]);
  }

  /** Do all four neighbors lie in a buffer that ends in the middle of a vec4? */
  #isWhole({ buffer, index }: Load): boolean {
    const { inExtent = false, inside } = this.vectors;
    return inExtent && buffer.size >= 4 &&
      ((index.lo >= 0 && index.hi < buffer.size) || (inside?.has(index) ?? false));
  }

  /** Neighbors a few elements apart, picked from the vec4s that they lie in: four of them fill `stride` vec4s. */
  #spread({ buffer, index }: Load, along: Var): Instr | undefined {
    const { b, k, vectors: { stride: most = 0 } } = this;
    const place = placeInBlock(index, along, (v) => this.#literal(v));
    if (!place || place.stride > most) return undefined;
    const rows = k.affine([[along, place.stride], ...place.blocks]);
    // Where each row's `stride` elements lie in the buffer, so do the vec4s of four rows.
    if (rows.hi + place.stride > buffer.size) return undefined;
    const first = this.eval(rows);
    const part = (c: number) => {
      const element = place.offset + c * place.stride;
      const vector = b.load(buffer, b.add(first, element - element % 4), 4);
      return b.component(vector, (element % 4) as 0 | 1 | 2 | 3);
    };
    return b.construct([part(0), part(1), part(2), part(3)]);
  }

  /**
   * Neighbors that lie in a row: across two vec4s, or anywhere. Windows that overlap (a stencil) then share what they load:
   * vec4s, of which a few elements are missing that are loaded one by one.
   */
  #shifted({ buffer, index }: Load, along: Var): Instr | undefined {
    const { b, k } = this;
    if (strideOf(index, along) !== 1 || buffer.size < 4) return undefined;
    const element = (i: number) =>
      b.load(buffer, this.eval(k.iclamp(k.iadd(index, i), 0, buffer.size - 1)), 1);
    const offset = index.kind === "linear" ? ((index.constant % 4) + 4) % 4 : 0;
    const begin = k.iadd(index, -offset);
    if (buffer.size % 4 !== 0 || !isContiguous(begin, along)) {
      return b.construct([element(0), element(1), element(2), element(3)]);
    }
    const vector = (at: number) => {
      const first = k.iadd(begin, at);
      // A multiple of 4 inside is the first of four inside.
      const isInside = k.iclamp(first, 0, buffer.size - 1) === first;
      return b.load(buffer, this.eval(isInside ? first : k.iclamp(first, 0, buffer.size - 4)), 4);
    };
    // Of a vec4 with one element that is wanted only that one is loaded.
    const part = (i: number) => {
      const place = offset + i;
      const alone = place < 4 ? offset === 3 : offset === 1;
      return alone ? element(i) : b.component(vector(place - place % 4), (place % 4) as 0 | 1 | 2 | 3);
    };
    return b.construct([part(0), part(1), part(2), part(3)]);
  }

  #literal(value: Value): number | undefined {
    const bound = this.#bound.get(value);
    return bound?.kind === "literal" ? bound.value : undefined;
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

/** Is the element at along + 1 the next one in memory, and the first of four aligned? */
export function isContiguous(index: Value, along: Var): boolean {
  if (index === along) return true;
  if (index.kind !== "linear" || index.constant % 4 !== 0) return false;
  for (const { atom, coefficient } of index.terms) {
    if (atom === along) {
      if (coefficient !== 1) return false;
    } else if (atom.free.has(along) || coefficient % 4 !== 0) return false;
  }
  return index.terms.some((t) => t.atom === along);
}

/** An index as stride · along + offset + multiples of 4, with 0 ≤ offset < stride. */
export interface BlockPlace {
  readonly stride: number;
  readonly offset: number;
  readonly blocks: readonly (readonly [Value, number])[];
}

/**
 * Where neighbors along a variable lie, a few elements apart, in blocks of 4 · stride elements.
 *
 * @param literal The value of a variable that is a number here.
 */
export function placeInBlock(
  index: Value,
  along: Var,
  literal: (value: Value) => number | undefined,
): BlockPlace | undefined {
  if (index.kind !== "linear") return undefined;
  let [stride, offset] = [0, index.constant];
  const blocks: [Value, number][] = [];
  for (const { atom, coefficient } of index.terms) {
    const known = literal(atom);
    if (atom === along) stride = coefficient;
    else if (known !== undefined) offset += coefficient * known;
    else if (!atom.free.has(along) && coefficient % 4 === 0) blocks.push([atom, coefficient]);
    else return undefined;
  }
  return stride >= 2 && offset >= 0 && offset < stride ? { stride, offset, blocks } : undefined;
}
