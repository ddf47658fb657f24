/** Reads the text of an einsum: labels per operand, with `...` and the result filled in. */

import { counted } from "../compiler/counted.ts";
import { ShapeError } from "../compiler/errors.ts";
import { type Dim, type Shape, showShape } from "../compiler/graph/dim.ts";

export interface EinsumText {
  /** One character per axis; axes under `...` are digits, counted from the last. */
  readonly operands: readonly string[];
  readonly result: string;
  /** Shapes of the operands; an axis of size 1 that `...` stretches is left out. */
  readonly shapes: readonly Shape[];
}

const dots = "...";

/**
 * @param text As in `bij,bjk->bik`; spaces mean nothing.
 * @param shapes Shapes of the operands.
 */
export function parseEinsum(text: string, shapes: readonly Shape[]): EinsumText {
  const fail = (what: string): never => {
    throw new ShapeError(`einsum: "${text}" of ${shapes.map(showShape).join(", ")}: ${what}`);
  };
  const [left, right, ...more] = text.replaceAll(" ", "").split("->");
  if (more.length > 0) fail(`"->" stands more than once`);
  const terms = left!.split(",");
  if (terms.length !== shapes.length) {
    fail(`it names ${terms.length} operands, and there are ${shapes.length}`);
  }
  for (const term of [...terms, right ?? ""]) {
    const rest = term.replace(dots, "");
    const odd = /[^A-Za-z]/.exec(rest);
    if (odd) fail(`"${odd[0]}" is no label: use letters, and at most one "..." per operand`);
  }
  const stretched = terms.map((term, i) => {
    const named = term.replace(dots, "").length;
    const extra = shapes[i]!.length - named;
    if (extra < 0 || (extra > 0 && !term.includes(dots))) {
      fail(`operand ${i} has ${counted(shapes[i]!.length, "axis", "axes")}, and "${term}" names ${named}`);
    }
    return extra;
  });
  const widest = Math.max(0, ...stretched);
  if (widest > 10) fail(`"..." stands for ${counted(widest, "axis", "axes")}; at most 10 are possible`);
  // Aligned at the last axis, as broadcasting is.
  const hidden = (n: number) => Array.from({ length: n }, (_, i) => String(n - 1 - i)).join("");
  const full = terms.map((term, i) => term.replace(dots, hidden(stretched[i]!)));
  const common = commonSizes(full, shapes, fail);
  const kept = full.map((labels, i) => [...labels].map((label, a) => isKept(label, shapes[i]![a]!, common)));
  const operands = full.map((labels, i) => [...labels].filter((_, a) => kept[i]![a]).join(""));
  return {
    operands,
    shapes: shapes.map((shape, i) => shape.filter((_, a) => kept[i]![a])),
    result: resultOf(terms, right, hidden(widest), operands, fail),
  };
}

const isDigit = (label: string) => label >= "0" && label <= "9";

const isKept = (label: string, size: Dim, common: ReadonlyMap<string, Dim>) =>
  !isDigit(label) || size !== 1 || common.get(label) === 1;

function commonSizes(
  operands: readonly string[],
  shapes: readonly Shape[],
  fail: (what: string) => never,
): Map<string, Dim> {
  const sizes = new Map<string, Dim>();
  operands.forEach((labels, i) => {
    [...labels].forEach((label, axis) => {
      if (!isDigit(label)) return;
      const size = shapes[i]![axis]!;
      const before = sizes.get(label) ?? 1;
      if (before !== 1 && size !== 1 && before !== size) {
        fail(`under "..." ${before} and ${size} do not broadcast`);
      }
      sizes.set(label, size === 1 ? before : size);
    });
  });
  return sizes;
}

function resultOf(
  terms: readonly string[],
  right: string | undefined,
  hidden: string,
  operands: readonly string[],
  fail: (what: string) => never,
): string {
  const all = terms.join("").replaceAll(dots, "");
  if (right === undefined) {
    const once = [...new Set(all)].filter((label) => all.indexOf(label) === all.lastIndexOf(label));
    return hidden + once.sort().join("");
  }
  const named = right.replace(dots, "");
  const twice = [...named].find((label, i) => named.indexOf(label) !== i);
  if (twice !== undefined) fail(`"${twice}" stands twice in the result`);
  const unknown = [...named].find((label) => !operands.join("").includes(label));
  if (unknown !== undefined) fail(`the result names "${unknown}", which no operand has`);
  if (hidden !== "" && !right.includes(dots)) {
    fail(`the axes under "..." are missing in the result; write "...${right}"`);
  }
  return right.replace(dots, hidden);
}
