/** Bundles on Dawn: in Node by their own loader, in Node by a host that shares no code with it, and in Deno. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { create } from "webgpu";
import type { HostArray } from "../../compiler/bundle/loader/public.ts";
import { cnn, gptStep, mlp, mlpStep } from "../support/bundle_models.ts";
import { testBundle } from "../support/bundles.ts";
import { nodeFolder, nodeIsMissing } from "../support/node.ts";

const dawn = create([]) as GPU; // must stay referenced while its devices live

/** The self-test's inputs through the bundle's own loader: mistakes, and the bits of the outputs. */
const script = `
  import { readFileSync } from "node:fs";
  import { pathToFileURL } from "node:url";
  import { create } from "webgpu";
  const gpu = create([]);
  const folder = process.argv[2];
  const { load } = await import(pathToFileURL(folder + "/index.js"));
  const { selfTest } = await import(pathToFileURL(folder + "/selftest.js"));
  const mistakes = await selfTest({ gpu });
  const { inputs } = JSON.parse(readFileSync(folder + "/selftest.json", "utf8"));
  const arrays = { f32: Float32Array, i32: Int32Array };
  const manifest = JSON.parse(readFileSync(folder + "/manifest.json", "utf8"));
  const fed = Object.fromEntries(manifest.inputs.map(({ name, dtype }) => [name, arrays[dtype].from(inputs[name])]));
  const bundle = await load({ gpu });
  const outputs = {};
  for (const [name, { buffer, byteOffset, byteLength }] of Object.entries(await bundle.run(fed))) {
    outputs[name] = Buffer.from(buffer, byteOffset, byteLength).toString("hex");
  }
  const features = ["shader-f16", "subgroups"].filter((name) => bundle.device.features.has(name));
  bundle.dispose();
  console.log(JSON.stringify({ mistakes, outputs, features }));
  process.exit(0); // Dawn keeps a thread alive
`;
const host = (name: string) =>
  Deno.readTextFileSync(new URL(`../../examples/bundle_host/${name}`, import.meta.url));
const scripts = {
  "loader.mjs": script,
  "host.mjs": host("host.mjs"),
  "json_schema.mjs": host("json_schema.mjs"),
  "run.mjs": host("run.mjs"),
};
const schema = new URL("../../compiler/bundle/manifest.schema.json", import.meta.url).pathname;

const cases = [
  ["an MLP", mlp, { sizes: { batch: 3 } }],
  ["an MLP's training step", mlpStep, { sizes: { batch: 4 } }],
  ["a CNN", cnn, { sizes: { batch: 2 } }],
  ["a GPT's training step", gptStep, { sizes: { batch: 1 } }],
] as const;
const missing = nodeIsMissing();
for (const [name, model, options] of cases) {
  Deno.test({
    name: missing === undefined
      ? `the bundle of ${name} gives the same bits in Node, by its loader and by a host of its schema, and in Deno on Dawn`
      : `the bundle of ${name} was not run in Node: ${missing}`,
    ignore: missing !== undefined,
    fn: async () => {
      using bundle = await testBundle(model, options);
      using node = nodeFolder(["webgpu"], scripts);
      const byLoader = JSON.parse(await node.run("loader.mjs", bundle.folder));
      assert.deepEqual(byLoader.mistakes, []);
      assert(Object.keys(byLoader.outputs).length > 0);
      const byHost = JSON.parse(await node.run("host.mjs", bundle.folder, schema));
      assert.deepEqual(byHost.outputs, byLoader.outputs);
      assert.deepEqual(byHost.features, byLoader.features);

      const { load } = await import(pathToFileURL(join(bundle.folder, "index.js")).href);
      const test = JSON.parse(await Deno.readTextFile(join(bundle.folder, "selftest.json")));
      const arrays = { f32: Float32Array, i32: Int32Array } as const;
      const fed = bundle.built.manifest.inputs.map(({ name, dtype }) =>
        [name, arrays[dtype as "f32"].from(test.inputs[name])] as const
      );
      using loaded = await load({ gpu: dawn });
      const outputs: Record<string, HostArray> = await loaded.run(Object.fromEntries(fed));
      const hex = Object.entries(outputs).map(([name, { buffer, byteOffset, byteLength }]) =>
        [name, new Uint8Array(buffer, byteOffset, byteLength).toHex()] as const
      );
      assert.deepEqual(Object.fromEntries(hex), byLoader.outputs);
    },
  });
}

Deno.test({
  name: missing === undefined
    ? "the independent host refuses a bundle that was changed, by a sentence"
    : `the independent host was not run: ${missing}`,
  ignore: missing !== undefined,
  fn: async () => {
    using bundle = await testBundle(mlp, { sizes: { batch: 1 }, format: "json" });
    assert(![...bundle.built.files.keys()].some((file) => file.endsWith(".js")));
    using node = nodeFolder(["webgpu"], scripts);
    const path = join(bundle.folder, "manifest.json");
    const text = await Deno.readTextFile(path);
    const refused = async (changed: string, message: RegExp) => {
      assert.notEqual(changed, text);
      await Deno.writeTextFile(path, changed);
      await assert.rejects(node.run("host.mjs", bundle.folder, schema), { message });
    };
    const stated = /"tolerance":\{"absolute":[^,]*,"relative":[^}]*\}/;
    await refused(text.replace(stated, '"tolerance":{"absolute":-1,"relative":0}'), /tolerance is none of/);
    await refused(text.replace(stated, '"open":true'), /outputs have a tolerance where there is a self-test/);
    const test = await Deno.readTextFile(join(bundle.folder, "selftest.json"));
    const wrong = test.replace(/"values":\[[\d.e-]+/, '"values":[0.5');
    await Deno.writeTextFile(join(bundle.folder, "selftest.json"), wrong);
    const hash = createHash("sha256").update(wrong).digest("hex");
    await refused(
      text.replace(/("selftest.json","sha256":)"\w+"/, `$1"${hash}"`),
      /answer\[\d+\] is 0[.\d]+, and should be 0.5 within \d/,
    );
    await refused(text.replace('"weft-bundle"', '"other"'), /manifest\/format is not weft-bundle/);
    await refused(text.replace('"f32"', '"f64"'), /dtype is none of f32/);
    await refused(text.replace(/"bindings":\[\[0,0,/, '"bindings":[[0,256000,'), /lies outside/);
    await refused(text.replace(/"file":"kernels[^"]*"/, '"file":"../etc/passwd"'), /file is malformed/);
    await refused(text.replace(/"bytes":\d+,"header"/, '"bytes":9999,"header"'), /has other tensors/);
  },
});
