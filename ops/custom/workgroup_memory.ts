/**
 * Bytes of workgroup memory that a user's text declares. Deno's WebGPU does not hold them against the limit, and a driver
 * may do anything with too many.
 *
 * Types are read as far as one can without compiling: scalars, vectors, matrices, atomics, and arrays of these whose
 * lengths are made of numbers, named sizes and the text's own constants. What is not understood (a structure) counts as
 * nothing: the sum is a lower bound, so what it refuses is too much in any case.
 */

import { withoutComments } from "./text_checks.ts";

type Constants = ReadonlyMap<string, number>;

/** @param sizes Named sizes, which the text sees as constants. */
export function workgroupBytes(declarations: string, sizes: Readonly<Record<string, number>>): number {
  const code = withoutComments(declarations);
  const constants = new Map(Object.entries(sizes));
  for (const [, name, value] of code.matchAll(/\bconst\s+(\w+)\s*(?::\s*\w+\s*)?=\s*([^;]+);/g)) {
    const number = numberOf(value!, constants);
    if (number !== undefined) constants.set(name!, number);
  }
  let bytes = 0;
  for (const [, type] of code.matchAll(/\bvar\s*<\s*workgroup\s*>\s*\w+\s*:\s*([^;]+);/g)) {
    bytes += layoutOf(type!.replaceAll(/\s+/g, ""), constants)?.size ?? 0;
  }
  return bytes;
}

/** Size and alignment in bytes. */
interface Layout {
  readonly size: number;
  readonly align: number;
}

const scalars: Readonly<Record<string, number>> = { f32: 4, i32: 4, u32: 4, bool: 4, f16: 2 };
const letters: Readonly<Record<string, string>> = { f: "f32", i: "i32", u: "u32", h: "f16" };

function layoutOf(type: string, constants: Constants): Layout | undefined {
  const scalar = scalars[type];
  if (scalar !== undefined) return { size: scalar, align: scalar };
  const atomic = /^atomic<(.+)>$/.exec(type);
  if (atomic) return layoutOf(atomic[1]!, constants);
  const vector = /^vec([234])(?:<(\w+)>|([fiuh]))$/.exec(type);
  if (vector) return vectorOf(Number(vector[1]), vector[2] ?? letters[vector[3]!]!);
  const matrix = /^mat([234])x([234])(?:<(\w+)>|([fh]))$/.exec(type);
  if (matrix) {
    const column = vectorOf(Number(matrix[2]), matrix[3] ?? letters[matrix[4]!]!);
    return column && { size: Number(matrix[1]) * up(column.size, column.align), align: column.align };
  }
  const array = /^array<(.+),([^,<>]+)>$/.exec(type);
  if (!array) return undefined;
  const element = layoutOf(array[1]!, constants);
  const length = numberOf(array[2]!, constants);
  if (!element || length === undefined) return undefined;
  return { size: length * up(element.size, element.align), align: element.align };
}

function vectorOf(width: number, type: string): Layout | undefined {
  const scalar = scalars[type];
  return scalar === undefined ? undefined : { size: width * scalar, align: (width === 2 ? 2 : 4) * scalar };
}

const up = (size: number, align: number): number => Math.ceil(size / align) * align;

/** Sums of products of numbers and names; anything else, such as a parenthesis, counts as unknown. */
function numberOf(text: string, constants: Constants): number | undefined {
  const terms = text.split("+").map((term) => {
    const factors = term.split("*").map((factor) => {
      const name = factor.trim();
      return /^\d+[ui]?$/.test(name) ? parseInt(name) : constants.get(name);
    });
    return factors.some((f) => f === undefined) ? undefined : factors.reduce<number>((n, f) => n * f!, 1);
  });
  return terms.some((t) => t === undefined) ? undefined : terms.reduce<number>((n, t) => n + t!, 0);
}
