/**
 * A bundle's own scripts, and inputs for them.
 * @module
 */

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Bundle, LoadOptions } from "../../compiler/bundle/loader/public.ts";
import type { StoredArray } from "../../compiler/graph/dtype.ts";
import type { BuiltBundle } from "../../runtime/bundle/build.ts";
import type { TestBundle } from "./bundles.ts";
import { randomOf } from "./random.ts";
import { stored } from "./stored.ts";

export interface Script {
  load(options?: LoadOptions): Promise<Bundle>;
  selfTest(options?: LoadOptions): Promise<string[]>;
}

/** What a page does: the bundle's own scripts, from its folder. */
export async function scriptOf({ folder }: TestBundle): Promise<Script> {
  const url = (name: string) => pathToFileURL(join(folder, name)).href;
  return { ...await import(url("index.js")), ...await import(url("selftest.js")) };
}

/** Inputs for choice `size`, different in each run. */
export function inputsOf({ compiled }: BuiltBundle, size: number, run: number): Record<string, StoredArray> {
  const random = randomOf(17 + run);
  return Object.fromEntries(compiled[size]!.program.inputs.map(({ name, shape, dtype }) => {
    const count = shape.reduce((n, d) => n * d, 1);
    const isFloat = dtype === "f32" || dtype === "f16";
    return [
      name,
      stored(
        dtype,
        Array.from({ length: count }, () => isFloat ? random() * 2 - 1 : Math.floor(random() * 2)),
      ),
    ];
  }));
}
