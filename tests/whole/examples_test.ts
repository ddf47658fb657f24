/** Every example does what it says. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { trainDigits } from "../../examples/mnist_mlp.ts";
import { part, readMnist } from "../../examples/mnist.ts";
import { drawBlock } from "../../examples/picture.ts";
import { fitQuantiles } from "../../examples/quantiles.ts";
import { trainXor } from "../../examples/xor.ts";
import { openDevice } from "../../mod.ts";

Deno.test("picture.ts draws a block with fewer kernels than ops", () => {
  const picture = drawBlock();
  const [, before] = /without fusion: (\d+) kernels/.exec(picture)!;
  const [, after] = /fused: (\d+) kernels/.exec(picture)!;
  assert(Number(after) <= 7 && Number(before) >= 3 * Number(after), `${before} → ${after}`);
  assert(picture.startsWith("<svg ") && picture.trimEnd().endsWith("</svg>"));
});

Deno.test("xor.ts learns exclusive or", async () => {
  const [a, b, c, d] = await trainXor();
  assert(a! < 0.1 && b! > 0.9 && c! > 0.9 && d! < 0.1, String([a, b, c, d]));
});

Deno.test("quantiles.ts puts its lines where they belong", async () => {
  const [low, middle, high] = await fitQuantiles();
  assert(Math.abs(low! - 0.1) < 0.03 && Math.abs(middle! - 0.5) < 0.05 && Math.abs(high! - 0.9) < 0.03);
});

Deno.test("mnist_mlp.ts says what is missing", async () => {
  const folder = await Deno.makeTempDir();
  await assert.rejects(readMnist(folder), {
    message:
      /no t10k-images-idx3-ubyte\(\.gz\).*train-images-idx3-ubyte\.gz, .* from https:\/\/\S+\/mnist\/ into .*--data FOLDER/,
  });
  await Deno.remove(folder);
});

Deno.test("readMnist() reads plain and gzipped files", async () => {
  const folder = await Deno.makeTempDir();
  const images = new Uint8Array(16 + 5 * 784);
  const labels = Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 5, 3, 1, 4, 1, 5);
  images[7] = 5;
  images[16 + 784 * 4] = 255;
  await Deno.writeFile(join(folder, "t10k-images-idx3-ubyte"), images);
  const gzipped = new Blob([labels]).stream().pipeThrough(new CompressionStream("gzip"));
  await Deno.writeFile(join(folder, "t10k-labels-idx1-ubyte.gz"), gzipped);
  const { training, test } = await readMnist(folder);
  assert.deepEqual([training.count, test.count], [4, 1]);
  assert.deepEqual([[...training.labels], [...test.labels], test.images[0]], [[3, 1, 4, 1], [5], 1]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("mnist_mlp.ts stops where a loss is no number, and says that a label may lie outside its classes", async () => {
  using device = await openDevice({ device: "cpu" });
  const digits = { count: 2, images: new Float32Array(2 * 784), labels: Int32Array.of(3, 10) };
  await assert.rejects(
    trainDigits(device, { training: digits, test: digits }, { epochs: 1, batch: 2 }),
    /The loss is NaN: a label lies outside 0 … 9/,
  );
});

const mnist = new URL("../../../shared/data/mnist", import.meta.url).pathname;

Deno.test({
  name: existsSync(mnist)
    ? "mnist_mlp.ts reads most digits after one pass over a few"
    : `mnist_mlp.ts was not tested: there is no ${mnist}`,
  ignore: !existsSync(mnist),
  fn: async () => {
    const { training, test } = await readMnist(mnist);
    using device = await openDevice({ device: "cpu" });
    const few = { training: part(training, 0, 1280), test: part(test, 0, 200) };
    const right = await trainDigits(device, few, { epochs: 1, batch: 32 });
    assert(right > 0.7, String(right));
  },
});

Deno.test("each page loads the bundle that models.ts says how to build, and no two the same", async () => {
  const pages = new URL("../../examples/pages/", import.meta.url);
  const said = await Deno.readTextFile(new URL("models.ts", pages));
  const built = [...said.matchAll(/--out examples\/pages\/(\S+)/g)].map(([, folder]) => folder!);
  const loaded: string[] = [];
  for await (const { name } of Deno.readDir(pages)) {
    if (!name.endsWith(".html")) continue;
    const page = await Deno.readTextFile(new URL(name, pages));
    loaded.push(...[...page.matchAll(/from "\.\/(.*)\/index\.js"/g)].map(([, folder]) => folder!));
  }
  assert.equal(loaded.length, 3);
  assert.equal(new Set(loaded).size, 3);
  assert.deepEqual(loaded.sort(), built.sort());
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const shown = [...readme.matchAll(/examples\/pages\/models\.ts[^`]*?--out examples\/pages\/(\S+)/g)];
  assert(shown.length > 0 && shown.every(([, folder]) => loaded.includes(folder!)));
});

Deno.test("a program outside the checkout has Weft and its npm packages by one line of deno.json, or by --config", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weft-test-" });
  const root = new URL("../../", import.meta.url).pathname;
  try {
    const source = `import { buildBundle, compile, input, linear, model, openDevice } from "@weft/weft";
const net = model({ x: input(["batch", 4], "f32") }, ({ x }) => ({ y: linear(4, 3)(x) }));
using device = await openDevice({ device: "cpu" });
using program = await compile(net, { device, sizes: { batch: 1 } });
const y = await program.run({ x: new Float32Array(4) }).y.read();
console.log(y.length, (await buildBundle(net, { name: "net", sizes: { batch: 1 } })).files.has("index.js"));
`;
    await Deno.writeTextFile(join(folder, "main.ts"), source);
    const run = async (...options: readonly string[]) => {
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", ...options, "main.ts"],
        cwd: folder,
        env: { NO_COLOR: "1" },
      }).output();
      assert.equal(new TextDecoder().decode(stdout), "3 true\n", new TextDecoder().decode(stderr));
    };
    await run("--config", join(root, "deno.json"));
    const imports = { "@weft/weft": join(root, "mod.ts") };
    await Deno.writeTextFile(join(folder, "deno.json"), JSON.stringify({ imports }));
    await run();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
