/** Bundles in Chromium: in a page and in a Worker, each by what it is served and nothing else. */

import assert from "node:assert/strict";
import { cnn, gptStep, mlp, mlpStep, writer } from "../support/bundle_models.ts";
import { buildBundle } from "../../runtime/bundle/build.ts";
import type { Model } from "../../mod.ts";
import { below, chromiumPath, openBrowser, openPage } from "../support/browser.ts";
import { draw, pageOf, pagePath, strokes } from "../support/pages.ts";

const page = (where: "page" | "worker") =>
  `<!doctype html><meta charset="utf-8"><title>Test</title>
<script type="module">
  ${
    where === "page"
      ? `import { selfTest } from "./dist/selftest.js";
  selfTest().then((mistakes) => document.title = JSON.stringify(mistakes), (error) => document.title = "failed: " + error);`
      : `const worker = new Worker("worker.js", { type: "module" });
  worker.onmessage = ({ data }) => document.title = data;
  worker.onerror = ({ message }) => document.title = "failed: " + message;`
  }
</script>`;
const worker = `import { selfTest } from "./dist/selftest.js";
selfTest().then((mistakes) => postMessage(JSON.stringify(mistakes)), (error) => postMessage("failed: " + error));`;

// deno-lint-ignore no-explicit-any -- models of any inputs and outputs
const cases: readonly (readonly [string, Model<any, any>, number, "page" | "worker"])[] = [
  ["an MLP", mlp, 1, "page"],
  ["an MLP's training step", mlpStep, 4, "worker"],
  ["a CNN", cnn, 1, "page"],
  ["a GPT's training step", gptStep, 1, "page"],
  ["a GPT that writes", writer, 0, "page"],
];
const path = chromiumPath();
const browser = path === undefined ? undefined : await openBrowser();
for (const [name, model, batch, where] of cases) {
  Deno.test({
    name: path === undefined
      ? `the bundle of ${name} was not run in a browser: there is no Chromium here (apt-get install chromium)`
      : `the bundle of ${name} passes its self-test in Chromium, in a ${where}`,
    ignore: path === undefined,
    fn: async () => {
      const { files } = await buildBundle(model, {
        name: "test",
        sizes: batch > 0 ? { batch } : {},
        tune: "software",
      });
      const served = new Map([...below("dist", files), ["index.html", page(where)], ["worker.js", worker]]);
      await using opened = await openPage(served, "index.html", browser);
      await opened.page.waitForFunction('document.title !== "Test"', undefined, { timeout: 120_000 });
      assert.equal(await opened.page.title(), "[]");
      assert.deepEqual(opened.complaints, []);
    },
  });
}

const withBrowser = (name: string, fn: () => Promise<void>) =>
  Deno.test({
    name: path === undefined
      ? `not run, since there is no Chromium here (apt-get install chromium): ${name}`
      : name,
    ignore: path === undefined,
    fn,
  });

withBrowser("the page that reads digits reads four that are drawn on it", async () => {
  const served = await pageOf(
    "digits.html",
    "digits",
    "--no-self-test",
    "--size",
    "batch=1",
    "--state",
    pagePath("digits.safetensors"),
    "--weights",
    "f16",
  );
  await using opened = await openPage(served, "digits.html", browser);
  await opened.page.waitForFunction("document.getElementById('answer').textContent === 'ready'", undefined, {
    timeout: 60_000,
  });
  for (const digit of Object.keys(strokes)) assert.equal(await draw(opened.page, digit), digit);
  assert.deepEqual(opened.complaints, []);
});

withBrowser("the page that trains lowers its loss a hundredfold", async () => {
  await using opened = await openPage(
    await pageOf("train.html", "curveStep", "--no-self-test", "--size", "batch=64"),
    "train.html?steps=600",
    browser,
  );
  await opened.page.waitForFunction("document.getElementById('status').dataset.done === 'yes'", undefined, {
    timeout: 120_000,
  });
  const loss = Number(await opened.page.getAttribute("#status", "data-loss"));
  assert(loss > 0 && loss < 0.005, String(loss));
  assert.deepEqual(opened.complaints, []);
});

Deno.test("the browser is closed", async () => await browser?.close());
