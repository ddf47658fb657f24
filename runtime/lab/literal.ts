/**
 * Plain data and typed arrays as TypeScript, to the bit.
 * @module
 */

import type { StoredArray } from "../../compiler/graph/dtype.ts";

/** Longer arrays are written in base64. */
const MOST_INLINE = 96;

/** Numbers, texts, lists and records; undefined properties are left out. */
export function literal(value: unknown): string {
  if (typeof value === "number") return numberText(value);
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "undefined";
  const fields = Object.entries(value).filter(([, field]) => field !== undefined);
  if (fields.length === 0) return "{}";
  return `{ ${fields.map(([name, field]) => `${keyText(name)}: ${literal(field)}`).join(", ")} }`;
}

/** A name as the key of a record. */
export const keyText = (name: string): string => isIdentifier(name) ? name : JSON.stringify(name);

export const isIdentifier = (name: string): boolean => /^[A-Za-z_$][\w$]*$/.test(name);

/** A number that reads as itself: `-0`, `NaN` and the infinities too. */
const numberText = (x: number): string => Object.is(x, -0) ? "-0" : String(x);

/** The fewest digits that give a number of f32 again. */
export function shortest(x: number): string {
  if (Math.fround(x) !== x || !Number.isFinite(x)) return numberText(x);
  if (Object.is(x, -0)) return "-0";
  for (let digits = 1; digits < 9; digits++) {
    const text = String(Number(x.toPrecision(digits)));
    if (Math.fround(Number(text)) === x) return text;
  }
  return String(x);
}

/**
 * A typed array as an expression. The long ones call `decode`, which a file that uses them has to define: `DECODE`.
 */
export function arrayText(array: StoredArray | Float64Array): string {
  const kind = array.constructor.name;
  const text = array instanceof Float32Array ? shortest : numberText;
  if (array.every((x) => Object.is(x, 0))) return `new ${kind}(${array.length})`;
  if (array.length > 4 && array.every((x) => Object.is(x, array[0]))) {
    return `new ${kind}(${array.length}).fill(${text(array[0]!)})`;
  }
  if (array.length <= MOST_INLINE) return `new ${kind}([${Array.from(array, text).join(", ")}])`;
  return `new ${kind}(decode(${JSON.stringify(base64(array))}))`;
}

export const DECODE = `const decode = (text: string): ArrayBuffer => ` +
  `Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer;`;

function base64(array: StoredArray | Float64Array): string {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}
