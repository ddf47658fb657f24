/** The GPT of examples/pages, built by one command, writes one text wherever it runs. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { create } from "webgpu";
import type { LoadOptions } from "../../compiler/bundle/loader/public.ts";
import { write } from "../../examples/pages/text.js";
import { chromiumPath, openPage, type Served } from "../support/browser.ts";
import { bytesOf } from "../support/bundles.ts";
import { nodeFolder, nodeIsMissing } from "../support/node.ts";
import { beside, pageOf, pagePath } from "../support/pages.ts";

const dawn = create([]) as GPU; // must stay referenced while its devices live

const site = new Map([
  ...await pageOf("text.html", "text", "--state", pagePath("text.safetensors"), "--weights", "f16"),
  ...beside("text.js", "text.json"),
]);
const model = JSON.parse(site.get("text.json") as string);
/** What the page has in its controls when it opens. */
const asked = { prompt: "ROMEO:\n", temperature: 0.8, seed: 1, count: 100 };

function unpack(site: Served, folder: string): void {
  for (const [name, file] of site) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    Deno.writeFileSync(
      join(folder, name),
      typeof file === "string" ? new TextEncoder().encode(file) : bytesOf(file),
    );
  }
}

/** The text by Deno, after another one of so many characters from the same bundle. */
async function written(folder: string, options: LoadOptions, before = 0): Promise<string> {
  const script = (name: string) => import(pathToFileURL(join(folder, "dist/text", name)).href);
  assert.deepEqual(await (await script("selftest.js")).selfTest(options), []);
  using bundle = await (await script("index.js")).load(options);
  for await (const _ of write(bundle, model, { prompt: "What light", seed: 7, count: before }));
  let text = "";
  for await (const character of write(bundle, model, asked)) text += character;
  return text;
}

const folder = Deno.makeTempDirSync({ prefix: "weft-test-" });
let wanted = "";

Deno.test("the GPT passes its self-test and writes a text in Deno, which is words and lines", async () => {
  unpack(site, folder);
  wanted = await written(folder, {}, 60);
  assert.equal(wanted.length, asked.count);
  const words = wanted.toLowerCase().match(/[a-z']+/g)!;
  const common = [
    "the",
    "and",
    "to",
    "of",
    "i",
    "you",
    "my",
    "a",
    "that",
    "in",
    "is",
    "not",
    "with",
    "it",
    "be",
  ];
  assert(words.filter((word) => common.includes(word)).length >= 4 && wanted.includes("\n"), wanted);
});

Deno.test("the GPT writes the same text in Deno on Dawn", async () => {
  assert.equal(await written(folder, { gpu: dawn }, 10), wanted);
});

const missing = nodeIsMissing();
Deno.test({
  name: missing === undefined
    ? "the GPT writes the same text in Node on Dawn"
    : `the GPT was not run in Node: ${missing}`,
  ignore: missing !== undefined,
  fn: async () => {
    const script = `
      import { pathToFileURL } from "node:url";
      import { create } from "webgpu";
      const [folder, asked, model] = process.argv.slice(2);
      const { load } = await import(pathToFileURL(folder + "/dist/text/index.js"));
      const { selfTest } = await import(pathToFileURL(folder + "/dist/text/selftest.js"));
      const { write } = await import(pathToFileURL(folder + "/text.js"));
      const gpu = create([]);
      const mistakes = await selfTest({ gpu });
      const bundle = await load({ gpu });
      let text = "";
      for await (const character of write(bundle, JSON.parse(model), JSON.parse(asked))) text += character;
      bundle.dispose();
      console.log(JSON.stringify({ mistakes, text }));
      process.exit(0); // Dawn keeps a thread alive`;
    using node = nodeFolder(["webgpu"], { "write.mjs": script });
    const said = await node.run("write.mjs", folder, JSON.stringify(asked), JSON.stringify(model));
    assert.deepEqual(JSON.parse(said), { mistakes: [], text: wanted });
  },
});

Deno.test({
  name: chromiumPath() === undefined
    ? "the page that writes text was not opened, since there is no Chromium here (apt-get install chromium)"
    : "the page passes the self-test and writes the same text, character by character, and stops when it is told to",
  ignore: chromiumPath() === undefined,
  fn: async () => {
    await using opened = await openPage(site, "text.html?count=1000000");
    const { page, complaints } = opened;
    const until = (condition: string) => page.waitForFunction(condition, undefined, { timeout: 120_000 });
    await until("!document.getElementById('write').disabled");
    const selfTest = "import('/dist/text/selftest.js').then(({ selfTest }) => selfTest())";
    assert.deepEqual(await page.evaluate(selfTest), []);
    for (const least of [3, asked.count]) {
      await page.click("#write");
      await until(`document.querySelector("#text b")?.textContent.length >= ${least}`);
      await page.click("#stop");
      await until("document.getElementById('status').dataset.done === 'yes'");
      const [text, status] = await Promise.all(["#text", "#status"].map((id) => page.textContent(id)));
      const both = Math.min(text!.length, asked.prompt.length + asked.count);
      assert.equal(text!.slice(0, both), (asked.prompt + wanted).slice(0, both));
      assert.match(status!, new RegExp(`^${text!.length - asked.prompt.length} characters, \\d+ tokens/s$`));
    }
    assert.deepEqual(complaints, []);
    const picture = Deno.env.get("WEFT_SCREENSHOT");
    if (picture) await page.screenshot({ path: picture });
  },
});

Deno.test("what was unpacked is removed", () => Deno.removeSync(folder, { recursive: true }));
