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
import load from "./loader/load.ts" with { type: "text" };
import loadedBundle from "./loader/loaded_bundle.ts" with { type: "text" };
import publicTypes from "./loader/public.ts" with { type: "text" };
import selfTest from "./loader/self_test.ts" with { type: "text" };
import stateFile from "./loader/state_file.ts" with { type: "text" };

/** A file of a bundle. */
export interface Script {
  readonly name: string;
  /** In an order in which they can stand in one file. */
  readonly modules: readonly string[];
  /** Modules whose exports are the file's; the others' are its own affair. */
  readonly exports: readonly string[];
  /** What other files of the bundle are called that it imports, by the module that they are here. */
  readonly imports: Readonly<Record<string, string>>;
}

export const scripts: readonly Script[] = [
  {
    name: "index",
    modules: [publicTypes, elements, files, check, loadedBundle, load],
    exports: [publicTypes, load],
    imports: { "./state_file.ts": "./state.js" },
  },
  { name: "state", modules: [elements, stateFile], exports: [stateFile], imports: {} },
  {
    name: "selftest",
    modules: [elements, files, selfTest],
    exports: [selfTest],
    imports: { "./load.ts": "./index.js", "./public.ts": "./index.js" },
  },
];
