/**
 * Sizes from the command line.
 * @module
 */

import { isDimName } from "../../compiler/graph/dim.ts";
import { UsageError } from "./usage_error.ts";

/**
 * One choice of sizes: `batch=8,ctx=64` as numbers by name.
 *
 * @throws UsageError where a part is no name and whole number.
 * @example
 * ```ts
 * import { choiceOfSizes } from "./sizes.ts";
 *
 * console.log(choiceOfSizes("batch=8,ctx=64")); // { batch: 8, ctx: 64 }
 * ```
 */
export function choiceOfSizes(text: string): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const part of text.split(",")) {
    const [, name = "", number = ""] = /^\s*([^=]*?)\s*=\s*(\d+)\s*$/.exec(part) ?? [];
    if (!isDimName(name) || !Number.isSafeInteger(Number(number)) || number === "") {
      throw new UsageError(
        `--size ${text}: "${part}" is no size; write a name and a whole number, such as batch=8.`,
      );
    }
    if (Object.hasOwn(sizes, name)) {
      throw new UsageError(`--size ${text}: "${name}" is ${sizes[name]} already.`);
    }
    sizes[name] = Number(number);
  }
  return sizes;
}
