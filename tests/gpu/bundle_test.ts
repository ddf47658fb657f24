/** Bundles on the machine's adapter: the same numbers as Weft itself gives, bit for bit. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Bundle, HostArray, LoadOptions } from "../../compiler/bundle/loader/public.ts";
import type { BuiltBundle } from "../../runtime/bundle/build.ts";
import { runSelfTest } from "../../runtime/bundle/self_test.ts";
import { openDevice } from "../../runtime/device.ts";
import { input, linear, load, type Model, model } from "../../mod.ts";
import type { StoredArray } from "../../compiler/graph/dtype.ts";
import { cnn, decoder, gptStep, halves, mlp, mlpStep, plain, writer } from "../support/bundle_models.ts";
import { type TestBundle, testBundle } from "../support/bundles.ts";
import { encodeNpy, parseNpy } from "../../runtime/npy.ts";
import { randomOf } from "../support/random.ts";
import { stored } from "../support/stored.ts";

const device = await openDevice({ device: "webgpu" });

interface Script {
  load(options?: LoadOptions): Promise<Bundle>;
  selfTest(options?: LoadOptions): Promise<string[]>;
}

/** What a page does: the bundle's own scripts, from its folder. */
async function scriptOf({ folder }: TestBundle): Promise<Script> {
  const url = (name: string) => pathToFileURL(join(folder, name)).href;
  return { ...await import(url("index.js")), ...await import(url("selftest.js")) };
}

/** Inputs for choice `size`, different in each run. */
function inputsOf({ compiled }: BuiltBundle, size: number, run: number): Record<string, StoredArray> {
  const random = randomOf(17 + run);
  return Object.fromEntries(compiled[size]!.program.inputs.map(({ name, shape, dtype }) => {
    const count = shape.reduce((n, d) => n * d, 1);
    const isFloat = dtype === "f32" || dtype === "f16";
    return [
      name,
      stored(
        dtype,
        Array.from({ length: count }, () => isFloat ? random() * 2 - 1 : Math.floor(random() * 2)),
      ),
    ];
  }));
}

// deno-lint-ignore no-explicit-any -- of any inputs and outputs
type AnyModel = Model<any, any>;
const bits = (array: HostArray) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** Three runs by the bundle and by Weft's own runtime, of the same program from the same state. */
async function compareRuns(bundle: TestBundle, model: AnyModel, script: Script, size = 0): Promise<void> {
  const { built } = bundle;
  const initializers = new Map(model.graph.states.map((s) => [s.path, s.initializer]));
  using own = await load(built.compiled[size]!.program, device, {
    state: (path, shape, dtype) => initializers.get(path)!({ shape, dtype, seed: 0, path }),
  });
  using loaded = await script.load();
  for (let run = 0; run < 3; run++) {
    const inputs = inputsOf(built, size, run);
    const wanted = own.run(inputs);
    const got = await loaded.run(inputs as never) as unknown as Record<string, HostArray>;
    for (const { name } of built.manifest.outputs) {
      assert.deepEqual(bits(got[name]!), bits(await wanted[name]!.read()), `output ${name} of run ${run}`);
    }
  }
  for (const name of own.state.names) {
    assert.deepEqual(bits(await loaded.state.read(name)), bits(await own.state.read(name)), `state ${name}`);
  }
}

const cases: readonly (readonly [string, AnyModel, Parameters<typeof testBundle>[1]])[] = [
  ["an MLP's inference", mlp, { sizes: [{ batch: 1 }, { batch: 5 }] }],
  ["an MLP's training step", mlpStep, { sizes: { batch: 4 } }],
  ["a kernel that takes no parameter", plain, {}],
  ["a CNN", cnn, { sizes: { batch: 2 } }],
  ["a GPT's training step with dropout", gptStep, { sizes: { batch: 2 } }],
  ["a GPT that writes", writer, {}],
  ["a GPT with a cache", decoder, {}],
  ["halves, bools and a state", halves, {}],
  ["an MLP's training step for graphics processors", mlpStep, { sizes: { batch: 4 }, tune: "gpu" }],
];
for (const [name, model, options] of cases) {
  Deno.test(`the bundle of ${name} passes its self-test and gives the bits that Weft gives`, async () => {
    using bundle = await testBundle(model, options);
    const script = await scriptOf(bundle);
    assert.deepEqual(await script.selfTest(), []);
    const { length } = bundle.built.manifest.sizes;
    for (let size = 0; size < length; size++) await compareRuns(bundle, model, script, size);
  });
}

Deno.test("a bundle uses halves where the device has them, and the plain variant where it has not", async () => {
  using bundle = await testBundle(halves, { features: ["shader-f16"] });
  const { variants } = bundle.built.manifest;
  assert.deepEqual(variants.map(({ features }) => features), [["shader-f16"], []]);
  const script = await scriptOf(bundle);
  assert.deepEqual(await script.selfTest(), []);
  const adapter = await navigator.gpu.requestAdapter();
  const plain = await adapter!.requestDevice();
  assert.deepEqual(await script.selfTest({ device: plain }), []);
  plain.destroy();
});

Deno.test("the self-test allows what the manifest's tolerance allows, and no more", async () => {
  using bundle = await testBundle(mlp, { sizes: { batch: 2 } });
  const path = (name: string) => join(bundle.folder, name);
  const [manifest, test] = ["manifest.json", "selftest.json"].map((name) =>
    JSON.parse(Deno.readTextFileSync(path(name)))
  );
  const [{ values, indices }] = test.outputs;
  const { absolute, relative } = manifest.outputs[0].tolerance;
  const run = async (value: number, factor: number) => {
    const text = JSON.stringify({
      ...test,
      outputs: [{ name: "answer", indices, values: [value, ...values.slice(1)] }],
    });
    const changed = {
      ...manifest,
      outputs: [{
        ...manifest.outputs[0],
        tolerance: { absolute: factor * absolute, relative: factor * relative },
      }],
      selfTest: { file: "selftest.json", sha256: createHash("sha256").update(text).digest("hex") },
    };
    await Deno.writeTextFile(path("selftest.json"), text);
    await Deno.writeTextFile(path("manifest.json"), JSON.stringify(changed));
    return (await runSelfTest(bundle.folder)).mistakes;
  };
  const most = absolute + relative * values[0];
  assert.deepEqual(await run(values[0], 1), []);
  for (const direction of [1, -1]) {
    const [mistake, ...others] = await run(values[0] + direction * 3 * most, 1);
    assert.match(mistake!, /^answer\[\d+\] is [\d.]+, and should be [\d.]+ within [\d.e-]+$/);
    assert.deepEqual(others, []);
    assert.deepEqual(await run(values[0] + direction * 3 * most, 5), []);
  }
});

Deno.test("parameters stored as halves give what the halves give", async () => {
  using bundle = await testBundle(mlp, { sizes: { batch: 2 }, weights: "f16" });
  assert.deepEqual(await (await scriptOf(bundle)).selfTest(), []);
});

Deno.test("weights in several files give the same", async () => {
  using bundle = await testBundle(mlp, { sizes: { batch: 2 }, shardBytes: 1500 });
  assert(bundle.built.manifest.weights.length > 1);
  assert.deepEqual(await (await scriptOf(bundle)).selfTest(), []);
});

Deno.test("runs that nobody awaits happen in the order of the calls, and sizes share one state", async () => {
  using bundle = await testBundle(mlpStep, { sizes: [{ batch: 4 }, { batch: 2 }] });
  const script = await scriptOf(bundle);
  const feeds = [0, 1, 2, 3].map((run) => inputsOf(bundle.built, run % 2, run));
  using together = await script.load();
  const all = await Promise.all(feeds.map((inputs) => together.run(inputs as never)));
  using apart = await script.load();
  for (const [i, inputs] of feeds.entries()) assert.deepEqual(await apart.run(inputs as never), all[i]);
  assert.deepEqual(await apart.state.read("adam/step"), await together.state.read("adam/step"));
});

Deno.test("a saved state goes on where it was saved, and Weft reads the file", async () => {
  using bundle = await testBundle(gptStep, { sizes: { batch: 2 } });
  const script = await scriptOf(bundle);
  const run = (loaded: Bundle, i: number) => loaded.run(inputsOf(bundle.built, 0, i) as never);
  using first = await script.load();
  await run(first, 0);
  const saved = await first.state.save();
  const wanted = await run(first, 1);
  using second = await script.load();
  await second.state.load(saved);
  assert.deepEqual(await run(second, 1), wanted);

  const path = join(bundle.folder, "state.safetensors");
  await Deno.writeFile(path, saved.stream());
  using own = await load(bundle.built.compiled[0]!.program, device);
  await own.state.load(path);
  assert.deepEqual(
    bits(await own.run(inputsOf(bundle.built, 0, 1))["loss"]!.read().then((x) => x)),
    bits((wanted as never)["loss"]),
  );
});

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
  await refused({ x: new Float32Array(3), y }, /Elements of x, y: 3, 4; the bundle takes 80, 4/);
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

Deno.test("a bundle runs in a Worker", async () => {
  using bundle = await testBundle(mlp, { sizes: { batch: 1 } });
  const source = `
    import { selfTest } from ${JSON.stringify(pathToFileURL(join(bundle.folder, "selftest.js")).href)};
    selfTest().then((mistakes) => postMessage(mistakes), (error) => postMessage([String(error)]));
  `;
  const path = join(bundle.folder, "worker.js");
  await Deno.writeTextFile(path, source);
  const worker = new Worker(pathToFileURL(path).href, { type: "module" });
  const mistakes = await new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = reject;
  });
  worker.terminate();
  assert.deepEqual(mistakes, []);
});

Deno.test("weft run gives what the loader gives, from and to files of NumPy's", async () => {
  using bundle = await testBundle(mlpStep, { sizes: { batch: 4 } });
  const inputs = inputsOf(bundle.built, 0, 0);
  const { program } = bundle.built.compiled[0]!;
  const path = (name: string) => join(bundle.folder, "..", name);
  for (const { name, dtype, shape } of program.inputs) {
    await Deno.writeFile(path(`${name}.npy`), encodeNpy(dtype, shape, inputs[name]!));
  }
  const cli = new URL("../../cli.ts", import.meta.url).pathname;
  const weft = async (...args: string[]) => {
    const command = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", cli, "run", bundle.folder, ...args],
    });
    const { code, stdout, stderr } = await command.output();
    return { code, out: new TextDecoder().decode(stdout), err: new TextDecoder().decode(stderr) };
  };
  const fed = [`--input`, `x=${path("x.npy")}`, "--input", `y=${path("y.npy")}`];
  const ran = await weft(
    ...fed,
    "--output",
    path("out"),
    "--times",
    "3",
    "--save-state",
    path("state.safetensors"),
  );
  assert.equal(ran.code, 0, ran.err);
  using loaded = await (await scriptOf(bundle)).load();
  let wanted: Record<string, HostArray> = {};
  for (let i = 0; i < 3; i++) wanted = await loaded.run(inputs as never) as never;
  const loss = parseNpy(await Deno.readFile(join(path("out"), "loss.npy")), "loss.npy");
  assert.deepEqual([loss.shape, loss.data], [[], wanted["loss"]]);
  assert.deepEqual(
    await Deno.readFile(path("state.safetensors")),
    new Uint8Array(await (await loaded.state.save()).arrayBuffer()),
  );
  const again = await weft(...fed, "--state", path("state.safetensors"));
  assert.match(again.out, /^loss: f32 \[\] {2}[\d.]+/);
  const missing = await weft("--input", `x=${path("x.npy")}`);
  assert.match(missing.err, /The input "y", i32 \[batch\], is not given: --input y=FILE\.npy/);
  const wrong = await weft("--input", `x=${path("y.npy")}`, "--input", `y=${path("y.npy")}`);
  assert.match(wrong.err, /The inputs are x \[4\], y \[4\], and the bundle takes x \[4, 20\], y \[4\]\./);
  // Whatever its own script says, nobody executes it.
  await Deno.writeTextFile(join(bundle.folder, "index.js"), "throw new Error('executed')");
  assert.equal((await weft(...fed)).code, 0);
});

Deno.test("a bundle with an open batch gives for each size the first rows of the whole, bit for bit, sums in parts too", async () => {
  const wide = model({ x: input(["batch", 512], "f32") }, ({ x }) => ({ y: linear(512, 40)(x) }));
  for (const [net, output, most] of [[wide, "y", 20], [mlp, "answer", 37], [cnn, "scores", 7]] as const) {
    using open = await testBundle(net as AnyModel, {
      sizes: { batch: most },
      open: "batch",
      tune: "gpu",
      selfTest: false,
    });
    const steps = open.built.manifest.variants[0]!.programs[0]!.steps;
    const whole = steps.filter((step) => "kernel" in step && step.grid[0] > 1 && !step.open);
    assert.deepEqual(whole, []);
    if (net === wide) assert(steps.some((step) => "label" in step && step.label.endsWith(": parts")));
    using loaded = await (await scriptOf(open)).load();
    for (let batch = most; batch > 0; batch--) {
      const { x } = inputsOf(open.built, 0, batch) as { x: Float32Array }; // other rows than those before left behind
      const part = x.slice(0, x.length / most * batch);
      const run = async (x: Float32Array) =>
        (await loaded.run({ x } as never) as never)[output] as Float32Array;
      const got = await run(part);
      const all = await run(x);
      assert.equal(got.length, all.length / most * batch);
      assert.deepEqual(bits(got), bits(all.slice(0, got.length)), `${output} of ${batch}`);
    }
  }
});

Deno.test("a bundle with an open batch gives for few rows what a bundle of that batch gives", async () => {
  for (
    const [model, output, most, tune] of [[mlp, "answer", 6, "software"], [cnn, "scores", 8, "gpu"]] as const
  ) {
    using open = await testBundle(model, { sizes: { batch: most }, open: "batch", tune });
    const [program] = open.built.manifest.variants[0]!.programs;
    assert(program!.steps.some((step) => "open" in step), "every grid is whole");
    using loaded = await (await scriptOf(open)).load();
    for (const batch of [most, 1, 4]) {
      using fixed = await testBundle(model, { sizes: { batch }, tune });
      using own = await (await scriptOf(fixed)).load();
      const inputs = inputsOf(fixed.built, 0, batch) as never;
      const [got, wanted] = [await loaded.run(inputs), await own.run(inputs)] as unknown as Record<
        string,
        Float32Array
      >[];
      assert.equal(got![output]!.length, wanted![output]!.length);
      got![output]!.forEach((x, i) =>
        assert(Math.abs(x - wanted![output]![i]!) < 1e-5, `${x} at ${i} of ${batch}`)
      );
    }
    const [row] = program!.inputs.map(([, , bytes]) => bytes / 4 / most);
    for (const elements of [0, (most + 1) * row!, 2 * row! + 1]) {
      await assert.rejects(loaded.run({ x: new Float32Array(elements) } as never), {
        message: new RegExp(`the bundle takes ${most * row!}\\.`),
      });
    }
  }
});
