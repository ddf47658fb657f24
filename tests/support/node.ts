/** Programs in Node, with npm packages that Deno has fetched already. */

import { createRequire } from "node:module";
import { dirname, join } from "node:path";

export interface NodeFolder extends Disposable {
  readonly path: string;
  /** Runs a script of the folder; gives what it printed, and fails with what it complained of. */
  run(script: string, ...args: string[]): Promise<string>;
}

/** Why no program can be run in Node here; undefined where one can. */
export function nodeIsMissing(): string | undefined {
  try {
    new Deno.Command("node", { args: ["--version"], stdout: "null", stderr: "null" }).outputSync();
    return undefined;
  } catch {
    return "there is no Node on this machine";
  }
}

/** A new folder with these packages in `node_modules`, by their names and the modules that are imported of them. */
export function nodeFolder(
  packages: readonly string[],
  scripts: Readonly<Record<string, string>>,
): NodeFolder {
  const path = Deno.makeTempDirSync({ prefix: "weft-node-" });
  const { resolve } = createRequire(import.meta.url);
  for (const name of packages) {
    const target = join(path, "node_modules", name);
    Deno.mkdirSync(dirname(target), { recursive: true });
    Deno.symlinkSync(dirname(resolve(`${name}/package.json`)), target);
  }
  for (const [name, text] of Object.entries(scripts)) Deno.writeTextFileSync(join(path, name), text);
  return {
    path,
    async run(script, ...args) {
      const { success, stdout, stderr } = await new Deno.Command("node", {
        args: [script, ...args],
        cwd: path,
      }).output();
      const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      if (!success) throw new Error(`node ${script}: ${text(stderr)}`);
      return text(stdout);
    },
    [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }),
  };
}
