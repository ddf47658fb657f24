/**
 * The model that a command is about: a file that exports it, by name where there are several, and numbers for its sizes.
 * @module
 */

import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { sizeNames } from "../../compiler/graph/bind.ts";
import type { Sizes } from "../../compiler/graph/dim.ts";
import { Model } from "../../compiler/model/model.ts";
import { UsageError } from "./usage_error.ts";

export interface LoadedModel {
  /** The name it is exported by. */
  readonly name: string;
  readonly model: Model;
}

/**
 * Imports a file and takes the model that it exports.
 *
 * @param name Which export; may be left out where there is one model.
 * @throws UsageError where there is no such file, export or model.
 * @example
 * ```ts
 * import { loadModel } from "./load_model.ts";
 *
 * try {
 *   const { name, model } = await loadModel("model.ts");
 *   console.log(name, Object.keys(model.inputs));
 * } catch (error) {
 *   console.error(`${error}`); // there is no file "model.ts"
 * }
 * ```
 */
export async function loadModel(file: string, name?: string): Promise<LoadedModel> {
  if (!existsSync(file)) throw new UsageError(`there is no file "${file}" in ${Deno.cwd()}.`);
  if (statSync(file).isDirectory()) {
    throw new UsageError(`"${file}" is a folder; name a file that exports a model.`);
  }
  if (!/\.[cm]?[jt]sx?$/.test(file)) {
    throw new UsageError(
      `"${file}" is no module of TypeScript or JavaScript; name a file that exports a model.`,
    );
  }
  let exports: Readonly<Record<string, unknown>>;
  try {
    exports = await import(pathToFileURL(resolve(file)).href);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new UsageError(`"${file}" can't be loaded: ${message}`, { cause: error });
  }
  const models = Object.entries(exports).filter((entry): entry is [string, Model] =>
    entry[1] instanceof Model
  );
  const there = models.length === 0
    ? "It exports no model"
    : `It exports the ${models.length === 1 ? "model" : "models"} ${quoted(models.map(([key]) => key))}`;
  if (name === undefined) {
    const [only, ...others] = models;
    if (only === undefined) {
      throw new UsageError(
        `"${file}" exports no model${
          strangers(exports)
        }; write \`export const net = model(…)\`, or export what ` +
          "trainStep(…) gives.",
      );
    }
    if (others.length > 0) {
      throw new UsageError(`"${file}" exports several models; say which with --export. ${there}.`);
    }
    return { name: only[0], model: only[1] };
  }
  if (!Object.hasOwn(exports, name)) throw new UsageError(`"${file}" exports no "${name}". ${there}.`);
  const found = exports[name];
  if (!(found instanceof Model)) {
    throw new UsageError(`"${name}" of "${file}" is no model${strangers({ [name]: found })}. ${there}.`);
  }
  return { name, model: found };
}

/** Tells of exports that would be models, had this copy of Weft made them. */
function strangers(exports: Readonly<Record<string, unknown>>): string {
  const foreign = Object.entries(exports).filter(([, value]) =>
    typeof value === "object" && value !== null && value.constructor?.name === "Model"
  );
  if (foreign.length === 0) return "";
  return ` (${quoted(foreign.map(([key]) => key))} was made by another copy of Weft than this command's)`;
}

/**
 * A number for each size of a model, from texts such as `batch=32`.
 *
 * @throws UsageError where a text is none of these, a size is missing, unknown, said twice or no number.
 */
export function sizesFrom(texts: readonly string[], { name, model }: LoadedModel): Sizes {
  const names = sizeNames(model.graph);
  const sizes: Record<string, number> = {};
  for (const text of texts) {
    const [, size, number] = /^([^=]+)=(.*)$/.exec(text) ?? [];
    if (size === undefined || number === undefined) {
      throw new UsageError(`--size ${text}: write a name and a number, such as --size batch=32.`);
    }
    if (!names.includes(size)) {
      const own = names.length === 0 ? "it has none" : `its sizes are ${quoted(names)}`;
      throw new UsageError(`--size ${text}: "${name}" has no size "${size}"; ${own}.`);
    }
    if (Object.hasOwn(sizes, size)) {
      throw new UsageError(`--size ${text}: "${size}" is ${sizes[size]} already.`);
    }
    sizes[size] = Number(number);
    if (!/^\d+$/.test(number) || !Number.isSafeInteger(sizes[size])) {
      throw new UsageError(`--size ${text}: "${number}" is no whole number from 0 up.`);
    }
  }
  const missing = names.filter((size) => !Object.hasOwn(sizes, size));
  if (missing.length > 0) {
    const example = missing.map((size) => `--size ${size}=32`).join(" ");
    throw new UsageError(
      `"${name}" has ${missing.length === 1 ? "a size that needs" : "sizes that need"} a number: ${
        quoted(missing)
      }; say, for one, ${example}.`,
    );
  }
  return sizes;
}

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(", ");
