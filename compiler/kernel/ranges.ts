/**
 * What is known about the integers of a kernel: ranges, multiples and relations, for the verifier's proofs.
 *
 * Every i32 or u32 value has an affine form over atoms (affine.ts): the group, the lane, parameters, loop variables, and
 * results of operations that are not affine. Forms are exact modulo 2³², so a form says something about the value itself
 * only where its bounds lie inside the value's type; `exact` asks for that, and falls back to an opaque atom.
 *
 * Relations that hold by construction are facts: q = x / k makes k·q ≤ x < k·q + k; a minimum is at most each operand; a
 * loop variable lies between its bounds. Relations that hold in a branch are facts while one is inside it.
 */

import {
  add,
  type Affine,
  type AtomFacts,
  combine,
  constant,
  type Context,
  type Effort,
  gcd,
  isConstant,
  keyOf,
  lowerBound,
  plus,
  scale,
  snapped,
  stride,
  subtract,
  thorough,
  tighten,
  tightenBy,
  upperBound,
  variable,
} from "./affine.ts";
import { type Component, inequalitiesOf, isInteger } from "./inequalities.ts";
import { domainOf, type Interval, intervalOf, isPowerOfTwo, type Lattice } from "./interval.ts";
import { type Quotient, quotientCuts, quotientFacts, rootOf } from "./quotient.ts";
import { RecursiveFacts } from "./recursive_facts.ts";
import { StructureRanges } from "./structure_ranges.ts";
import type { BinaryInstr, Instr, Kernel, Loop, LoopVar, ParamDecl } from "./ir.ts";

export type LoopBounds = Pick<Loop, "variable" | "from" | "to" | "step">;

/** What an atom stands for. */
type Definition =
  | { readonly kind: "value"; readonly instr: Instr; readonly component: Component }
  | { readonly kind: "quotient" } & Quotient;

/** What holds at one place, and what has been derived from it. */
interface Scope extends Context {
  readonly facts: Affine[];
  readonly forms: Map<Instr, (Affine | undefined)[]>;
  readonly atoms: Map<string, AtomFacts>;
}

const literalOf = (instr: Instr): number | undefined =>
  instr.kind === "splat" ? literalOf(instr.arg) : instr.kind === "literal" ? instr.value : undefined;
/** Larger coefficients are left alone, so that sums of products stay exact in f64. */
const tooLarge = 2 ** 40;

export class Ranges {
  readonly #kernel: Kernel;
  readonly #params: ReadonlyMap<string, ParamDecl>;
  readonly #definitions = new Map<string, Definition>();
  readonly #numbers = new Map<Instr, number>();
  readonly #loops = new Map<LoopVar, LoopBounds>();
  readonly #structure: StructureRanges;
  readonly #facts = new RecursiveFacts();
  #scope: Scope;

  constructor(kernel: Kernel) {
    this.#kernel = kernel;
    this.#structure = new StructureRanges(kernel, this.#loops);
    this.#params = new Map(kernel.params.map((param) => [param.name, param]));
    this.#scope = this.#newScope([]);
  }

  // ---- questions ------------------------------------------------------------------------------------------------

  /** Where the value of one component lies; `lo > hi` where the place is never reached. */
  range(instr: Instr, component: Component = 0): Interval {
    return this.#bounds(this.#exact(instr, component));
  }

  /** Is lo ≤ value ≤ hi certain? */
  within(instr: Instr, lo: number, hi: number): boolean {
    const rough = this.#structure.of(instr, 0);
    if (rough.lo >= lo && rough.hi <= hi) return true;
    const form = this.#exact(instr, 0);
    const isInside = (effort?: Effort) =>
      upperBound(form, this.#scope, hi, effort) <= hi && lowerBound(form, this.#scope, lo, effort) >= lo;
    // What is never reached is inside as well, and a contradiction is often near.
    return isInside() || (!this.isUnreachable() && isInside(thorough));
  }

  /** The largest number that the value is known to be a multiple of; 0 if it is 0. */
  multiple(instr: Instr): number {
    return this.#multipleOf(this.#exact(instr, 0));
  }

  /** An upper bound of the number of turns of a loop. */
  turns({ from, to, step }: LoopBounds): number {
    const length = subtract(this.#exact(to, 0), this.#exact(from, 0));
    return Math.max(0, Math.ceil(upperBound(length, this.#scope) / step));
  }

  /** Can control never get here, because conditions around it contradict each other? */
  isUnreachable(): boolean {
    return this.#scope.facts.some((fact) => lowerBound(fact, this.#scope, 1) > 0);
  }

  // ---- places ---------------------------------------------------------------------------------------------------

  /** Runs `f` where the condition is known to hold, or not to hold. */
  assuming<T>(condition: Instr, holds: boolean, f: () => T, component: Component = 0): T {
    const facts = inequalitiesOf(condition, holds, component, (instr, part) => this.#exact(instr, part));
    return this.#withFacts(facts.map((fact) => tighten(fact, this.#scope)), f);
  }

  /** Runs `f` inside a loop. */
  inLoop<T>(loop: LoopBounds, f: () => T): T {
    this.#loops.set(loop.variable, loop);
    return this.#withFacts([], f);
  }

  #newScope(facts: Affine[]): Scope {
    const atoms = new Map<string, AtomFacts>();
    return { facts, forms: new Map(), atoms, atom: (name) => this.#atom(name, atoms) };
  }

  #withFacts<T>(facts: readonly Affine[], f: () => T): T {
    const outer = this.#scope;
    this.#scope = this.#newScope([...outer.facts, ...facts]);
    try {
      return f();
    } finally {
      this.#scope = outer;
    }
  }

  // ---- forms ----------------------------------------------------------------------------------------------------

  #multipleOf(form: Affine): number {
    return gcd(stride(form, this.#scope), form.constant);
  }

  #lattice(form: Affine): Lattice {
    return { ...this.#bounds(form), multiple: this.#multipleOf(form) };
  }

  #bounds(form: Affine): Interval {
    return { lo: lowerBound(form, this.#scope), hi: upperBound(form, this.#scope) };
  }

  #fits(form: Affine, { lo, hi }: Interval): boolean {
    return upperBound(form, this.#scope, hi) <= hi && lowerBound(form, this.#scope, lo) >= lo;
  }

  /** A form that equals the value, and not only modulo 2³². */
  #exact(instr: Instr, component: Component): Affine {
    const form = this.#form(instr, component);
    return this.#fits(form, domainOf(instr.type.scalar)) ? form : this.#opaque(instr, component);
  }

  #opaque(instr: Instr, component: Component): Affine {
    const name = this.#nameOf(instr, component);
    this.#definitions.set(name, { kind: "value", instr, component });
    return variable(name);
  }

  #nameOf(instr: Instr, component: Component): string {
    if (instr.kind === "builtin" || instr.kind === "param") return instr.name;
    let number = this.#numbers.get(instr);
    if (number === undefined) this.#numbers.set(instr, number = this.#numbers.size);
    return `#${number}.${component}`;
  }

  #quotient(of: Affine, divisor: number): Affine {
    const name = `(${keyOf(of)})/${divisor}`;
    this.#definitions.set(name, { kind: "quotient", of, divisor });
    return variable(name);
  }

  #form(instr: Instr, component: Component): Affine {
    let known = this.#scope.forms.get(instr);
    if (!known) this.#scope.forms.set(instr, known = []);
    return known[component] ??= this.#makeForm(instr, component);
  }

  #makeForm(instr: Instr, component: Component): Affine {
    if (!isInteger(instr)) return this.#opaque(instr, component);
    switch (instr.kind) {
      case "literal":
        return constant(instr.value);
      case "splat":
        return this.#form(instr.arg, 0);
      case "component":
        return this.#form(instr.arg, instr.index);
      case "construct":
        return this.#form(instr.args[component], 0);
      case "cast":
      case "bitcast":
        // Between i32 and u32 nothing changes modulo 2³².
        return isInteger(instr.arg) ? this.#form(instr.arg, component) : this.#opaque(instr, component);
      case "unary":
        return instr.op === "neg"
          ? scale(this.#form(instr.arg, component), -1)
          : this.#opaque(instr, component);
      case "binary": {
        const form = this.#binaryForm(instr, component);
        const fits = form && [...form.terms.values(), form.constant].every((c) => Math.abs(c) < tooLarge);
        return fits ? form : this.#opaque(instr, component);
      }
      default:
        return this.#opaque(instr, component);
    }
  }

  #binaryForm({ op, a, b }: BinaryInstr, component: Component): Affine | undefined {
    const x = () => this.#form(a, component);
    const y = () => this.#form(b, component);
    const literal = literalOf(b);
    switch (op) {
      case "add":
        return add(x(), y());
      case "sub":
        return subtract(x(), y());
      case "mul": {
        const [p, q] = [x(), y()];
        return isConstant(q) ? scale(p, q.constant) : isConstant(p) ? scale(q, p.constant) : undefined;
      }
      case "shl":
        return literal === undefined ? undefined : scale(x(), 2 ** (literal & 31));
      case "div":
        return literal !== undefined && literal > 0
          ? this.#divide(this.#exact(a, component), literal)
          : undefined;
      case "rem": {
        if (literal === undefined || literal <= 0) return undefined;
        const of = this.#exact(a, component);
        return combine(1, of, -literal, this.#divide(of, literal));
      }
      case "shr": {
        if (literal === undefined) return undefined;
        const of = this.#exact(a, component);
        // Of a number ≥ 0 a shift is a quotient.
        return this.#fits(of, { lo: 0, hi: Infinity }) ? this.#divide(of, 2 ** (literal & 31)) : undefined;
      }
      case "and": {
        if (literal === undefined) return undefined;
        const of = this.#exact(a, component);
        if (!this.#fits(of, { lo: 0, hi: Infinity })) return undefined;
        // A mask of low bits is a remainder, a mask of high bits a whole multiple.
        if (isPowerOfTwo(literal + 1)) return combine(1, of, -(literal + 1), this.#divide(of, literal + 1));
        return isPowerOfTwo(-literal) ? scale(this.#divide(of, -literal), -literal) : undefined;
      }
      default:
        return undefined;
    }
  }

  /** of / divisor, truncated: what is divisible leaves the quotient where no sign is in the way. */
  #divide(of: Affine, divisor: number): Affine {
    if (divisor === 1) return of;
    const whole = new Map<string, number>();
    const rest = new Map<string, number>();
    for (const [atom, c] of of.terms) (c % divisor === 0 ? whole : rest).set(atom, c);
    const units = Math.floor(of.constant / divisor);
    const remainder: Affine = { terms: rest, constant: of.constant - units * divisor };
    const isPositive = this.#fits(of, { lo: 0, hi: Infinity }) &&
      this.#fits(remainder, { lo: 0, hi: Infinity });
    if (!isPositive) {
      return isConstant(of) ? constant(Math.trunc(of.constant / divisor)) : this.#quotient(of, divisor);
    }
    const outside: Affine = {
      terms: new Map([...whole].map(([atom, c]) => [atom, c / divisor])),
      constant: units,
    };
    const isWhole = this.#fits(remainder, { lo: 0, hi: divisor - 1 });
    const result = isWhole ? outside : add(outside, this.#quotient(remainder, divisor));
    // Where nothing is left over, what is known of the number says the same of its quotient.
    const cuts = whole.size > 0 && rest.size > 0 ? quotientCuts(result, divisor, this.#bounds(of)) : [];
    this.#scope.facts.push(...cuts);
    return result;
  }

  // ---- atoms ----------------------------------------------------------------------------------------------------

  #atom(name: string, known: Map<string, AtomFacts>): AtomFacts {
    const definition = this.#definitions.get(name)!;
    const least = () => {
      const scalar = definition.kind === "value" ? definition.instr.type.scalar : "i32";
      return { ...domainOf(scalar), multiple: 1, facts: [] };
    };
    return this.#facts.of(name, known, least, () =>
      snapped(
        definition.kind === "quotient"
          ? this.#quotientFacts(variable(name), definition.of, definition.divisor)
          : this.#valueFacts(variable(name), definition.instr, definition.component),
      ));
  }

  #quotientFacts(q: Affine, of: Affine, divisor: number): AtomFacts {
    /** A multiple of 4 leaves 4 at most when it is divided by 8. */
    const tight = (x: Affine, k: number, bounds: Interval): Affine[] => {
      const step = gcd(stride(x, this.#scope), k);
      return quotientFacts(q, x, k, bounds).map((fact) => tightenBy(fact, step));
    };
    const bounds = this.#bounds(of);
    const facts = tight(of, divisor, bounds);
    const root = rootOf({ of, divisor }, (atom) => {
      const definition = this.#definitions.get(atom);
      return definition?.kind === "quotient" ? definition : undefined;
    });
    if (root.of !== of) facts.push(...tight(root.of, root.divisor, this.#bounds(root.of)));
    const [lo, hi] = [bounds.lo, bounds.hi].map((x) => Math.trunc(x / divisor)) as [number, number];
    return { lo, hi, multiple: 1, facts };
  }

  #valueFacts(self: Affine, instr: Instr, component: Component): AtomFacts {
    const domain = domainOf(instr.type.scalar);
    const nothing: AtomFacts = { ...domain, multiple: 1, facts: [] };
    switch (instr.kind) {
      case "builtin":
        return {
          ...nothing,
          lo: 0,
          hi: (instr.name === "group" ? this.#kernel.groups : this.#kernel.lanes) - 1,
        };
      case "param": {
        const param = this.#params.get(instr.name);
        if (!param) return nothing;
        const { lo, hi, multiple = 1 } = param;
        return { ...nothing, lo: Math.max(lo, domain.lo), hi: Math.min(hi, domain.hi), multiple };
      }
      case "loop": {
        const loop = this.#loops.get(instr);
        return loop ? this.#loopFacts(self, loop) : nothing;
      }
      case "cast":
        return instr.arg.type.scalar === "bool" ? { ...nothing, lo: 0, hi: 1 } : nothing;
      case "select": {
        const arm = (value: Instr, holds: boolean) =>
          this.assuming(
            instr.condition,
            holds,
            () => ({ ...this.#lattice(this.#exact(value, component)), dead: this.isUnreachable() }),
            component,
          );
        const arms = [arm(instr.then, true), arm(instr.otherwise, false)].filter(({ dead }) => !dead);
        return {
          lo: Math.min(...arms.map(({ lo }) => lo)),
          hi: Math.max(...arms.map(({ hi }) => hi)),
          multiple: arms.reduce((g, { multiple }) => gcd(g, multiple), 0),
          facts: [],
        };
      }
      case "binary":
        return this.#binaryFacts(self, instr, component);
      default:
        return nothing;
    }
  }

  #loopFacts(self: Affine, { from, to, step }: LoopBounds): AtomFacts {
    const first = this.#exact(from, 0);
    const end = this.#exact(to, 0);
    const { lo } = this.#bounds(first);
    const { hi } = this.#bounds(end);
    const length = subtract(end, first);
    const multiple = gcd(this.#multipleOf(first), step);
    // Where steps fill the loop exactly, the last value is a whole step below the end; else as far as both are multiples.
    const fills = this.#multipleOf(length) % step === 0;
    const last = fills ? step : Math.max(1, gcd(multiple, this.#multipleOf(end)));
    return {
      lo,
      hi: isConstant(first) ? lo + Math.floor((hi - 1 - lo) / step) * step : hi - last,
      multiple,
      facts: [subtract(first, self), plus(subtract(self, end), last)],
    };
  }

  #binaryFacts(self: Affine, { op, a, b, type }: BinaryInstr, component: Component): AtomFacts {
    const x = this.#exact(a, component);
    const y = this.#exact(b, component);
    const [p, q] = [this.#lattice(x), this.#lattice(y)];
    if (op === "max" || op === "min") {
      const pick = Math[op];
      const facts = [x, y].map((side) => op === "min" ? subtract(self, side) : subtract(side, self));
      return { lo: pick(p.lo, q.lo), hi: pick(p.hi, q.hi), multiple: gcd(p.multiple, q.multiple), facts };
    }
    const domain = domainOf(type.scalar);
    const result = intervalOf(op, p, q);
    // What wraps can be anything.
    return result && result.lo >= domain.lo && result.hi <= domain.hi
      ? { ...result, facts: [] }
      : { ...domain, multiple: 1, facts: [] };
  }
}
