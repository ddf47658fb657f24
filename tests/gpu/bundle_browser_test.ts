/** Bundles in Chromium: in a page and in a Worker, each by what it is served and nothing else. */

import assert from "node:assert/strict";
import { cnn, gptStep, mlp, mlpStep } from "../support/bundle_models.ts";
import { buildBundle } from "../../runtime/bundle/build.ts";
import type { Model } from "../../mod.ts";
import { below, chromiumPath, openPage } from "../support/browser.ts";

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
];
const path = chromiumPath();
for (const [name, model, batch, where] of cases) {
  Deno.test({
    name: path === undefined
      ? `the bundle of ${name} was not run in a browser: there is no Chromium here (apt-get install chromium)`
      : `the bundle of ${name} passes its self-test in Chromium, in a ${where}`,
    ignore: path === undefined,
    fn: async () => {
      const { files } = await buildBundle(model, { name: "test", sizes: { batch }, tune: "software" });
      const served = new Map([...below("dist", files), ["index.html", page(where)], ["worker.js", worker]]);
      await using opened = await openPage(served, "index.html");
      await opened.page.waitForFunction('document.title !== "Test"', undefined, { timeout: 120_000 });
      assert.equal(await opened.page.title(), "[]");
      assert.deepEqual(opened.complaints, []);
    },
  });
}
