/** A folder with a file of models, and what a command line says and ends with there. */

import { join } from "node:path";
import { main } from "../../cli.ts";

export function workspace(source: string) {
  const folder = Deno.makeTempDirSync({ prefix: "weft-cli-" });
  const file = join(folder, "model.ts");
  Deno.writeTextFileSync(file, source);
  return {
    folder,
    file,
    async run(...args: string[]): Promise<{ code: number; out: string }> {
      const lines: string[] = [];
      const { log, error, warn } = console;
      const write = process.stderr.write;
      const hear = (...said: unknown[]) => void lines.push(said.join(" "));
      [console.log, console.error, console.warn] = [hear, hear, hear];
      process.stderr.write = ((text: string) => (lines.push(text), true)) as typeof write;
      const before = Deno.env.get("XDG_CACHE_HOME");
      Deno.env.set("XDG_CACHE_HOME", folder);
      try {
        return { code: await main(args), out: lines.join("\n") };
      } finally {
        [console.log, console.error, console.warn] = [log, error, warn];
        process.stderr.write = write;
        if (before === undefined) Deno.env.delete("XDG_CACHE_HOME");
        else Deno.env.set("XDG_CACHE_HOME", before);
      }
    },
    [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
  };
}
