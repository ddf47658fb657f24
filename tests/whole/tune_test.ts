import assert from "node:assert/strict";
import { compileGraph } from "../../compiler/compile.ts";
import { printKernel } from "../../compiler/kernel/print.ts";
import { isRaw } from "../../compiler/kernel/raw.ts";
import {
  adam,
  compile,
  crossEntropy,
  embedding,
  init,
  input,
  linear,
  log,
  matmul,
  model,
  mul,
  openDevice,
  parameter,
  relu,
  sin,
  trainStep,
} from "../../mod.ts";
import { TuningCache } from "../../runtime/tune/cache.ts";
import { referenceOf } from "../../runtime/tune/check.ts";
import { UnitBench } from "../../runtime/tune/bench.ts";
import { candidateOf } from "../../runtime/tune/search.ts";
import { tuneProgram } from "../../runtime/tune/tune.ts";
import { wrongWhere } from "../support/planted_tuning.ts";

const product = () =>
  model({ a: input([40, 48], "f32"), b: input([48, 56], "f32") }, ({ a, b }) => ({ y: matmul(a, b) }));

const classifier = () =>
  model({ x: input([32, 20], "f32"), y: input([32], "i32") }, ({ x, y }) => {
    return { loss: crossEntropy(linear(16, 5)(relu(linear(20, 16)(x))), y) };
  });

function folder() {
  const path = Deno.makeTempDirSync({ prefix: "weft-tuning-" });
  return { path, [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }) };
}

Deno.test("tuning tries other kernels, and what it takes computes the same", async () => {
  using device = await openDevice({ device: "cpu" });
  const net = trainStep(classifier(), adam({ rate: 1e-2 }));
  const feeds = {
    x: Float32Array.from({ length: 640 }, (_, i) => Math.sin(i)),
    y: Int32Array.from({ length: 32 }, (_, i) => i % 5),
  };
  const losses = async (tune: boolean) => {
    using step = await compile(net, { device, ...tune && { tune: { seconds: 4, cache: false } } });
    const out: number[] = [];
    for (let i = 0; i < 5; i++) out.push(await step.run(feeds).loss.item());
    return { out, report: step.report() };
  };
  const plain = await losses(false);
  const tuned = await losses(true);
  plain.out.forEach((loss, i) => {
    assert(Math.abs(loss - tuned.out[i]!) < 1e-4 * loss, `${loss} ${tuned.out[i]}`);
  });
  assert(!plain.report.includes("tuned:"));
});

Deno.test("a report says how many kernels are tuned, and with which numbers", async () => {
  using device = await openDevice({ device: "cpu" });
  using at = folder();
  const { graph } = product();
  const compiled = compileGraph(graph, { target: device.target });
  const [unit] = compiled.units;
  const patch = { contraction: { depth: 2 } };
  const candidate = candidateOf(unit!, patch, device.target)!;
  const remembered = { label: unit!.label, text: candidate.text, defaultMs: 2, bestMs: 1, complete: true };
  TuningCache.of(device, assert.fail, at.path)!.remember(unit!.key, { ...remembered, patch });
  using net = await compile(product(), { device, tune: { cache: at.path, warn: assert.fail } });
  assert.match(net.report(), /^tuned: 1 of 1 kernel$/m);
  assert.match(net.report(), /^ {2}matmul: contraction\.depth 2$/m);
  // Without `tune` nothing of that is used.
  using plain = await compile(product(), { device });
  const kernels = ({ program }: Pick<typeof compiled, "program">) =>
    program.kernels.map((kernel) => isRaw(kernel) ? "" : printKernel(kernel)).join("\n");
  assert.equal(kernels(plain), kernels(compiled));
  assert.notEqual(kernels(plain), kernels(net));
});

Deno.test("a candidate that computes one percent too much is refused, and the others are not", async () => {
  using device = await openDevice({ device: "cpu" });
  const compiled = compileGraph(product().graph, { target: device.target });
  const wrong = wrongWhere(compiled, ({ contraction }) => contraction.depth !== 4);
  const said: string[] = [];
  const { units } = await tuneProgram(wrong, device, {
    seconds: 3,
    cache: false,
    warn: (sentence) => said.push(sentence),
  });
  assert.equal(units.length, 1);
  assert(units[0]!.refused > 0);
  assert(units[0]!.tried > units[0]!.refused);
  assert.equal(said.length, units[0]!.refused);
  for (const sentence of said) {
    assert.match(
      sentence,
      /^A candidate for "matmul" is not used: element \d+ of .* is .* where .* is right\.$/,
    );
  }
  const { patch } = units[0]!;
  if (patch?.contraction) assert.equal(patch.contraction.depth ?? 4, 4);
});

Deno.test("what was remembered is checked again: what computes wrongly now is dropped with a sentence", async () => {
  using device = await openDevice({ device: "cpu" });
  using at = folder();
  const compiled = compileGraph(product().graph, { target: device.target });
  const wrong = wrongWhere(compiled, ({ contraction }) => contraction.depth === 2);
  const [unit] = wrong.units;
  const patch = { contraction: { depth: 2 } };
  const { text } = candidateOf(unit!, patch, device.target)!;
  const cache = TuningCache.of(device, assert.fail, at.path)!;
  const remembered = { label: "matmul", patch, text, defaultMs: 2, bestMs: 1, complete: true };
  cache.remember(unit!.key, remembered);
  const said: string[] = [];
  const warn = (sentence: string) => said.push(sentence);
  const options = { seconds: 0.5, cache: at.path, warn };
  const { units, tuning } = await tuneProgram(wrong, device, options);
  assert.match(said[0]!, /^What was remembered for "matmul" is not used: element \d+ .* is right\.$/);
  assert.equal(units[0]!.from, "search");
  assert.notDeepEqual(tuning[unit!.key], patch);
  assert.notDeepEqual(cache.recall(unit!.key)?.patch, patch);

  // The same for a patch that leads to other kernels than it did.
  cache.remember(unit!.key, { ...remembered, text: "other kernels" });
  said.length = 0;
  await tuneProgram(compiled, device, options);
  assert.match(said[0]!, /is not used: it led to other kernels then\.$/);
});

Deno.test("a second process takes what the first one found, and searches no more", async () => {
  using device = await openDevice({ device: "cpu" });
  using at = folder();
  const compiled = compileGraph(product().graph, { target: device.target });
  const options = { seconds: 20, cache: at.path, warn: assert.fail };
  const first = await tuneProgram(compiled, device, options);
  const second = await tuneProgram(compiled, device, options);
  assert.deepEqual(second.tuning, first.tuning);
  assert.deepEqual(second.units.map(({ from }) => from), ["cache"]);
});

Deno.test("indices are drawn where the kernel expects them, and roots and logarithms get what they take", async () => {
  using device = await openDevice({ device: "cpu" });
  const nets = {
    embedding: model({ ids: input([64], "i32") }, ({ ids }) => {
      return { y: embedding(parameter("table", [500, 8], init.normal(1)), ids) };
    }),
    logarithm: model({ x: input([64, 64], "f32") }, ({ x }) => ({ y: log(x) })),
  };
  for (const net of Object.values(nets)) {
    const { units } = compileGraph(net.graph, { target: device.target });
    using bench = await UnitBench.open(device.engine, units[0]!.kernels, () => 0);
    const reference = await referenceOf(bench, units[0]!.kernels, true);
    assert(!("because" in reference), JSON.stringify(reference));
    assert([...reference.results.values()].every((array) => array.every(Number.isFinite)));
    const ids = [...reference.inputs].map(([, array]) => array).find((array) => array instanceof Int32Array);
    if (ids) assert(Math.max(...ids) > 400 && Math.max(...ids) < 500 && Math.min(...ids) >= 0);
  }
});

Deno.test("a result that rounding alone decides is not compared, and its kernel is left alone", async () => {
  using device = await openDevice({ device: "cpu" });
  const net = model({ x: input([4096], "f32") }, ({ x }) => ({ y: sin(mul(x, 1e7)) }));
  const compiled = compileGraph(net.graph, { target: device.target });
  const { units, untouched, tuning } = await tuneProgram(compiled, device, { cache: false, seconds: 1 });
  assert.deepEqual([units, tuning], [[], {}]);
  assert.match(untouched.join(), /^mul sin: its result .* depends on rounding too much to be compared$/);
});

Deno.test("tuning ends when it is told to, and says how far it has come", async () => {
  using device = await openDevice({ device: "cpu" });
  const compiled = compileGraph(classifier().graph, { target: device.target });
  const stop = new AbortController();
  const heard: number[] = [];
  const { units } = await tuneProgram(compiled, device, {
    cache: false,
    signal: stop.signal,
    onProgress: ({ done }) => {
      heard.push(done);
      if (done === 1) stop.abort();
    },
  });
  assert(units.length <= 2);
  assert.equal(heard[0], 0);
});

Deno.test("options that are none are answered by sentences", async () => {
  using device = await openDevice({ device: "cpu" });
  const compiled = compileGraph(product().graph, { target: device.target });
  for (const seconds of [0, -1, NaN]) {
    await assert.rejects(tuneProgram(compiled, device, { seconds }), /tune: seconds is .*above 0/);
  }
  await assert.rejects(
    compile(product(), { device, tune: 5 as never }),
    /compile\(\): tune is a number; give true or options/,
  );
});
