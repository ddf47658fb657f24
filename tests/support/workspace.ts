/** Commands run on a file of models: what they say, and what they end with. */

import { join } from "node:path";
import { main } from "../../cli.ts";

/** A folder with `model.ts` in it, and the commands run there. */
export interface Workspace extends Disposable {
  readonly folder: string;
  readonly file: string;
  /** `out` has all that is said, `data` what goes to stdout. */
  run(...args: string[]): Promise<{ readonly code: number; readonly out: string; readonly data: string }>;
}

export function workspace(source: string): Workspace {
  const folder = Deno.makeTempDirSync({ prefix: "weft-cli-" });
  const file = join(folder, "model.ts");
  Deno.writeTextFileSync(file, source);
  return {
    folder,
    file,
    async run(...args) {
      const lines: string[] = [];
      const data: string[] = [];
      const { log, error, warn } = console;
      const write = process.stderr.write;
      const hear = (...said: unknown[]) => void lines.push(said.join(" "));
      const print = (...said: unknown[]) => {
        hear(...said);
        data.push(said.join(" "));
      };
      [console.log, console.error, console.warn] = [print, hear, hear];
      process.stderr.write = ((text: string) => (lines.push(text), true)) as typeof write;
      const before = Deno.env.get("XDG_CACHE_HOME");
      Deno.env.set("XDG_CACHE_HOME", folder);
      try {
        return { code: await main(args), out: lines.join("\n"), data: data.join("\n") };
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
