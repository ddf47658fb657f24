/**
 * A bundle on disk: written whole or not at all.
 * @module
 */

import { basename, dirname, join, resolve } from "node:path";
import { RunError } from "../../compiler/errors.ts";
import type { BuiltBundle } from "./build.ts";
import { osReason } from "../os_reason.ts";

/**
 * Writes a bundle's files into a folder, which takes the place of a bundle that is there already.
 *
 * @throws RunError where there is a folder that is no bundle, or where it can't be written.
 * @example
 * ```ts
 * import { buildBundle, input, linear, model, writeBundle } from "@weft/weft";
 *
 * const net = model({ x: input(["batch", 2], "f32") }, ({ x }) => ({ y: linear(2, 3)(x) }));
 * const folder = await Deno.makeTempDir();
 * await writeBundle(folder, await buildBundle(net, { name: "net", sizes: { batch: 8 }, open: "batch" }));
 * ```
 */
export async function writeBundle(folder: string, { files }: Pick<BuiltBundle, "files">): Promise<void> {
  const target = resolve(folder);
  const before = await bundlePlace(folder);
  const temporary = join(dirname(target), `.${basename(target)}.${crypto.randomUUID()}.tmp`);
  try {
    for (const [path, parts] of files) {
      const place = join(temporary, path);
      await Deno.mkdir(dirname(place), { recursive: true });
      using file = await Deno.open(place, { write: true, createNew: true });
      for (const part of parts) for (let at = 0; at < part.length;) at += await file.write(part.subarray(at));
    }
    if (before === "bundle") {
      const old = `${temporary}.old`;
      await Deno.rename(target, old);
      await Deno.rename(temporary, target);
      await Deno.remove(old, { recursive: true });
    } else {
      if (before === "empty") await Deno.remove(target);
      await Deno.rename(temporary, target);
    }
  } catch (error) {
    await Deno.remove(temporary, { recursive: true }).catch(() => {});
    throw new RunError(`${folder} can't be written: ${osReason(error)}.`, {
      cause: error,
    });
  }
}

/**
 * What a bundle would replace.
 *
 * @throws RunError where it can't go there.
 */
export async function bundlePlace(folder: string): Promise<"none" | "empty" | "bundle"> {
  const before = await kindOf(resolve(folder));
  if (before !== "other") return before;
  throw new RunError(
    `${folder} is there already and is no bundle (it has no manifest.json). Choose another folder, or remove it.`,
  );
}

async function kindOf(folder: string): Promise<"none" | "empty" | "bundle" | "other"> {
  try {
    const names = (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
    return names.length === 0 ? "empty" : names.includes("manifest.json") ? "bundle" : "other";
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "none";
    if (error instanceof Deno.errors.NotADirectory) return "other";
    throw new RunError(`${folder} can't be written: ${osReason(error)}.`, { cause: error });
  }
}
