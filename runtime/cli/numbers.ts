/**
 * Numbers on a command line: what is none is refused, and not read as NaN.
 * @module
 */

import { InvalidArgumentError } from "commander";

/** For `argParser`: a whole number from 0 up. */
export function count(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number)) {
    throw new InvalidArgumentError("It is no whole number from 0 up.");
  }
  return number;
}

/** For `argParser`: a number above 0. */
export function positive(text: string): number {
  const number = Number(text);
  if (text.trim() === "" || !(number > 0) || number === Infinity) {
    throw new InvalidArgumentError("It is no number above 0.");
  }
  return number;
}

/** For `argParser`: a whole number above 0. */
export function whole(text: string): number {
  const number = positive(text);
  if (!Number.isSafeInteger(number)) throw new InvalidArgumentError("It is no whole number above 0.");
  return number;
}
