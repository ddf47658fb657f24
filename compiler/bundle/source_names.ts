/**
 * Places in the user's source as a bundle names them: relative to the folder that all of them have in common, so that
 * the same sources give the same text wherever they lie.
 * @module
 */

import type { Origin } from "../errors.ts";

export class SourceNames {
  readonly #root: string;

  constructor(origins: readonly Origin[]) {
    this.#root = commonFolder(origins.map(({ file }) => file));
  }

  /** `layers/block.ts:12:9` */
  show({ file, line, column }: Origin): string {
    const path = file.startsWith(this.#root) ? file.slice(this.#root.length) : file;
    // A comment in WGSL ends where its line does.
    return `${decodeURI(path).replace(/[\r\n\v\f\u0085\u2028\u2029]/g, " ")}:${line}:${column}`;
  }
}

function commonFolder(files: readonly string[]): string {
  const folder = (file: string) => file.slice(0, file.lastIndexOf("/") + 1);
  let common: string | undefined;
  for (const file of files) {
    common ??= folder(file);
    while (!file.startsWith(common)) common = folder(common.slice(0, -1));
  }
  return common ?? "";
}
