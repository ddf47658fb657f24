/**
 * Dimensions: numbers, or polynomials of named sizes in one normal form.
 *
 * A dimension that is not a number is a *string in normal form*, so that equality is `===`, hashing is free and a name
 * in a user's type (`"batch"`) is at once the run-time value. The normal form is a sum of terms in a fixed order:
 * degree first (highest on the left), then alphabetical; a coefficient of 1 is not written.
 *
 *     batch        4*batch        batch*ctx + 2*batch - 1
 *
 * Within one compile equal names are equal sizes (SEMANTICS §4); `bindDim` replaces them by numbers before lowering.
 */

import { ShapeError } from "../errors.ts";

/** A size: a number, the name of one that is bound later, or a polynomial of such names. */
export type Dim = number | string;
/** The sizes of a tensor, outermost first. `[]` is a scalar. */
export type Shape = readonly Dim[];
/** Numbers for named sizes. */
export type Sizes = Readonly<Record<string, number>>;

/** Monomial ("" for the constant, "batch*ctx") to its coefficient. */
type Terms = Map<string, number>;

const parsed = new Map<string, Terms>();
const identifier = /^[A-Za-z_][A-Za-z0-9_]*$/;

export const isDimName = (text: string): boolean => identifier.test(text);

function termsOf(dim: Dim): Terms {
  if (typeof dim === "number") return new Map(dim === 0 ? [] : [["", dim]]);
  const known = parsed.get(dim);
  if (known) return known;
  const terms: Terms = new Map();
  // A minus sign belongs to the term behind it, so it becomes a plus and a negative coefficient.
  for (const piece of dim.replaceAll(" - ", " + -").split(" + ")) {
    let coefficient = 1;
    const names: string[] = [];
    for (const factor of piece.split("*")) {
      const text = factor.startsWith("-") ? (coefficient = -coefficient, factor.slice(1)) : factor;
      if (/^[0-9]+$/.test(text)) coefficient *= Number(text);
      else if (identifier.test(text)) names.push(text);
      else throw new ShapeError(`"${dim}" is not a size: use a number or a name such as "batch"`);
    }
    const monomial = names.sort().join("*");
    terms.set(monomial, (terms.get(monomial) ?? 0) + coefficient);
  }
  parsed.set(dim, terms);
  return terms;
}

const degree = (monomial: string) => monomial === "" ? 0 : monomial.split("*").length;

function normal(terms: Terms): Dim {
  const entries = [...terms].filter(([, c]) => c !== 0)
    .sort(([a], [b]) => degree(b) - degree(a) || (a < b ? -1 : 1));
  if (entries.length === 0) return 0;
  if (entries.length === 1 && entries[0]![0] === "") return entries[0]![1];
  let text = "";
  for (const [monomial, c] of entries) {
    const size = Math.abs(c);
    const body = monomial === "" ? `${size}` : size === 1 ? monomial : `${size}*${monomial}`;
    text += text === "" ? (c < 0 ? `-${body}` : body) : `${c < 0 ? " - " : " + "}${body}`;
  }
  return text;
}

export function addDims(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return a + b;
  const sum: Terms = new Map(termsOf(a));
  for (const [m, c] of termsOf(b)) sum.set(m, (sum.get(m) ?? 0) + c);
  return normal(sum);
}

export const subDims = (a: Dim, b: Dim): Dim => addDims(a, mulDims(b, -1));

export function mulDims(a: Dim, b: Dim): Dim {
  if (typeof a === "number" && typeof b === "number") return a * b;
  const product: Terms = new Map();
  for (const [m, c] of termsOf(a)) {
    for (const [n, d] of termsOf(b)) {
      const key = [...m.split("*"), ...n.split("*")].filter((s) => s !== "").sort().join("*");
      product.set(key, (product.get(key) ?? 0) + c * d);
    }
  }
  return normal(product);
}

/** a / b where it is exact for every size of the names, else undefined. */
export function divideDims(a: Dim, b: Dim): Dim | undefined {
  if (typeof a === "number" && typeof b === "number") return b !== 0 && a % b === 0 ? a / b : undefined;
  if (a === b) return 1;
  const divisor = [...termsOf(b)];
  if (divisor.length !== 1) return undefined; // only a single term is divided by; enough for reshape
  const [monomial, coefficient] = divisor[0]!;
  const out: Terms = new Map();
  for (const [m, c] of termsOf(a)) {
    if (c % coefficient !== 0) return undefined;
    const names = m === "" ? [] : m.split("*");
    for (const name of monomial === "" ? [] : monomial.split("*")) {
      const at = names.indexOf(name);
      if (at < 0) return undefined;
      names.splice(at, 1);
    }
    out.set(names.join("*"), c / coefficient);
  }
  return normal(out);
}

/** The named sizes that a dimension mentions. */
export function namesOf(dim: Dim): readonly string[] {
  if (typeof dim === "number") return [];
  return [...new Set([...termsOf(dim).keys()].flatMap((m) => m === "" ? [] : m.split("*")))];
}

/** Replaces the names in `sizes` by their numbers (or by other names), all at once; other names stay. */
export function bindDim(dim: Dim, sizes: Readonly<Record<string, Dim>>): Dim {
  if (typeof dim === "number") return dim;
  let sum: Dim = 0;
  for (const [m, c] of termsOf(dim)) {
    let term: Dim = c;
    for (const name of m === "" ? [] : m.split("*")) {
      term = mulDims(term, Object.hasOwn(sizes, name) ? sizes[name]! : name);
    }
    sum = addDims(sum, term);
  }
  return sum;
}

/** The size as a number; an error that lists the names still open. */
export function concreteDim(dim: Dim, where: string): number {
  if (typeof dim === "number") return dim;
  throw new ShapeError(
    `${where}: the size "${dim}" is still open; bind ${
      namesOf(dim).map((n) => `"${n}"`).join(", ")
    } in \`sizes\``,
  );
}

export const elementsOf = (shape: Shape): Dim => shape.reduce<Dim>(mulDims, 1);

/** `[batch, 784]`, as every message prints a shape. */
export const showShape = (shape: Shape): string => `[${shape.join(", ")}]`;

export const sameShape = (a: Shape, b: Shape): boolean =>
  a.length === b.length && a.every((d, i) => d === b[i]);
