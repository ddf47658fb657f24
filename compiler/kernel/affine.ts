/**
 * Affine forms Σ coefficient · atom + constant over integers that something else knows the ranges of, and what follows
 * from inequalities between them.
 *
 * The question is always: how large can a form get? Adding up the atoms' ranges answers it, but forgets that atoms are
 * related: i − 4q is at most 3 where q = i / 4, whatever the ranges of i and q say. Relations are *facts*, forms that are
 * known to be ≤ 0, and one inference uses them all:
 *
 *     f ≤ 0  implies  form = (form − c·f) + c·f ≤ form − c·f    for any c > 0
 *
 * so subtract the multiple of a fact that cancels an atom, and ask again. A few facts in a row prove what index
 * arithmetic needs: quotients and remainders, tails of rows, loops up to a minimum.
 */

export interface Affine {
  /** By the atom's name; no coefficient is 0. */
  readonly terms: ReadonlyMap<string, number>;
  readonly constant: number;
}

/** What is known of an atom. */
export interface AtomFacts {
  readonly lo: number;
  readonly hi: number;
  /** It is a multiple of this; 0 for the number 0. */
  readonly multiple: number;
  /** Forms ≤ 0 that relate it to other atoms. */
  readonly facts: readonly Affine[];
}

/** The same with ends that the atom can take: a multiple of 4 up to 35 goes up to 32. */
export const snapped = (facts: AtomFacts): AtomFacts => {
  const { lo, hi, multiple } = facts;
  if (multiple <= 1) return facts;
  return { ...facts, lo: multiple * Math.ceil(lo / multiple), hi: multiple * Math.floor(hi / multiple) };
};

/** Where bounds come from: the atoms' own ranges, and the facts that hold. */
export interface Context {
  atom(name: string): AtomFacts;
  readonly facts: readonly Affine[];
}

export const constant = (value: number): Affine => ({ terms: new Map(), constant: value });
export const variable = (name: string): Affine => ({ terms: new Map([[name, 1]]), constant: 0 });
export const isConstant = (form: Affine): boolean => form.terms.size === 0;

/** x·a + y·b. */
export function combine(x: number, a: Affine, y: number, b: Affine): Affine {
  const terms = new Map<string, number>();
  for (const [atom, c] of a.terms) if (x !== 0) terms.set(atom, x * c);
  for (const [atom, c] of b.terms) {
    const sum = (terms.get(atom) ?? 0) + y * c;
    if (sum === 0) terms.delete(atom);
    else terms.set(atom, sum);
  }
  return { terms, constant: x * a.constant + y * b.constant };
}

export const add = (a: Affine, b: Affine): Affine => combine(1, a, 1, b);
export const subtract = (a: Affine, b: Affine): Affine => combine(1, a, -1, b);
export const scale = (a: Affine, factor: number): Affine => combine(factor, a, 0, constant(0));
export const plus = (a: Affine, value: number): Affine => ({ terms: a.terms, constant: a.constant + value });

/** Equal forms have equal keys. */
export function keyOf({ terms, constant }: Affine): string {
  const sorted = [...terms].sort(([a], [b]) => a < b ? -1 : 1);
  return [...sorted.map(([atom, c]) => `${c}*${atom}`), constant].join(" + ");
}

export const gcd = (a: number, b: number): number => b === 0 ? Math.abs(a) : gcd(b, a % b);

/** The largest m such that form − form.constant is known to be a multiple of m; 0 where it is 0. */
export function stride(form: Affine, context: Context): number {
  let g = 0;
  for (const [atom, c] of form.terms) g = gcd(g, c * context.atom(atom).multiple);
  return g;
}

/** The same inequality form ≤ 0 with the constant as large as the form's stride allows. */
export const tighten = (form: Affine, context: Context): Affine => tightenBy(form, stride(form, context));

/** The same for a form whose terms add up to a multiple of g. */
export const tightenBy = (form: Affine, g: number): Affine =>
  g > 1 ? { terms: form.terms, constant: -g * Math.floor(-form.constant / g) } : form;

/** How long to look for a proof. */
export interface Effort {
  /** Steps of inference that one question may take. */
  readonly steps: number;
  /** Facts used in a row. */
  readonly depth: number;
}

/** For the many questions on the way, of which most are answered by no. */
const brief: Effort = { steps: 3000, depth: 3 };
/** For the question that a compile hangs on. */
export const thorough: Effort = { steps: 30_000, depth: 5 };

/** An upper bound of a form; stops early once it is ≤ `enough`. */
export function upperBound(
  form: Affine,
  context: Context,
  enough = -Infinity,
  { steps, depth: longest }: Effort = brief,
): number {
  const plain = plainBound(form, context);
  if (plain <= enough || isConstant(form)) return plain;
  let best = plain;
  const budget = { steps };
  for (let depth = 1; depth <= longest && best > enough && budget.steps > 0; depth++) {
    best = Math.min(best, infer(form, context, [], depth, enough, budget, new Map()));
  }
  return best;
}

export const lowerBound = (form: Affine, context: Context, enough = Infinity, effort = brief): number =>
  0 - upperBound(scale(form, -1), context, -enough, effort);

/** What the atoms' ranges alone say, rounded down to the next value the form can take. */
function plainBound(form: Affine, context: Context): number {
  let bound = form.constant;
  for (const [name, c] of form.terms) {
    const atom = context.atom(name);
    bound += c * (c > 0 ? atom.hi : atom.lo);
  }
  return attained(bound, form, stride(form, context));
}

/** The largest value up to a bound that a form of this stride can take. */
const attained = (bound: number, { constant }: Affine, g: number): number =>
  g <= 1 || !Number.isFinite(bound) ? bound : constant + Math.floor((bound - constant) / g) * g;

/** @param seen Forms met in this search, with the facts that were left to use: the same facts in another order. */
function infer(
  form: Affine,
  context: Context,
  used: readonly Affine[],
  depth: number,
  enough: number,
  budget: { steps: number },
  seen: Map<string, number>,
): number {
  let best = plainBound(form, context);
  if (depth === 0 || best <= enough) return best;
  const step = stride(form, context);
  const next: { readonly rest: Affine; readonly fact: Affine; readonly x: number; readonly bound: number }[] =
    [];
  for (const [name, c] of form.terms) {
    for (const facts of [context.facts, ...[...form.terms.keys()].map((atom) => context.atom(atom).facts)]) {
      for (const fact of facts) {
        const d = fact.terms.get(name);
        // Only a fact that bounds this atom from the side that matters cancels it.
        if (d === undefined || d * c < 0 || used.includes(fact)) continue;
        if (--budget.steps <= 0) return best;
        const g = gcd(c, d);
        const [x, y] = [Math.abs(d) / g, Math.abs(c) / g];
        // x·form ≤ x·form − y·fact, in which the atom is gone.
        const rest = combine(x, form, -y, fact);
        const key = `${x}/${keyOf(rest)}`;
        if ((seen.get(key) ?? 0) >= depth) continue;
        seen.set(key, depth);
        const bound = Math.floor(plainBound(rest, context) / x);
        best = Math.min(best, attained(bound, form, step));
        if (best <= enough) return best;
        next.push({ rest, fact, x, bound });
      }
    }
  }
  if (depth === 1) return best;
  // What looks best first: the facts that a proof needs rarely make things worse.
  next.sort((p, q) => p.bound - q.bound);
  for (const { rest, fact, x } of next) {
    if (best <= enough || budget.steps <= 0) return best;
    const found = infer(rest, context, [...used, fact], depth - 1, enough * x, budget, seen);
    best = Math.min(best, attained(Math.floor(found / x), form, step));
  }
  return best;
}
