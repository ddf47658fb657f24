/**
 * The tests of several files in one process, which loads the library once and whose engine has seen its code: by a worker
 * each, the quick suite takes three times as long.
 *
 *     deno test --allow-all tests/support/test_files.ts -- tests/unit 0 2    the first half of the files of tests/unit
 *
 * @module
 */

import { globSync } from "node:fs";

const root = new URL("../../", import.meta.url);
const [folder, part, parts] = Deno.args;
const files = globSync(`${folder}/**/*_test.ts`, { cwd: root }).sort();
// Neighbors take long together, so they are dealt out.
for (const [i, file] of files.entries()) {
  if (i % Number(parts) !== Number(part)) continue;
  try {
    await import(new URL(file, root).href);
  } catch (error) {
    Deno.test(`${file} can be loaded`, () => {
      throw error;
    });
  }
}
