/** What makes a first run quick: the warm-up, and other threads that compile its kernels. */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { mlp } from "../../examples/mnist_mlp.ts";
import { adam, compile, input, mean, model, openDevice, trainStep } from "../../mod.ts";
import { classOf } from "../../runtime/adapter_class.ts";
import { openAdapter } from "../../runtime/adapter.ts";
import { quirksOf } from "../../runtime/quirks.ts";

const step = trainStep(mlp.only("loss"), adam({ rate: 1e-3 }));
const sizes = { batch: 8 };

const zeros = { x: new Float32Array(8 * 784), y: new Int32Array(8) };

const opened = await openAdapter();
const isSoftware = classOf(await quirksOf(opened)) === "software";
const isMesa = opened.adapter.description.startsWith("llvmpipe");
opened.device.destroy();

/** Helpers that are at work, by a `Worker` in place of Deno's. */
class CountedWorker extends Worker {
  static readonly working = new Set<CountedWorker>();
  static readonly #changes = new EventTarget();

  constructor(url: URL | string, options?: WorkerOptions) {
    super(url, options);
    CountedWorker.working.add(this);
  }

  override terminate(): void {
    super.terminate();
    CountedWorker.working.delete(this);
    CountedWorker.#changes.dispatchEvent(new Event("change"));
  }

  static async allEnd(): Promise<void> {
    while (CountedWorker.working.size > 0) {
      await new Promise((resolve) =>
        CountedWorker.#changes.addEventListener("change", resolve, { once: true })
      );
    }
  }
}

async function counted<T>(use: () => Promise<T>): Promise<T> {
  const original = globalThis.Worker;
  globalThis.Worker = CountedWorker;
  try {
    return await use();
  } finally {
    globalThis.Worker = original;
    for (const helper of CountedWorker.working) helper.terminate();
  }
}

Deno.test("a program of many kernels has helpers on a software adapter, which end with the second run", () =>
  counted(async () => {
    using device = await openDevice({ device: "webgpu" });
    using trainer = await compile(step, { device, sizes });
    const helpers = CountedWorker.working.size;
    assert.equal(helpers > 0, isSoftware && navigator.hardwareConcurrency > 1);
    trainer.run(zeros);
    trainer.run(zeros);
    assert.equal(CountedWorker.working.size, 0);
    await trainer.idle();
  }));

Deno.test("helpers end when the program is disposed that they compile for", () =>
  counted(async () => {
    using device = await openDevice({ device: "webgpu" });
    (await compile(step, { device, sizes })).dispose();
    assert.equal(CountedWorker.working.size, 0);
  }));

Deno.test("few kernels, and kernels that the device has compiled before, have no helpers", () =>
  counted(async () => {
    using device = await openDevice({ device: "webgpu" });
    using small = await compile(model({ x: input([8], "f32") }, ({ x }) => ({ y: mean(x) })), { device });
    assert.equal(CountedWorker.working.size, 0);
    small.run({ x: new Float32Array(8) });
    using first = await compile(step, { device, sizes });
    first.dispose();
    using second = await compile(step, { device, sizes });
    assert.equal(CountedWorker.working.size, 0);
    await second.idle();
  }));

/** A process of its own: the driver reads where its cache lies when it opens. */
async function child(cache: string, task: "load" | "warm up", ...permissions: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", ...permissions, import.meta.filename!, task],
    env: { MESA_SHADER_CACHE_DIR: cache, DENO_WEBGPU_BACKEND: "vulkan", XDG_RUNTIME_DIR: "/tmp" },
  }).output();
  const said = new TextDecoder().decode(stdout).trim();
  assert.ok(success, said + new TextDecoder().decode(stderr));
  return said;
}

if (import.meta.main) {
  await counted(async () => {
    using device = await openDevice({ device: "webgpu" });
    using trainer = await compile(step, { device, sizes });
    if (Deno.args[0] === "warm up") {
      const timed = async (act: () => Promise<unknown>) => {
        const start = performance.now();
        await act();
        return performance.now() - start;
      };
      const warming = await timed(() => trainer.warmUp());
      const first = await timed(() => trainer.run(zeros).loss.item());
      console.log(JSON.stringify({ warming, first }));
      return;
    }
    console.log(`${CountedWorker.working.size} helpers`);
    await CountedWorker.allEnd();
    await trainer.idle();
  });
}

/** Bytes of a folder's files. */
function bytesOf(folder: string): number {
  let bytes = 0;
  for (const entry of Deno.readDirSync(folder)) {
    const path = `${folder}/${entry.name}`;
    bytes += entry.isDirectory ? bytesOf(path) : Deno.statSync(path).size;
  }
  return bytes;
}

Deno.test({
  name: "helpers leave a program's kernels in the driver's cache before it has run",
  ignore: !isSoftware || !isMesa || navigator.hardwareConcurrency < 2,
  fn: async () => {
    const cache = Deno.makeTempDirSync();
    try {
      assert.notEqual(await child(cache, "load", "-A"), "0 helpers");
      const filled = bytesOf(cache);
      Deno.removeSync(cache, { recursive: true });
      Deno.mkdirSync(cache);
      // Deno would ask whoever may not read Weft's own files, so they have no helpers.
      const engines = fileURLToPath(new URL("../../runtime/engines", import.meta.url));
      assert.equal(await child(cache, "load", "-A", `--deny-read=${engines}`), "0 helpers");
      assert.ok(filled > bytesOf(cache) + 10_000, `${filled} bytes, ${bytesOf(cache)} without helpers`);
    } finally {
      Deno.removeSync(cache, { recursive: true });
    }
  },
});

Deno.test({
  name: "after warmUp() the first run compiles nothing",
  ignore: !isMesa,
  fn: async () => {
    const cache = Deno.makeTempDirSync();
    try {
      const { warming, first } = JSON.parse(await child(cache, "warm up", "-A"));
      assert.ok(first < warming / 3, `warming up took ${warming} ms, the first run ${first} ms`);
    } finally {
      Deno.removeSync(cache, { recursive: true });
    }
  },
});

for (const kind of ["webgpu", "cpu"] as const) {
  Deno.test(`warmUp() changes no state and no result on ${kind}, and is refused when its program is gone`, async () => {
    using device = await openDevice({ device: kind });
    const feeds = { x: zeros.x.map((_, i) => Math.sin(i)), y: zeros.y };
    using plain = await compile(step, { device, sizes });
    const expected = await plain.run(feeds).loss.item();
    const trainer = await compile(step, { device, sizes });
    const [name] = trainer.state.names;
    const before = await trainer.state.read(name!);
    await trainer.warmUp();
    assert.deepEqual(await trainer.state.read(name!), before);
    assert.equal(await trainer.run(feeds).loss.item(), expected);
    await trainer.warmUp();
    trainer.dispose();
    await assert.rejects(trainer.warmUp(), /disposed/);
  });
}
