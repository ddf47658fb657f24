/** Bundles with a variant for subgroups: who takes it, who takes the plain one, and that both give the same numbers. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { create } from "webgpu";
import { load } from "../../compiler/bundle/loader/load.ts";
import type { Bundle, LoadOptions } from "../../compiler/bundle/loader/public.ts";
import { compileGraph } from "../../compiler/compile.ts";
import type { PlanLock } from "../../compiler/lock/lock.ts";
import { lockOf } from "../../compiler/lock/make.ts";
import { gpuTarget } from "../../compiler/target.ts";
import { input, matmul, model, sum } from "../../mod.ts";
import { openDevice } from "../../runtime/device.ts";
import { below, chromiumPath, openPage } from "../support/browser.ts";
import { halves, mlpStep } from "../support/bundle_models.ts";
import { fileText, testBundle } from "../support/bundles.ts";
import { nodeFolder, nodeIsMissing } from "../support/node.ts";

const square = model({ x: input([32, 64], "f32"), w: input([64, 64], "f32") }, ({ x, w }) => ({
  y: matmul(x, w),
}));
const rows = model({ x: input(["n", 1000], "f32") }, ({ x }) => ({ y: sum(x, 1) }));

const dawn = create([]) as GPU; // must stay referenced while its devices live
const native = navigator.gpu;

const bundle = await testBundle(mlpStep, { sizes: { batch: 64 }, features: ["subgroups"] });
const { manifest } = bundle.built;
const url = (name: string) => pathToFileURL(join(bundle.folder, name)).href;
const script: {
  load(options?: LoadOptions): Promise<Bundle>;
  selfTest(options?: LoadOptions): Promise<string[]>;
} = { ...await import(url("index.js")), ...await import(url("selftest.js")) };

/** Whether a device has the feature, for a variant that was chosen asks for no more than it needs. */
const isInSubgroups = ({ device }: Bundle) => device.features.has("subgroups" as GPUFeatureName);

async function chosen(options: LoadOptions): Promise<string> {
  using loaded = await script.load(options);
  assert.deepEqual(await script.selfTest(options), []);
  return isInSubgroups(loaded) ? "subgroups" : "plain";
}

/** An engine whose adapters say something else of themselves. */
const saying = (gpu: GPU, info: object): GPU => ({
  async requestAdapter() {
    const adapter = (await gpu.requestAdapter())!;
    return {
      features: adapter.features,
      limits: adapter.limits,
      info,
      requestDevice: (descriptor?: GPUDeviceDescriptor) => adapter.requestDevice(descriptor),
    };
  },
} as never);

const { target } = await openDevice({ device: "webgpu" });
const holds = target.features.subgroups && target.broadcast >= 8;

Deno.test("a bundle for subgroups has a plain variant as well, and says what each needs", () => {
  assert.deepEqual(manifest.variants.map(({ features }) => features), [["subgroups"], []]);
  const [variant, plain] = manifest.variants;
  assert.deepEqual(variant!.info, { subgroupMinSize: 8 });
  assert.deepEqual([plain!.info, plain!.probes], [undefined, undefined]);
  const texts = manifest.kernels.map(({ file }) => fileText(bundle.built, file));
  const asking = texts.flatMap((text, i) => /^enable subgroups;$/m.test(text) ? [i] : []);
  const runBy = ({ programs }: NonNullable<typeof plain>) =>
    programs.flatMap(({ steps }) => steps.flatMap((step) => "kernel" in step ? [step.kernel] : []));
  const asked = asking.filter((kernel) => runBy(variant!).includes(kernel));
  assert(asked.length > 0);
  assert.deepEqual(asking.filter((kernel) => runBy(plain!).includes(kernel)), []);
  for (const kernel of asked) {
    assert.match(texts[kernel]!, /subgroup(Broadcast|ShuffleXor)\(/);
    assert.match(texts[kernel]!, /@builtin\(subgroup_invocation_id\)/);
    assert.doesNotMatch(texts[kernel]!, /local_invocation_index/);
  }
});

const testHost = (name: string, gpu: GPU) =>
  Deno.test({
    name: holds
      ? `${name} takes the variant for subgroups, and the plain one where it must`
      : `subgroups were not asked in ${name}: this machine's have no room for 8 lanes`,
    ignore: !holds,
    fn: async () => {
      assert.equal(await chosen({ gpu }), "subgroups");
      assert.equal(await chosen({ gpu: saying(gpu, { subgroupMinSize: 4, subgroupMaxSize: 64 }) }), "plain");
      const device = await (await gpu.requestAdapter())!.requestDevice();
      assert.equal(await chosen({ device }), "plain");
      device.destroy();
      const granting = await (await gpu.requestAdapter())!.requestDevice({
        requiredFeatures: ["subgroups" as GPUFeatureName],
      });
      assert.deepEqual(await script.selfTest({ device: granting }), []);
      granting.destroy();
    },
  });

testHost("Deno", native);

Deno.test("where a workgroup turns out to be no subgroup the plain variant is taken, and nothing is left behind", async () => {
  using changed = await testBundle(mlpStep, { sizes: { batch: 64 }, features: ["subgroups"] });
  const [probe] = manifest.variants[0]!.probes!;
  const { file } = manifest.kernels[probe!]!;
  const rewrite = async (text: string) => {
    assert.notEqual(text, fileText(bundle.built, file));
    const code = text.replace(/^(\/\/[^\n]*\n)*/, "");
    const kernels = manifest.kernels.map((kernel, i) =>
      i === probe ? { ...kernel, sha256: createHash("sha256").update(code).digest("hex") } : kernel
    );
    await Deno.writeTextFile(join(changed.folder, file), text);
    await Deno.writeTextFile(join(changed.folder, "manifest.json"), JSON.stringify({ ...manifest, kernels }));
  };
  const text = fileText(bundle.built, file);
  for (
    const wrong of [
      text.replace("subgroupBroadcast(id, 3u) ^ 3u", "subgroupBroadcast(id, 3u) ^ 2u"), // a lane is another
      text.replace("@workgroup_size(8)", "@workgroup_size(4)"), // half of a workgroup is elsewhere
      text.replace("select", "sellect"), // its compiler takes no such text
    ]
  ) {
    await rewrite(wrong);
    const opened: GPUDevice[] = [];
    const gone: GPUDevice[] = [];
    const gpu = {
      async requestAdapter() {
        const adapter = (await native.requestAdapter())!;
        return {
          features: adapter.features,
          limits: adapter.limits,
          info: adapter.info,
          async requestDevice(descriptor?: GPUDeviceDescriptor) {
            const device = await adapter.requestDevice(descriptor);
            opened.push(device);
            const destroy = device.destroy.bind(device);
            return Object.assign(device, { destroy: () => (gone.push(device), destroy()) });
          },
        };
      },
    };
    const loaded = await load({ gpu: gpu as never, base: pathToFileURL(`${changed.folder}/`) });
    assert.equal(isInSubgroups(loaded), false);
    assert.equal(opened.length, holds ? 2 : 1);
    assert.deepEqual([loaded.device, ...gone], opened.toReversed());
    loaded.dispose();
  }
});

Deno.test({
  name: holds
    ? "workgroups of several subgroups are asked whether their lanes stand in order, and give the same numbers"
    : "workgroups of several subgroups were not asked: this machine's have no room for 8 lanes",
  ignore: !holds,
  fn: async () => {
    const handing = { ...gpuTarget, features: { f16: false, subgroups: true }, subgroup: 8 };
    const compiled = compileGraph(rows.graph, { target: handing, sizes: { n: 5 } });
    const lock: PlanLock = JSON.parse(JSON.stringify(lockOf(compiled)));
    using large = await testBundle(rows, { lock, tune: undefined as never });
    const [variant] = large.built.manifest.variants;
    assert.deepEqual(variant!.info, { subgroupMinSize: 8 });
    const sizes = variant!.probes!.map((probe) => large.built.manifest.kernels[probe]!.workgroup[0]);
    assert(sizes.some((lanes) => lanes > 8), String(sizes));
    for (const gpu of [native, dawn]) {
      using loaded = await load({ gpu, base: pathToFileURL(`${large.folder}/`) });
      assert(isInSubgroups(loaded));
      const x = Float32Array.from({ length: 5 * 1000 }, (_, i) => (i * 7919 % 1000) / 1000);
      const { y } = await loaded.run({ x } as never) as unknown as { y: Float32Array };
      for (let row = 0; row < 5; row++) {
        const sum = x.subarray(row * 1000, row * 1000 + 1000).reduce((a, b) => a + b, 0);
        assert(Math.abs(y[row]! - sum) < 1e-3, `${y[row]} for ${sum}`);
      }
    }
  },
});

// After all that asks Deno's own engine: the two may keep each other waiting in one process.
testHost("Deno on Dawn", dawn);

const missing = nodeIsMissing();
Deno.test({
  name: missing === undefined
    ? "Node on Dawn takes the variant for subgroups, by the bundle's loader and by a host of its schema"
    : `subgroups were not asked in Node: ${missing}`,
  ignore: missing !== undefined || !holds,
  fn: async () => {
    const host = (name: string) =>
      Deno.readTextFileSync(new URL(`../../examples/bundle_host/${name}`, import.meta.url));
    const loader = `
      import { pathToFileURL } from "node:url";
      import { create } from "webgpu";
      const gpu = create([]);
      const folder = process.argv[2];
      const { load } = await import(pathToFileURL(folder + "/index.js"));
      const { selfTest } = await import(pathToFileURL(folder + "/selftest.js"));
      const mistakes = await selfTest({ gpu });
      const bundle = await load({ gpu });
      console.log(JSON.stringify({ mistakes, subgroups: bundle.device.features.has("subgroups") }));
      bundle.dispose();
      process.exit(0); // Dawn keeps a thread alive`;
    using node = nodeFolder(["webgpu"], {
      "loader.mjs": loader,
      ...Object.fromEntries(["host.mjs", "run.mjs", "json_schema.mjs"].map((name) => [name, host(name)])),
    });
    const byLoader = await node.run("loader.mjs", bundle.folder);
    assert.deepEqual(JSON.parse(byLoader), { mistakes: [], subgroups: true });
    assert.deepEqual(JSON.parse(await node.run("host.mjs", bundle.folder)).features, ["subgroups"]);
  },
});

Deno.test({
  name: chromiumPath() === undefined
    ? "subgroups were not asked in a browser: there is no Chromium here (apt-get install chromium)"
    : "SwiftShader's subgroups of 4 have room for 4 lanes and none for 8: Chromium takes the variant, and the plain one",
  ignore: chromiumPath() === undefined,
  fn: async () => {
    const page = `<!doctype html><meta charset="utf-8"><title>Test</title>
<script type="module">
  try {
    const { info, features } = await navigator.gpu.requestAdapter();
    const said = { size: info.subgroupMinSize, listed: features.has("subgroups") };
    for (const folder of ["eight", "four"]) {
      const { load } = await import("./" + folder + "/index.js");
      const { selfTest } = await import("./" + folder + "/selftest.js");
      const mistakes = await selfTest();
      said[folder] = { mistakes, taken: (await load()).device.features.has("subgroups") };
    }
    document.title = JSON.stringify(said);
  } catch (error) { document.title = "failed: " + error; }
</script>`;
    using eight = await testBundle(square, { features: ["subgroups"] });
    assert.deepEqual(eight.built.manifest.variants[0]!.info, { subgroupMinSize: 8 });
    using four = await testBundle(halves, { features: ["subgroups"], tune: "gpu" });
    assert.deepEqual(four.built.manifest.variants[0]!.info, { subgroupMinSize: 4 });
    const files = [...below("eight", eight.built.files), ...below("four", four.built.files)];
    const served = new Map([...files, ["index.html", page]] as const);
    await using opened = await openPage(served, "index.html");
    await opened.page.waitForFunction('document.title !== "Test"', undefined, { timeout: 120_000 });
    assert.deepEqual(JSON.parse(await opened.page.title()), {
      size: 4,
      listed: true,
      eight: { mistakes: [], taken: false },
      four: { mistakes: [], taken: true },
    });
    assert.deepEqual(opened.complaints, []);
  },
});

Deno.test("what was built is removed", () => bundle[Symbol.dispose]());
