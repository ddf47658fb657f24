import assert from "node:assert/strict";
import { compileGraph } from "../../../compiler/compile.ts";
import type { Graph } from "../../../compiler/graph/graph.ts";
import { printKernel } from "../../../compiler/kernel/print.ts";
import { isRaw } from "../../../compiler/kernel/raw.ts";
import { printProgram } from "../../../compiler/program/print.ts";
import { isTunable, neighbors, startingPatches } from "../../../compiler/schedule/candidates.ts";
import { compiledStatements, estimatedSteps } from "../../../compiler/schedule/cost.ts";
import {
  mergePatches,
  patchTarget,
  printPatch,
  readPatch,
  type TargetPatch,
} from "../../../compiler/schedule/tuning.ts";
import { verifyKernels } from "../../../compiler/schedule/verify.ts";
import { gpuTarget, softwareTarget, testTarget } from "../../../compiler/target.ts";
import {
  adam,
  attention,
  cumsum,
  input,
  linear,
  matmul,
  model,
  mse,
  mul,
  relu,
  softmax,
  sort,
  trainStep,
} from "../../../mod.ts";

const two = () =>
  model({ a: input([64, 48], "f32"), b: input([48, 64], "f32") }, ({ a, b }) => {
    return { y: matmul(a, b), s: softmax(a) };
  }).graph;

const texts = (graph: Graph, tuning?: Record<string, TargetPatch>) =>
  new Map(
    compileGraph(graph, { target: softwareTarget, tuning }).units.map((unit) => [
      unit.label,
      unit.kernels.map(({ kernel }) => isRaw(kernel) ? "" : printKernel(kernel)).join("\n"),
    ]),
  );

Deno.test("a tuning changes the kernels of its own group and of no other", () => {
  const graph = two();
  const { units } = compileGraph(graph, { target: softwareTarget });
  const product = units.find(({ label }) => label === "matmul")!;
  const plain = texts(graph);
  const tuned = texts(graph, { [product.key]: { contraction: { depth: 8 } } });
  const different = [...plain.keys()].filter((label) => plain.get(label) !== tuned.get(label));
  assert.deepEqual(different, ["matmul"]);
});

Deno.test("a tuning for groups that the program hasn't changes nothing", () => {
  const graph = two();
  const print = (tuning?: Record<string, TargetPatch>) =>
    printProgram(compileGraph(graph, { target: softwareTarget, tuning }).program);
  assert.equal(print({ "0123": { parallel: 1 } }), print());
});

Deno.test("equal groups have equal keys, in every graph and compile; others have others", () => {
  const layers = (n: number, width: number) =>
    model({ x: input([8, width], "f32") }, ({ x }) => {
      let y = x;
      for (let i = 0; i < n; i++) y = relu(linear(width, width)(y));
      return { y };
    }).graph;
  const keys = (n: number, width: number) =>
    new Set(compileGraph(layers(n, width), { target: testTarget }).units.map(({ key }) => key));
  // The first and the last layer have other buffers than those between.
  assert(keys(9, 16).size <= 3, `${keys(9, 16).size}`);
  assert.deepEqual(keys(9, 16), keys(5, 16));
  assert.notDeepEqual(keys(5, 16), keys(5, 12));
});

Deno.test("groups that are packed into one kernel are tuned as one", () => {
  const net = model({ x: input([4, 8], "f32"), y: input([4, 8], "f32") }, ({ x, y }) => {
    return { loss: mse(linear(8, 8)(linear(8, 8)(x)), y) };
  });
  const { graph } = trainStep(net, adam({ rate: 1e-3 }));
  const { units } = compileGraph(graph, { target: softwareTarget });
  const packed = units.find(({ label }) => label.includes("times"))!;
  const tuned = compileGraph(graph, {
    target: softwareTarget,
    tuning: { [packed.key]: { lanes: { map: 32 } } },
  });
  const lanes = tuned.units.find(({ key }) => key === packed.key)!.kernels.map(({ kernel }) => kernel.lanes);
  assert.deepEqual(lanes, [32]);
});

Deno.test("patches merge number by number, and print as one line", () => {
  const merged = mergePatches(
    { contraction: { depth: 4, tile: [2, 4] }, parallel: 1 },
    { contraction: { depth: 8 }, lanes: { contraction: 8 } },
  );
  assert.equal(
    printPatch(merged),
    "contraction.depth 8, contraction.tile 2×4, parallel 1, lanes.contraction 8",
  );
  const target = patchTarget(testTarget, merged);
  assert.deepEqual([target.contraction.depth, target.contraction.grid, target.lanes.row], [8, [2, 2], 4]);
  assert.equal(printPatch({}), "the defaults");
});

Deno.test("readPatch() takes what a target could be given and nothing else", () => {
  const good: TargetPatch = {
    lanes: { map: 4 },
    row: { merge: false, keep: 0 },
    contraction: { tile: [4, 8], shape: "panel" },
  };
  assert.deepEqual(readPatch(JSON.parse(JSON.stringify(good)), testTarget), good);
  const bad = [
    null,
    [],
    "",
    { lanes: 4 },
    { lanes: { map: -1 } },
    { lanes: { map: 1.5 } },
    { contraction: { tile: [4] } },
    { contraction: { shape: "round" } },
    { row: { merge: 1 } },
    { limits: { sharedBytes: 1 } },
    { name: "x" },
    { somethingElse: 1 },
  ];
  for (const patch of bad) assert.equal(readPatch(patch, testTarget), undefined, JSON.stringify(patch));
});

const kinds: Readonly<Record<string, () => Graph>> = {
  map: () => model({ x: input([64, 48], "f32") }, ({ x }) => ({ y: mul(x, relu(x)) })).graph,
  row: () => model({ x: input([64, 1000], "f32") }, ({ x }) => ({ y: softmax(x) })).graph,
  column: () => model({ x: input([300, 64], "f32") }, ({ x }) => ({ y: softmax(x, 0) })).graph,
  scan: () => model({ x: input([8, 3000], "f32") }, ({ x }) => ({ y: cumsum(x, 1) })).graph,
  sort: () => model({ x: input([4, 512], "f32") }, ({ x }) => ({ y: sort(x, { axis: 1 }) })).graph,
  attention: () =>
    model({ q: input([2, 4, 64, 16], "f32") }, ({ q }) => ({ y: attention(q, q, q, { causal: true }) }))
      .graph,
  contraction: () =>
    model({ a: input([60, 70], "f32"), b: input([70, 50], "f32") }, ({ a, b }) => ({ y: matmul(a, b) }))
      .graph,
};

for (const [kind, make] of Object.entries(kinds)) {
  Deno.test(`${kind}: there are other kernels to try, whatever the target, and what is scheduled is verified`, () => {
    for (const target of [testTarget, softwareTarget, gpuTarget]) {
      const unit = compileGraph(make(), { target }).units.find(({ kernels }) =>
        kernels.some(({ schedule }) => schedule === kind)
      );
      assert(unit, `no ${kind} for ${target.name}`);
      const names = new Set(unit.kernels.map(({ schedule }) => schedule));
      assert(isTunable(names));
      const different = new Set<string>();
      const patches = [...startingPatches(names, target), ...neighbors({}, names, target)];
      for (const patch of patches) {
        const kernels = unit.schedule(patchTarget(target, patch));
        try {
          verifyKernels(kernels, target);
        } catch (error) {
          // A patch may ask for more than the limits allow; it is then none.
          assert.match(String(error), /bytes|lanes|workgroup|buffers/, `${printPatch(patch)}: ${error}`);
          continue;
        }
        different.add(kernels.map(({ kernel }) => isRaw(kernel) ? "" : printKernel(kernel)).join("\n"));
        const steps = estimatedSteps(kernels, target);
        assert(Number.isFinite(steps) && steps > 0, `${printPatch(patch)} takes ${steps} steps`);
        assert(compiledStatements(kernels) > 0);
      }
      assert(
        different.size >= (kind === "sort" ? 1 : 3),
        `${target.name}: ${different.size} of ${patches.length} are different`,
      );
    }
  });
}

Deno.test("the cost model puts more work behind less, and unrolled text behind loops", () => {
  const product = (n: number) => {
    const net = model(
      { a: input([n, n], "f32"), b: input([n, n], "f32") },
      ({ a, b }) => ({ y: matmul(a, b) }),
    );
    return compileGraph(net.graph, { target: softwareTarget }).units[0]!;
  };
  const steps = [64, 128, 256].map((n) => estimatedSteps(product(n).kernels, softwareTarget));
  assert(steps[0]! < steps[1]! && steps[1]! < steps[2]!, `${steps}`);
  // Eight times the products are about eight times the time.
  assert(steps[2]! / steps[1]! > 4 && steps[2]! / steps[1]! < 12, `${steps}`);
  const unit = product(256);
  const statements = (depth: number) =>
    compiledStatements(unit.schedule(patchTarget(softwareTarget, { contraction: { depth } })));
  assert(statements(32) > statements(8));
});
