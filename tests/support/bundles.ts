/** Bundles on disk for a test, gone when it ends. */

import { join } from "node:path";
import { buildBundle, type BuiltBundle, type BundleOptions } from "../../runtime/bundle/build.ts";
import { writeBundle } from "../../runtime/bundle/write.ts";
import type { Model } from "../../mod.ts";

export interface TestBundle extends Disposable {
  readonly folder: string;
  readonly built: BuiltBundle;
}

/** Builds a bundle into a new folder. Schedules for software adapters compile quickly on them. */
export async function testBundle(
  // deno-lint-ignore no-explicit-any -- of any inputs and outputs
  model: Model<any, any>,
  options: Partial<BundleOptions> = {},
): Promise<TestBundle> {
  const parent = Deno.makeTempDirSync({ prefix: "weft-test-" });
  const folder = join(parent, "dist");
  const built = await buildBundle(model, { name: "test", tune: "software", ...options });
  await writeBundle(folder, built);
  return { folder, built, [Symbol.dispose]: () => Deno.removeSync(parent, { recursive: true }) };
}

/** A file of a built bundle as text. */
export const fileText = ({ files }: BuiltBundle, path: string): string =>
  new TextDecoder().decode(bytesOf(files.get(path)!));

/** The bytes of a file that is held in parts. */
export function bytesOf(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
