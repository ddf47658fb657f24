/**
 * The examples in the documentation of modules, as tests: each runs as a module of its own, in one process that loads the
 * library once. `deno test --doc` gives each a worker with a library of its own, which takes longer than the examples;
 * their types `deno check --doc` checks.
 * @module
 */

import assert from "node:assert/strict";
import { globSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const root = new URL("../../", import.meta.url);

/** An example, and the line on which it begins. */
export interface DocExample {
  readonly line: number;
  readonly source: string;
}

/** The examples in the documentation of a module's text: what stands between fences of the language `ts`. */
export function examplesOf(text: string): DocExample[] {
  const examples: DocExample[] = [];
  let open: { readonly line: number; readonly lines: string[] } | undefined;
  for (const [i, line] of text.split("\n").entries()) {
    const said = /^\s*\* ?(.*)$/.exec(line)?.[1];
    if (said?.startsWith("```")) {
      if (open) examples.push({ line: open.line, source: open.lines.join("\n") });
      open = open === undefined && said.trim() === "```ts" ? { line: i + 1, lines: [] } : undefined;
    } else if (open) {
      assert(said !== undefined, `the example of line ${open.line} doesn't end in its comment`);
      open.lines.push(said);
    }
  }
  return examples;
}

/** What an example imports, from where its module lies: a file may not be named as it is elsewhere. */
const imported = (source: string, module: URL): string =>
  source.replace(/(\bfrom\s+|\bimport\s+)"(@weft\/weft|\.{1,2}\/[^"]+)"/g, (_, what, from) => {
    const url = from === "@weft/weft" ? new URL("mod.ts", root) : new URL(from, module);
    return `${what}${JSON.stringify(url.href)}`;
  });

/** Registers a test for each example in these files and folders of the checkout. */
export function testExamples(...paths: readonly string[]): void {
  const files = paths.flatMap((path) =>
    statSync(new URL(path, root)).isDirectory() ? globSync(`${path}/**/*.ts`, { cwd: root }).sort() : [path]
  );
  const folder = Deno.makeTempDirSync({ prefix: "weft-doc-" });
  for (const file of files) {
    const module = new URL(file, root);
    for (const { line, source } of examplesOf(Deno.readTextFileSync(module))) {
      Deno.test(`${file}:${line}`, async () => {
        const path = join(folder, `${file.replaceAll(/[/\\]/g, "_")}_${line}.ts`);
        Deno.writeTextFileSync(path, `${imported(source, module)}\nexport {};\n`);
        await import(pathToFileURL(path).href);
      });
    }
  }
  Deno.test("what the examples were written into is removed", () => {
    Deno.removeSync(folder, { recursive: true });
  });
}
