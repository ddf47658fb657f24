/** Tuning on the machine's adapter: what is slow by default is found to be, and what computes wrongly is not taken. */

import assert from "node:assert/strict";
import { compileGraph } from "../../compiler/compile.ts";
import { patchTarget, printPatch } from "../../compiler/schedule/tuning.ts";
import { compile, input, matmul, model, openDevice, softmax } from "../../mod.ts";
import { TuningCache } from "../../runtime/tune/cache.ts";
import { candidateOf } from "../../runtime/tune/search.ts";
import { tuneProgram } from "../../runtime/tune/tune.ts";
import { wrongWhere } from "../support/planted_tuning.ts";

const net = () =>
  model(
    { a: input([64, 96], "f32"), b: input([96, 72], "f32") },
    ({ a, b }) => ({ y: softmax(matmul(a, b)) }),
  );

const device = await openDevice({ device: "webgpu" });

function folder() {
  const path = Deno.makeTempDirSync({ prefix: "weft-tuning-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

Deno.test("a tuned model computes what the untuned one does", async () => {
  using at = folder();
  const a = Float32Array.from({ length: 64 * 96 }, (_, i) => Math.sin(i));
  const b = Float32Array.from({ length: 96 * 72 }, (_, i) => Math.cos(i));
  const run = async (tune: boolean) => {
    const options = { seconds: 6, cache: at.path, warn: assert.fail };
    using executable = await compile(net(), { device, ...tune && { tune: options } });
    return await executable.run({ a, b }).y.read();
  };
  const [plain, tuned, again] = [await run(false), await run(true), await run(true)];
  plain.forEach((x, i) => assert(Math.abs(x - tuned[i]!) <= 1e-5, `${i}: ${x} ${tuned[i]}`));
  plain.forEach((x, i) => assert(Math.abs(x - again[i]!) <= 1e-5, `${i}: ${x} ${again[i]}`));
});

Deno.test("tuning leaves numbers behind that are badly chosen", async () => {
  // One lane, one row at a time: whatever the adapter, there is better.
  const poor = patchTarget(device.target, {
    lanes: { row: 1 },
    row: { rowsPerLane: 0, unroll: 1, merge: false, keep: 0, perChunk: 2 ** 16 },
    parallel: 1,
  });
  const long = model({ x: input([64, 4096], "f32") }, ({ x }) => ({ y: softmax(x) }));
  const compiled = compileGraph(long.graph, { target: poor });
  const badly = { ...device, name: device.name, kind: device.kind, target: poor, engine: device.engine };
  const { units } = await tuneProgram(compiled, {
    ...badly,
    idle: () => device.idle(),
    dispose() {},
    [Symbol.dispose]() {},
  }, {
    seconds: 10,
    cache: false,
  });
  const [unit] = units;
  assert(unit?.patch, "nothing better was found");
  console.log(
    `${unit.defaultMs.toFixed(2)} ms by one lane, ${unit.tunedMs.toFixed(2)} ms with ${
      printPatch(unit.patch)
    }`,
  );
  assert(unit.tunedMs < 0.9 * unit.defaultMs, `${unit.defaultMs} ms, ${unit.tunedMs} ms`);
});

Deno.test("a candidate that computes one percent too much is refused on the adapter", async () => {
  const compiled = compileGraph(net().graph, { target: device.target });
  const { depth } = device.target.contraction;
  const wrong = wrongWhere(compiled, ({ contraction }) => contraction.depth !== depth);
  const said: string[] = [];
  const { units } = await tuneProgram(wrong, device, {
    seconds: 8,
    cache: false,
    warn: (sentence) => said.push(sentence),
  });
  const product = units.find(({ label }) => label.includes("matmul"))!;
  assert(product.refused > 0, `${product.tried} candidates were tried`);
  assert(
    said.some((text) => /A candidate for "matmul" is not used: element .* is right/.test(text)),
    said.join(),
  );
  assert.equal(product.patch?.contraction?.depth ?? depth, depth);
});

Deno.test("a remembered patch that computes wrongly now is dropped", async () => {
  using at = folder();
  const compiled = compileGraph(net().graph, { target: device.target });
  const wrong = wrongWhere(compiled, ({ contraction }) => contraction.depth === 8);
  const unit = wrong.units.find(({ label }) => label.includes("matmul"))!;
  const patch = { contraction: { depth: 8 } };
  const { text } = candidateOf(unit, patch, device.target)!;
  const cache = TuningCache.of(device, assert.fail, at.path)!;
  cache.remember(unit.key, { label: unit.label, patch, text, defaultMs: 2, bestMs: 1, complete: true });
  const said: string[] = [];
  const { tuning } = await tuneProgram(wrong, device, {
    seconds: 1,
    cache: at.path,
    warn: (sentence) => said.push(sentence),
  });
  assert.match(said[0]!, /What was remembered for "matmul" is not used: element .* is right/);
  assert.notDeepEqual(tuning[unit.key], patch);
});

Deno.test("nothing is left on the device", () => device.dispose());
