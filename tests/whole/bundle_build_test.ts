/** What a bundle holds, without a device. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import schema from "../../compiler/bundle/manifest.schema.json" with { type: "json" };
import type { Manifest } from "../../compiler/bundle/manifest.ts";
import { add, concat, init, input, model, mul, SafetensorsReader, setState, state, sum } from "../../mod.ts";
import { buildBundle } from "../../runtime/bundle/build.ts";
import { weightFiles } from "../../runtime/bundle/weights.ts";
import { cnn, gptStep, halves, mlp, mlpStep } from "../support/bundle_models.ts";
import { bytesOf, fileText, testBundle } from "../support/bundles.ts";

const hash = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");
const hashes = ({ files }: { files: ReadonlyMap<string, readonly Uint8Array[]> }) =>
  Object.fromEntries([...files].map(([name, parts]) => [name, hash(bytesOf(parts))]));
const options = { name: "test", tune: "software", selfTest: false, format: "json" } as const;

Deno.test("equal sources give equal bytes, wherever they lie", async () => {
  const root = new URL("../../", import.meta.url);
  const source = `import { dropout, input, linear, model, relu, sgd, trainStep, mse } from ${
    JSON.stringify(`${root}mod.ts`)
  };
const net = model({ x: input(["batch", 4], "f32") }, ({ x }) => {
  const y = linear(4, 3)(dropout(relu(linear(4, 4)(x)), 0.1));
  return { loss: mse(y, y) };
});
export const step = trainStep(net, sgd({ rate: 0.1 }));
`;
  const parent = await Deno.makeTempDir({ prefix: "weft-test-" });
  try {
    const built = await Promise.all(["a", "b/deeper"].map(async (place) => {
      const folder = join(parent, place);
      await Deno.mkdir(folder, { recursive: true });
      await Deno.writeTextFile(join(folder, "net.ts"), source);
      const { success, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          "run",
          "-A",
          "--no-check",
          "--config",
          new URL("deno.json", root).pathname,
          new URL("cli.ts", root).pathname,
          "build",
          "net.ts",
          "--size",
          "batch=2",
          "--out",
          "dist",
        ],
        cwd: folder,
      }).output();
      assert(success, new TextDecoder().decode(stderr));
      const files = new Map<string, readonly Uint8Array[]>();
      const walk = async (at: string) => {
        for await (const { name, isDirectory } of Deno.readDir(join(folder, "dist", at))) {
          if (isDirectory) await walk(`${at}${name}/`);
          else files.set(at + name, [await Deno.readFile(join(folder, "dist", at + name))]);
        }
      };
      await walk("");
      return files;
    }));
    const [a, b] = built.map((files) => ({ files }));
    assert.deepEqual(hashes(a!), hashes(b!));
    const texts = [...a!.files].filter(([name]) => !name.endsWith(".safetensors"));
    assert(texts.length > 8);
    for (const [name, parts] of texts) {
      const text = new TextDecoder().decode(bytesOf(parts));
      assert(
        !text.includes(parent) && !text.includes(root.pathname),
        `${name} names a folder of this machine`,
      );
    }
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});

Deno.test("building twice in one process gives the same bytes", async () => {
  const build = () => buildBundle(mlpStep, { name: "test", sizes: { batch: 2 } });
  assert.deepEqual(hashes(await build()), hashes(await build()));
});

Deno.test("every manifest is as the published schema says", async () => {
  const valid = new Ajv2020({ strictTuples: false }).compile(schema);
  for (
    const [model, sizes] of [[mlp, [{ batch: 1 }, { batch: 7 }]], [cnn, { batch: 1 }], [gptStep, {
      batch: 1,
    }]] as const
  ) {
    const { manifest, files } = await buildBundle(model as never, { ...options, sizes });
    assert(valid(JSON.parse(JSON.stringify(manifest))), JSON.stringify(valid.errors));
    assert.deepEqual(
      JSON.parse(fileText({ files } as never, "manifest.json")),
      JSON.parse(JSON.stringify(manifest)),
    );
    assert.deepEqual(JSON.parse(fileText({ files } as never, "manifest.schema.json")), schema);
  }
  const { manifest } = await buildBundle(halves, options);
  assert(valid(JSON.parse(JSON.stringify(manifest))));
  for (const wrong of [{ version: 1 }, { extra: 1 }, { sizes: [] }, { kind: "both" }] as const) {
    assert(!valid({ ...manifest, ...wrong }), JSON.stringify(wrong));
  }
});

Deno.test("a kernel's header names its ops and their lines, and is no part of its hash", async () => {
  const { manifest, files } = await buildBundle(mlp, { ...options, sizes: { batch: 2 } });
  const texts = manifest.kernels.map(({ file }) => fileText({ files } as never, file));
  texts.forEach((text, i) => {
    const code = text.replace(/^(\/\/[^\n]*\n)*/, "");
    assert.equal(hash(code), manifest.kernels[i]!.sha256);
    assert.match(
      text,
      /^\/\/ kernel \d+ of "test", which computes\n\/\/ {3}.*\n\/\/ for these lines of the model:\n/,
    );
  });
  const all = texts.join("\n");
  assert.match(all, /\/\/ {3}(tests\/support\/)?bundle_models\.ts:\d+:\d+: .*relu/);
  assert.match(all, /softmax/);
});

Deno.test("training bundles are called so, and fresh moments take no room", async () => {
  const { manifest } = await buildBundle(mlpStep, { ...options, sizes: { batch: 2 } });
  assert.equal(manifest.kind, "training");
  const moments = manifest.state.filter(({ name }) => name.startsWith("adam/m/"));
  assert(moments.length > 0 && moments.every(({ tensor }) => tensor === undefined));
  assert.equal((await buildBundle(mlp, { ...options, sizes: { batch: 2 } })).manifest.kind, "inference");
});

Deno.test("kernels that sizes and variants share are there once, and states lie in one place", async () => {
  const one = await buildBundle(mlpStep, { ...options, sizes: { batch: 4 } });
  const two = await buildBundle(mlpStep, { ...options, sizes: [{ batch: 4 }, { batch: 2 }] });
  assert(two.manifest.kernels.length < 2 * one.manifest.kernels.length);
  const [a, b] = two.manifest.variants[0]!.programs;
  assert.deepEqual(
    a!.state,
    b!.state.map(([arena, offset, bytes]) => [
      a!.arenas.findIndex(({ memory }) => memory === b!.arenas[arena]!.memory),
      offset,
      bytes,
    ]),
  );
});

Deno.test("features make a variant only where a kernel uses them", async () => {
  const single = model({ x: input([64], "f32") }, ({ x }) => ({ y: mul(x, 2) }));
  const plain = await buildBundle(single, { ...options, features: ["shader-f16", "subgroups"] });
  assert.deepEqual(plain.manifest.variants.map(({ features }) => features), [[]]);
  const both = await buildBundle(halves, { ...options, features: ["shader-f16"] });
  assert.deepEqual(both.manifest.variants.map(({ features }) => features), [["shader-f16"], []]);
  const used = new Set(
    both.manifest.variants.flatMap(({ programs }) =>
      programs.flatMap(({ steps }) => steps.flatMap((s) => "kernel" in s ? [s.kernel] : []))
    ),
  );
  assert.equal(used.size, both.manifest.kernels.length, "a kernel is there that nobody runs");
});

Deno.test("a stated device's limits are what a program is planned for", async () => {
  const build = (limits: Record<string, number>) =>
    buildBundle(mlp, { ...options, sizes: { batch: 64 }, tune: "gpu", limits });
  const small = await build({ maxComputeInvocationsPerWorkgroup: 64, maxStorageBuffersPerShaderStage: 4 })
    .catch((error) => error);
  if (small instanceof Error) assert.match(small.message, /64|4/);
  else assert(small.manifest.variants[0]!.limits.maxStorageBuffersPerShaderStage! <= 4);
  await assert.rejects(build({ maxBufferSize: -1 }), {
    message: /maxBufferSize is -1; a limit is a whole number above 0/,
  });
  await assert.rejects(build({ maxBufferSizes: 1 }), { message: /none of .* is named/ });
});

Deno.test("weights are what the model begins with, in as many files as asked for, whole and half", async () => {
  using bundle = await testBundle(mlp, { sizes: { batch: 1 }, shardBytes: 2000, selfTest: false });
  const { manifest } = bundle.built;
  assert.match(
    manifest.weights.map(({ file }) => file).join(" "),
    /^weights-00001-of-0000\d\.safetensors weights-00002/,
  );
  const seen = new Map<string, ArrayLike<number>>();
  for (const { file } of manifest.weights) {
    using reader = await SafetensorsReader.open(join(bundle.folder, file));
    for (const name of reader.tensors.keys()) seen.set(name, (await reader.read(name)).data);
  }
  for (const { path, tensor, initializer } of mlp.graph.states) {
    const wanted = initializer({ shape: tensor.shape as number[], dtype: "f32", seed: 0, path });
    if (wanted.every((x) => x === 0)) assert(!seen.has(path));
    else assert.deepEqual(seen.get(path), wanted);
  }
  const half = await buildBundle(mlp, { ...options, sizes: { batch: 1 }, weights: "f16" });
  assert(half.manifest.tensors.every(({ fileType, dtype }) => fileType === "F16" && dtype === "f32"));
  await assert.rejects(
    buildBundle(mlp, {
      ...options,
      sizes: { batch: 1 },
      weights: "f16",
      state: (path, shape) =>
        path === "linear/weight" ? new Float32Array(shape[0]! * shape[1]!).fill(1e6) : undefined,
    }),
    { message: /element 0 of the parameter "linear\/weight" is 1000000, which f16 can't hold/ },
  );
});

Deno.test("tensors longer than a piece have a hash per piece", () => {
  const data = Uint32Array.from({ length: 2 ** 20 + 3 }, (_, i) => i);
  const { tensors: [tensor], contents } = weightFiles([{
    name: "t",
    shape: [data.length],
    dtype: "u32",
    stored: "u32",
    data,
  }]);
  assert.equal(tensor!.sha256.length, 2);
  const bytes = bytesOf(contents[0]!).subarray(tensor!.offset);
  assert.equal(tensor!.sha256[1], hash(bytes.subarray(4 * 2 ** 20)));
});

Deno.test("what can't be a bundle is refused by a sentence", async () => {
  const counter = model({ x: input(["n"], "f32") }, ({ x }) => {
    const last = state("last", ["n"], init.zeros());
    setState(last, add(last, x));
    return { y: mul(last, 2) };
  });
  const refused = (promise: Promise<unknown>, message: RegExp) => assert.rejects(promise, { message });
  await refused(
    buildBundle(counter, { ...options, sizes: [{ n: 1 }, { n: 2 }] }),
    /the state "last" of shape \[n\] would be \[1\] and \[2\]/,
  );
  await refused(buildBundle(mlp, options), /"batch" is still open/);
  await refused(buildBundle(mlp, { ...options, sizes: [] }), /there is no choice of sizes/);
  await refused(
    buildBundle(mlp, { ...options, sizes: [{ batch: 1 }, { batch: 2 }, { batch: 1 }] }),
    /the sizes batch = 1 are there twice/,
  );
  await refused(buildBundle({} as never, options), /takes a model.*not an object/);
  await refused(buildBundle(mlp, { ...options, name: "../x" }), /the name is "\.\.\/x"/);
  await refused(
    buildBundle(mlp, { ...options, sizes: { batch: 1 }, state: () => new Float32Array(1) }),
    /wants a Float32Array of 660 elements, not a Float32Array of 1 element/,
  );
});

Deno.test("a bundle that could do nothing is refused, and one with an empty part is built", async () => {
  const build = (net: unknown, sizes: object) =>
    buildBundle(net as never, { ...options, sizes: sizes as never });
  await assert.rejects(build(mlp, { batch: 0 }), {
    name: "RunError",
    message: /with batch = 0 can do nothing: no input has an element \(x\)/,
  });
  await assert.rejects(build(mlpStep, [{ batch: 2 }, { batch: 0 }]), {
    message: /no input has an element \(x, y\)/,
  });
  const both = model({ x: input(["n"], "f32"), past: input(["m"], "f32") }, ({ x, past }) => ({
    now: mul(x, 2),
    sum: sum(concat([past, x])),
  }));
  assert.equal((await build(both, { n: 2, m: 0 })).manifest.kernels.length > 0, true);
  await assert.rejects(build(both, { n: 0, m: 0 }), { message: /with n = 0, m = 0 can do nothing/ });
  const doubled = model({ x: input(["n"], "f32"), y: input([2], "f32") }, ({ x }) => ({ twice: mul(x, 2) }));
  await assert.rejects(build(doubled, { n: 0 }), { message: /no output has an element \(twice\)/ });
});

Deno.test("a build says how far its self-test is, from the start to the end", async () => {
  const parts: number[] = [];
  await buildBundle(mlpStep, {
    ...options,
    sizes: { batch: 2 },
    selfTest: true,
    onProgress: (part) => parts.push(part),
  });
  assert(
    parts.length > 100 && parts[0]! < 0.01 && parts.at(-1)! > 0.99 && parts.at(-1)! <= 1,
    String(parts.at(-1)),
  );
  assert(parts.every((part, i) => i === 0 || part > parts[i - 1]!));
});

Deno.test("a bundle takes the place of a bundle, and of nothing else", async () => {
  using first = await testBundle(mlp, { ...options, sizes: { batch: 1 } });
  const { writeBundle } = await import("../../runtime/bundle/write.ts");
  const again = await buildBundle(mlp, { ...options, name: "again", sizes: { batch: 1 } });
  await writeBundle(first.folder, again);
  const manifest: Manifest = JSON.parse(await Deno.readTextFile(join(first.folder, "manifest.json")));
  assert.equal(manifest.name, "again");
  const parent = join(first.folder, "..");
  assert.deepEqual((await Array.fromAsync(Deno.readDir(parent))).map(({ name }) => name), ["dist"]);
  await assert.rejects(writeBundle(parent, again), { message: /is there already and is no bundle/ });
});
