/**
 * The loader's modules as text, and which of them make which file of a bundle.
 *
 * They are ordinary modules of this repository, checked and tested as such; in a bundle those that are always needed
 * are one file, and what few pages need is fetched when it is.
 * @module
 */

import check from "./loader/check.ts" with { type: "text" };
import elements from "./loader/elements.ts" with { type: "text" };
import files from "./loader/files.ts" with { type: "text" };
import halves from "./loader/halves.ts" with { type: "text" };
import load from "./loader/load.ts" with { type: "text" };
import loadedBundle from "./loader/loaded_bundle.ts" with { type: "text" };
import memory from "./loader/memory.ts" with { type: "text" };
import pipelines from "./loader/pipelines.ts" with { type: "text" };
import publicTypes from "./loader/public.ts" with { type: "text" };
import selfTest from "./loader/self_test.ts" with { type: "text" };
import stateFile from "./loader/state_file.ts" with { type: "text" };
import subgroups from "./loader/subgroups.ts" with { type: "text" };

/** A file of a bundle. */
export interface Script {
  readonly name: string;
  /** In an order in which they can stand in one file. */
  readonly modules: readonly string[];
  /** Modules whose exports are the file's; the others' are its own affair. */
  readonly exports: readonly string[];
}

/** What the modules that other files import are called in a bundle. */
export const scriptOf: Readonly<Record<string, string>> = {
  "./halves.ts": "./halves.js",
  "./load.ts": "./index.js",
  "./public.ts": "./index.js",
  "./state_file.ts": "./state.js",
  "./subgroups.ts": "./subgroups.js",
};

export const scripts: readonly Script[] = [
  {
    name: "index",
    modules: [publicTypes, elements, files, check, pipelines, memory, loadedBundle, load],
    exports: [publicTypes, load],
  },
  { name: "halves", modules: [halves], exports: [halves] },
  { name: "state", modules: [elements, stateFile], exports: [stateFile] },
  { name: "subgroups", modules: [subgroups], exports: [subgroups] },
  { name: "selftest", modules: [elements, files, selfTest], exports: [selfTest] },
];
