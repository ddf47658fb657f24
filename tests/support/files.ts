/**
 * Files that a test writes, gone when it ends.
 * @module
 */

import { join } from "node:path";

export interface TestFile extends Disposable {
  readonly folder: string;
  readonly path: string;
}

/** A path for a safetensors file in a new folder of its own, which is removed with all that is in it. */
export function safetensorsFile(): TestFile {
  const folder = Deno.makeTempDirSync({ prefix: "weft-test-" });
  return {
    folder,
    path: join(folder, "state.safetensors"),
    [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
  };
}
