/**
 * The model that a command is about: a module's export, and sizes from the command line.
 * @module
 */

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { RunError } from "../../compiler/errors.ts";
import { isDimName } from "../../compiler/graph/dim.ts";
import { Model } from "../../compiler/model/model.ts";

/** Imports a module and gives the model that it exports. Without a name there must be exactly one. */
export async function loadModel(path: string, name: string | undefined): Promise<Model> {
  let module: Readonly<Record<string, unknown>>;
  try {
    module = await import(pathToFileURL(resolve(path)).href);
  } catch (error) {
    throw new RunError(`${path} can't be loaded: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
  const models = Object.keys(module).filter((key) => module[key] instanceof Model);
  const known = models.length === 0 ? "it exports no model" : `its models are ${models.join(", ")}`;
  if (name !== undefined) {
    const found = module[name];
    if (found instanceof Model) return found;
    throw new RunError(
      `${path} has no model "${name}"; ${known}. A model is what model(…) or trainStep(…) gave: export const ${name} = …`,
    );
  }
  if (models.length === 1) return module[models[0]!] as Model;
  throw new RunError(`${path}: which model is meant? Use --export NAME; ${known}.`);
}

/** `batch=8,ctx=64` as numbers by name, added to what was said before. */
export function parseSizes(
  text: string,
  before: Readonly<Record<string, number>> = {},
): Record<string, number> {
  const sizes = { ...before };
  for (const part of text.split(",")) {
    const [, name = "", number = ""] = /^\s*([^=]*?)\s*=\s*(\d+)\s*$/.exec(part) ?? [];
    if (!isDimName(name) || !Number.isSafeInteger(Number(number)) || number === "") {
      throw new RunError(
        `--size ${text}: "${part}" is no size; write a name and a whole number, such as batch=8.`,
      );
    }
    sizes[name] = Number(number);
  }
  return sizes;
}
