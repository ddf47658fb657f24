/**
 * Arithmetic on indices, in the one normal form: Σ coefficient · atom + constant, divisions as far inside as they go. Two
 * indices that are equal by this form are one node.
 * @module
 */

import { gcd } from "./affine.ts";
import { type DivMod, type Linear, unionOfFree, type Value } from "./value.ts";
import { ValueTable } from "./value_table.ts";

export class IndexValues extends ValueTable {
  protected linear(terms: Map<Value, number>, constant: number): Value {
    constant += recombine(this, terms);
    const list = [...terms].filter(([, c]) => c !== 0).sort(([a], [b]) => a.id - b.id)
      .map(([atom, coefficient]) => ({ atom, coefficient }));
    if (list.length === 0) return this.int(constant);
    if (list.length === 1 && constant === 0 && list[0]!.coefficient === 1) return list[0]!.atom;
    const key = `n${list.map((t) => `${t.coefficient}*${t.atom.id}`).join("+")}+${constant}`;
    const known = this.known(key);
    if (known) return known;
    let lo = constant;
    let hi = constant;
    for (const { atom, coefficient } of list) {
      lo += coefficient * (coefficient > 0 ? atom.lo : atom.hi);
      hi += coefficient * (coefficient > 0 ? atom.hi : atom.lo);
    }
    return this.intern<Linear>(key, "i32", unionOfFree(list.map((t) => t.atom)), { lo, hi }, {
      kind: "linear",
      terms: list,
      constant,
    });
  }

  /** The linear form of any i32 value: itself as a single atom, if it is nothing more. */
  linearOf(value: Value): { terms: Map<Value, number>; constant: number } {
    if (value.kind === "const") return { terms: new Map(), constant: value.value };
    if (value.kind === "linear") {
      return { terms: new Map(value.terms.map((t) => [t.atom, t.coefficient])), constant: value.constant };
    }
    return { terms: new Map([[value, 1]]), constant: 0 };
  }

  /** a + b on indices. */
  iadd(a: Value, b: Value | number): Value {
    if (typeof b === "number" && b === 0) return a;
    const sum = this.linearOf(a);
    const other = typeof b === "number" ? { terms: new Map<Value, number>(), constant: b } : this.linearOf(b);
    for (const [atom, c] of other.terms) sum.terms.set(atom, (sum.terms.get(atom) ?? 0) + c);
    return this.linear(sum.terms, sum.constant + other.constant);
  }

  isub(a: Value, b: Value | number): Value {
    return this.iadd(a, typeof b === "number" ? -b : this.imul(b, -1));
  }

  /** a · literal on indices. */
  imul(a: Value, factor: number): Value {
    if (factor === 1) return a;
    const { terms, constant } = this.linearOf(a);
    return this.linear(new Map([...terms].map(([atom, c]) => [atom, c * factor])), constant * factor);
  }

  /** Σ coefficient · value + constant in one step (strides). */
  affine(parts: readonly (readonly [Value, number])[], constant = 0): Value {
    const terms = new Map<Value, number>();
    let offset = constant;
    for (const [value, factor] of parts) {
      const form = this.linearOf(value);
      offset += form.constant * factor;
      for (const [atom, c] of form.terms) terms.set(atom, (terms.get(atom) ?? 0) + c * factor);
    }
    return this.linear(terms, offset);
  }

  /** floor(a / divisor): the multiples leave the division, and what remains goes if its range says 0. */
  idiv(a: Value, divisor: number): Value {
    if (divisor === 1) return a;
    const { whole, rest } = this.#splitMultiples(a, divisor);
    if (rest.lo >= 0 && rest.hi < divisor) return whole;
    // div(div(x, a), b) is div(x, a·b).
    const inner = rest.kind === "div"
      ? this.idiv(rest.arg, rest.divisor * divisor)
      : this.#divMod("div", rest, divisor);
    return this.iadd(whole, inner);
  }

  /** a − divisor · floor(a / divisor). */
  imod(a: Value, divisor: number): Value {
    if (divisor === 1) return this.int(0);
    const { rest } = this.#splitMultiples(a, divisor);
    if (rest.lo >= 0 && rest.hi < divisor) return rest;
    // mod(mod(x, k·d), d) is mod(x, d).
    if (rest.kind === "mod" && rest.divisor % divisor === 0) return this.imod(rest.arg, divisor);
    return this.#divMod("mod", rest, divisor);
  }

  /** a = divisor · whole + rest, with every term that is a multiple of the divisor in `whole`. */
  #splitMultiples(a: Value, divisor: number): { whole: Value; rest: Value } {
    const { terms, constant } = this.linearOf(a);
    const whole = new Map<Value, number>();
    const rest = new Map<Value, number>();
    for (const [atom, c] of terms) {
      (c % divisor === 0 ? whole : rest).set(atom, c % divisor === 0 ? c / divisor : c);
    }
    const quotient = Math.floor(constant / divisor);
    return { whole: this.linear(whole, quotient), rest: this.linear(rest, constant - quotient * divisor) };
  }

  #divMod(kind: "div" | "mod", arg: Value, divisor: number): Value {
    if (arg.kind === "const") {
      const q = Math.floor(arg.value / divisor);
      return this.int(kind === "div" ? q : arg.value - q * divisor);
    }
    // A factor of the divisor and some terms, where the others are small: (g·x + r) / (g·d) = x / d for 0 ≤ r < g.
    if (arg.kind === "linear") {
      const factors = new Set(arg.terms.map((t) => gcd(divisor, t.coefficient)).filter((g) => g > 1));
      for (const g of [...factors].sort((a, b) => b - a)) {
        const whole = arg.terms.filter((t) => t.coefficient % g === 0);
        const constant = ((arg.constant % g) + g) % g;
        const small = arg.terms.filter((t) => t.coefficient % g !== 0);
        const r = this.linear(new Map(small.map((t) => [t.atom, t.coefficient])), constant);
        if (r.lo < 0 || r.hi >= g) continue;
        const x = this.linear(
          new Map(whole.map((t) => [t.atom, t.coefficient / g])),
          (arg.constant - constant) / g,
        );
        if (kind === "div") return this.idiv(x, divisor / g);
        return this.iadd(this.imul(this.imod(x, divisor / g), g), r);
      }
    }
    const range = kind === "div"
      ? { lo: Math.floor(arg.lo / divisor), hi: Math.floor(arg.hi / divisor) }
      : { lo: 0, hi: divisor - 1 };
    return this.intern<DivMod>(`${kind}(${arg.id},${divisor})`, "i32", arg.free, range, {
      kind,
      arg,
      divisor,
    });
  }
}

/**
 * c·d·(x div d) + c·(x mod d) is c·x: what splitting an axis and merging it again must come to. Changes the terms in
 * place and returns what is to be added to the constant.
 */
function recombine(k: IndexValues, terms: Map<Value, number>): number {
  for (const [atom, c] of terms) {
    if (atom.kind !== "mod" || c === 0) continue;
    const quotient = k.idiv(atom.arg, atom.divisor);
    if (quotient.kind !== "div" || terms.get(quotient) !== c * atom.divisor) continue;
    terms.delete(atom);
    terms.delete(quotient);
    const whole = k.linearOf(atom.arg);
    for (const [x, factor] of whole.terms) terms.set(x, (terms.get(x) ?? 0) + c * factor);
    return c * whole.constant + recombine(k, terms);
  }
  return 0;
}
