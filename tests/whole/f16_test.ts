/** f16 through the whole pipeline, for devices with and without 16-bit storage (SEMANTICS §3, §6). */

import assert from "node:assert/strict";
import { policies } from "../../compiler/compile.ts";
import { emitWgsl } from "../../compiler/emit/wgsl.ts";
import { type Target, testTarget } from "../../compiler/target.ts";
import { compile, init, input, matmul, model, openDevice, setState, state, sum } from "../../mod.ts";
import { add, concat, mul, slice } from "../../mod.ts";
import { opTable } from "../../ops/define_op.ts";
import { CaseChecker, runOnHost, type Way, ways } from "../support/check_cases.ts";
import { compileCase } from "../support/compile_samples.ts";
import {
  chainOfHalves,
  halfSampleCases,
  halvesToTrainOn,
  oddHalves,
  trainedHalves,
  withoutHalves,
} from "../support/half_cases.ts";
import { graphOf } from "../../runtime/check_op/sample_graph.ts";

const withHalves: Target = { ...testTarget, features: { ...testTarget.features, f16: true } };
/** Halves computed in halves: unfused by the interpreter and as JavaScript, and fused. */
const computed: readonly Way[] = [
  { target: withHalves, policy: policies.none, executor: "interpreter", arithmetic: "f16" },
  { target: withHalves, policy: policies.none, arithmetic: "f16" },
  { target: withHalves, policy: policies.greedy, arithmetic: "f16" },
];
const inPairs: Way = { target: testTarget, policy: policies.greedy };
const checker = new CaseChecker();

for (const [op, cases] of Map.groupBy(halfSampleCases(), ({ op }) => op)) {
  Deno.test(`${op}: with f16 for f32 it gives what its reference says, stored in pairs and computed in halves`, () => {
    for (const sample of cases) {
      checker.check(sample, [inPairs, ...computed]);
      for (const kernel of compileCase(sample, inPairs).program.kernels) {
        assert.doesNotMatch(emitWgsl(kernel, testTarget), /enable f16|<f16>/);
      }
    }
  });
}

Deno.test("ops that cannot take f16 say which types they take", () => {
  for (const [name, message] of withoutHalves) {
    const op = opTable.get(name)!;
    const sample = { ...op.samples[0]!, inputs: [{ shape: [2], dtype: "f16" as const }] };
    assert.throws(() => graphOf(op, sample), message);
  }
});

Deno.test("rows of odd length are cut, joined, summed and multiplied as halves, fused and not", () => {
  checker.check(oddHalves(), [inPairs, ways.none, ways.greedy, ways.oneLane, ...computed]);
});

Deno.test("hardly any result of f16 is dropped as undecidable", () => checker.assertHardlyDropped());

Deno.test("with arithmetic of halves, chains are the same bits fused and not, and sums stay f32", () => {
  const sample = chainOfHalves();
  const run = (way: Way) => {
    const { program } = compileCase(sample, way);
    return { kernels: program.kernels, results: runOnHost(program, sample, way.executor) };
  };
  const [interpreted, unfused, fused] = computed.map(run);
  assert.deepEqual(unfused!.results, interpreted!.results);
  assert.deepEqual(fused!.results, interpreted!.results);
  assert.equal(fused!.kernels.length, 2);
  const texts = fused!.kernels.map((kernel) => emitWgsl(kernel, withHalves));
  assert.ok(texts.every((text) => text.startsWith("enable f16;")));
  assert.match(texts[0]!, /vec4<f16>\(0\.0999755859375h\)/);
  // The sum of 4096 ones stops at 2048 in halves.
  assert.equal(interpreted!.results.y2![0], 4096);
});

Deno.test("arithmetic of halves wants a target that has them", () => {
  const options = { ...inPairs, arithmetic: "f16" } as const;
  assert.throws(
    () => compileCase(chainOfHalves(), options),
    /arithmetic "f16" needs a device with shader-f16, which test has not\. Leave the option out/,
  );
});

// SEMANTICS §6: "chains, sums and accumulators are f32".
Deno.test("a sum of halves is exact in f32 and rounded where it is stored", async () => {
  const net = model({ x: input([1, 4096], "f16"), w: input([4096, 1], "f16") }, ({ x, w }) => ({
    total: sum(x),
    product: matmul(x, w),
    // Stored nowhere in between: 120000 is beyond f16.
    chain: mul(mul(mul(slice(x, [0, { stop: 1 }]), 60000), 2), 0.25),
  }));
  using device = await openDevice({ device: "cpu" });
  using run = await compile(net, { device });
  const results = run.run({ x: new Float32Array(4096).fill(1), w: new Float32Array(4096).fill(0.25) });
  assert.deepEqual([...await results.total.read()], [4096]); // in f16 it would stop at 2048
  assert.deepEqual([...await results.product.read()], [1024]);
  assert.deepEqual([...await results.chain.read()], [30000]);
});

Deno.test("a state of f16 with an odd number of elements is updated in place and saved in halves", async () => {
  const net = model({ x: input([7], "f16") }, ({ x }) => {
    const average = state("average", [7], init.zeros(), "f16");
    const next = add(mul(average, 0.5), x);
    setState(average, next);
    return { joined: concat([slice(next, [{ stop: 3 }]), x], 0) };
  });
  using device = await openDevice({ device: "cpu" });
  using run = await compile(net, { device });
  const x = Float32Array.from([1, 2, 3, 4, 5, 6, 7]);
  run.run({ x });
  const { joined } = run.run({ x });
  assert.deepEqual([...await joined.read()], [1.5, 3, 4.5, 1, 2, 3, 4, 5, 6, 7]);
  assert.deepEqual([...await run.state.read("average")], [1.5, 3, 4.5, 6, 7.5, 9, 10.5]);
});

Deno.test("parameters of f16 are trained, with moments in f32", async () => {
  using device = await openDevice({ device: "cpu" });
  using run = await compile(trainedHalves(), { device, sizes: { batch: 3 } });
  assert.equal(run.state.names.filter((name) => name.startsWith("adam/m/")).length, 3);
  const first = await run.run(halvesToTrainOn).loss.item();
  for (let step = 0; step < 28; step++) run.run(halvesToTrainOn);
  const last = await run.run(halvesToTrainOn).loss.item();
  assert.ok(first > 1 && last < 0.02, `from ${first} to ${last}`);
  const b = await run.state.read("b");
  assert.deepEqual([...b], [...b].map(Math.f16round));
});
