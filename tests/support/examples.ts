/**
 * What tests of the examples share: a text, options of a tiny run, and a folder that is gone afterwards.
 * @module
 */

import { join } from "node:path";
import { type Options, withDefaults } from "../../examples/train_gpt/options.ts";

export interface RunFolder extends Disposable {
  readonly path: string;
  readonly text: string;
}

/** A folder with a text of 6,000 characters that a tiny model learns fast. */
export function runFolder(): RunFolder {
  const path = Deno.makeTempDirSync({ prefix: "weft-train-" });
  const text = join(path, "text.txt");
  const words = ["the loom ", "weaves ", "a weft, ", "and the warp ", "waits.\n"];
  let letters = "";
  for (let i = 0; letters.length < 6000; i++) letters += words[(i * i + (i >> 2)) % words.length];
  Deno.writeTextFileSync(text, letters.slice(0, 6000));
  return { path, text, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

/** Options of a run that takes milliseconds per step anywhere. */
export const tinyOptions = (folder: RunFolder, said: Partial<Options> = {}): Options =>
  withDefaults({
    text: folder.text,
    out: join(folder.path, "out"),
    layers: 1,
    heads: 2,
    width: 16,
    context: 8,
    batch: 4,
    steps: 40,
    rate: 1e-2,
    minRate: 1e-3,
    eval: 0,
    evalBatches: 2,
    sample: 20,
    ...said,
  });

/** Stops a run before the step after `steps`. */
export const stopAfter = (steps: number): { readonly aborted: boolean } => {
  let asked = 0;
  return {
    get aborted() {
      return asked++ >= steps;
    },
  };
};

export const never = { aborted: false };
