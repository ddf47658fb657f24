/** What a bundle refuses, in a sentence and before it changes anything, and what becomes of one whose device is gone. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { mlp, mlpStep } from "../support/bundle_models.ts";
import { inputsOf, scriptOf } from "../support/bundle_scripts.ts";
import { testBundle } from "../support/bundles.ts";

Deno.test("a state that doesn't fit is refused, and changes nothing", async () => {
  using bundle = await testBundle(mlpStep, { sizes: { batch: 4 } });
  using other = await testBundle(mlp, { sizes: { batch: 4 } });
  using loaded = await (await scriptOf(bundle)).load();
  using wrong = await (await scriptOf(other)).load();
  const before = await loaded.state.read("linear/weight");
  await assert.rejects(loaded.state.load(await wrong.state.save()), {
    name: "BundleError",
    message: /lacks "adam.*Nothing was changed/,
  });
  await assert.rejects(loaded.state.load(new Uint8Array(4)), { message: /no safetensors file/ });
  await assert.rejects(loaded.state.write("linear/bias", new Float32Array(3)), {
    message: /wants a Float32Array of 33 elements/,
  });
  await assert.rejects(loaded.state.read("nothing"), { message: 'There is no state "nothing".' });
  assert.deepEqual(await loaded.state.read("linear/weight"), before);
});

Deno.test("wrong inputs are refused by a sentence, before anything runs", async () => {
  using bundle = await testBundle(mlpStep, { sizes: { batch: 4 } });
  using loaded = await (await scriptOf(bundle)).load();
  const { x, y } = inputsOf(bundle.built, 0, 0);
  const refused = (inputs: unknown, message: RegExp) =>
    assert.rejects(loaded.run(inputs as never), { name: "BundleError", message });
  await refused({ x }, /The input "y" wants a Int32Array/);
  await refused({ x, y: new Float32Array(4) }, /The input "y" wants a Int32Array/);
  await refused({ x: new Float32Array(3), y }, /Elements of x,y: 3,4; the bundle takes 80,4\.$/);
  await refused({ x, y, z: x }, /There is no input "z"/);
  await assert.rejects(loaded.run({ x, y } as never, { outputs: ["nothing"] as never }), {
    message: /no output "nothing"/,
  });
  assert.deepEqual([...await loaded.state.read("adam/step")], [0]);
  assert.deepEqual(Object.keys(await loaded.run({ x, y } as never, { outputs: [] })), []);
  assert.deepEqual([...await loaded.state.read("adam/step")], [1]);
});

Deno.test("a changed file is refused before it is used", async () => {
  using bundle = await testBundle(mlp, { sizes: { batch: 1 } });
  const script = await scriptOf(bundle);
  const change = async (file: string, at: number) => {
    const path = join(bundle.folder, file);
    const bytes = await Deno.readFile(path);
    const changed = bytes.slice();
    changed[at < 0 ? bytes.length + at : at]! ^= 1;
    await Deno.writeFile(path, changed);
    await assert.rejects(script.load(), {
      name: "BundleError",
      message: /was changed\./,
    }, file);
    await Deno.writeFile(path, bytes);
  };
  const { manifest } = bundle.built;
  for (const file of ["manifest.json", manifest.kernels[0]!.file, "weights.safetensors"]) {
    await change(file, -20);
  }
  await change("weights.safetensors", 9);
  const kernel = join(bundle.folder, manifest.kernels[0]!.file);
  await Deno.writeTextFile(
    kernel,
    `// another header\n${(await Deno.readTextFile(kernel)).replace(/^(\/\/.*\n)*/, "")}`,
  );
  (await script.load()).dispose(); // headers are nobody's affair
  await Deno.truncate(join(bundle.folder, "weights.safetensors"), 3000);
  await assert.rejects(script.load(), { name: "BundleError" });
  await Deno.remove(join(bundle.folder, "weights.safetensors"));
  await assert.rejects(script.load(), { name: "BundleError", message: /weights\.safetensors can't be read/ });
});

Deno.test("a device that lacks something is refused with what it lacks", async () => {
  using bundle = await testBundle(mlp, { sizes: { batch: 1 }, limits: { maxBufferSize: 2 ** 40 } });
  const script = await scriptOf(bundle);
  const fake = {
    limits: { ...bundle.built.manifest.variants[0]!.limits, maxBufferSize: 8 },
    features: new Set(),
  };
  await assert.rejects(script.load({ device: fake as never }), {
    name: "BundleError",
    message: /^This device can't run the bundle: it lacks maxBufferSize of \d+ \(it has 8\)\.$/,
  });
  await assert.rejects(script.load({ gpu: { requestAdapter: () => Promise.resolve(null) } as never }), {
    message: /There is no WebGPU adapter here/,
  });
});

Deno.test("progress ends with all bytes; what was disposed says so; a lost device is told of", async () => {
  using bundle = await testBundle(mlp, { sizes: { batch: 1 } });
  const script = await scriptOf(bundle);
  const heard: number[] = [];
  let lost = "";
  const loaded = await script.load({
    onProgress: (done, total) => heard.push(done / total),
    onLost: (why) => lost = why,
  });
  assert.equal(heard.at(-1), 1);
  const inputs = inputsOf(bundle.built, 0, 0) as never;
  await loaded.run(inputs);
  loaded.device.destroy();
  await loaded.device.lost;
  await new Promise((done) => setTimeout(done, 50));
  assert.match(lost, /The GPU was lost: .* Load the bundle again/s);
  await assert.rejects(loaded.run(inputs), { message: /The GPU was lost/ });
  loaded.dispose();
  const again = await script.load();
  await again.run(inputs);
  again.dispose();
  await assert.rejects(again.run(inputs), { message: "The bundle was disposed." });
});
