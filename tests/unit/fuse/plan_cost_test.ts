/** What groups cost before they run: bytes, operations and dispatches, counted by hand beside the model. */

import assert from "node:assert/strict";
import { type Compiled, compileGraph, policies } from "../../../compiler/compile.ts";
import { expectedStorage } from "../../../compiler/fuse/expected_storage.ts";
import { Estimates, groupMs } from "../../../compiler/fuse/plan_cost.ts";
import { type CostModel, costModelOf } from "../../../compiler/fuse/worthwhile.ts";
import type { Model } from "../../../compiler/model/model.ts";
import { softwareTarget } from "../../../compiler/target.ts";
import {
  adam,
  add,
  attention,
  exp,
  fuse,
  input,
  linear,
  matmul,
  model,
  mse,
  mul,
  sliceAxis,
  softmax,
  sort,
  sum,
  tanh,
  trainStep,
} from "../../../mod.ts";

const cost = costModelOf(softwareTarget);

function estimatesOf(net: Model, model: CostModel = cost) {
  const compiled: Compiled = compileGraph(net.graph, { target: softwareTarget, policy: policies.greedy });
  const estimates = new Estimates(compiled.graph, model, expectedStorage(compiled.graph));
  return { compiled, estimates, works: compiled.cover.groups.map((g) => estimates.of(g).work) };
}

Deno.test("a map reads and writes each element once, and does what it does for each", () => {
  const { works: [work] } = estimatesOf(
    model({ x: input([100, 10], "f32"), b: input([10], "f32") }, ({ x, b }) => ({ y: mul(add(x, b), 2) })),
  );
  assert.deepEqual([work!.kind, work!.reads, work!.writes, work!.results], ["map", 4000 + 40, 4000, 1000]);
  // Two loads, a store, a sum and a product for each.
  assert.equal(work!.steps, 1000 * (14 + 14 + 14 + 1 + 1));
});

Deno.test("a slice reads what it shows", () => {
  const { works: [work] } = estimatesOf(
    model({ x: input([1000], "f32") }, ({ x }) => ({ y: exp(sliceAxis(x, 0, { stop: 10 })) })),
  );
  assert.deepEqual([work!.reads, work!.writes], [40, 40]);
});

Deno.test("a row computes what each pass needs, and its scalars once per row", () => {
  const { works: [work] } = estimatesOf(model({ x: input([64, 32], "f32") }, ({ x }) => ({ y: softmax(x) })));
  assert.deepEqual([work!.kind, work!.terms, work!.reads, work!.writes], [
    "row",
    32,
    64 * 32 * 4,
    64 * 32 * 4,
  ]);
  const alone = estimatesOf(model({ x: input([64, 32], "f32") }, ({ x }) => ({ y: sum(x, 1) }))).works[0]!;
  // Three passes read x, two of them compute an exponential, which is an expansion of 20 operations and more.
  assert(
    work!.steps > 5 * alone.steps && work!.steps < 15 * alone.steps,
    `${work!.steps} and ${alone.steps}`,
  );
});

Deno.test("a contraction's operands are evaluated once for the columns of a lane, and for the rows of a workgroup", () => {
  const net = (prologue: boolean) =>
    model({ a: input([64, 48], "f32"), b: input([48, 32], "f32") }, ({ a, b }) => {
      return { y: fuse(() => matmul(prologue ? tanh(a) : a, b)) };
    });
  const [plain, with_] = [false, true].map((prologue) => estimatesOf(net(prologue)).works[0]!);
  assert.deepEqual([plain!.kind, plain!.terms, plain!.reads], ["contraction", 48, 4 * (64 * 48 + 48 * 32)]);
  const [products, results] = [64 * 48 * 32, 64 * 32];
  // By lanes of four columns: a product, a sum, a load of a for four; of b for 16 rows, and its store. Sums are kept.
  assert.equal(plain!.steps, products * (1 + 1 + 14 / 4 + 2 * 14 / 16) + 2 * 14 * results + 14 * results);
  const more = with_!.steps - plain!.steps;
  // Dear rows are rather columns: once for the 8 rows of b that a workgroup then has.
  assert(more > 0 && more % (64 * 48 * 32 / 8) === 0, `${more}`);
});

Deno.test("a contraction of few columns leaves lanes idle", () => {
  const perProduct = (columns: number) => {
    const net = model({ a: input([1024, 256], "f32"), b: input([256, columns], "f32") }, ({ a, b }) => {
      return { y: matmul(a, b) };
    });
    return estimatesOf(net).works[0]!.steps / (1024 * 256 * columns);
  };
  const [wide, narrow, one] = [perProduct(128), perProduct(10), perProduct(4)];
  assert(narrow > 2.5 * wide && narrow < 10 * wide, `${narrow} and ${wide}`);
  assert(one > narrow);
  assert(perProduct(512) <= wide);
});

Deno.test("updates of states pay for no dispatch of their own: they run together", () => {
  const net = model({ x: input([16, 8], "f32"), t: input([16, 4], "f32") }, ({ x, t }) => {
    return { loss: mse(linear(8, 4)(x), t) };
  });
  const { works } = estimatesOf(trainStep(net, adam({ rate: 0.1 })));
  // A weight with its moments, a bias with its own, and the count of steps.
  assert.equal(works.filter(({ packed }) => packed).length, 3);
  const packed = works.find(({ packed }) => packed)!;
  assert.equal(
    groupMs({ ...packed, packed: false }, cost) - groupMs(packed, cost) > 0.99 * cost.dispatchMs,
    true,
  );
});

Deno.test("a program is what it reads and stores", () => {
  const { works } = estimatesOf(model({ x: input([8, 8], "f32") }, ({ x }) => ({ y: sort(x, { axis: 1 }) })));
  assert.equal(works[0]!.kind, "program");
  assert.equal(works[0]!.reads, 256);
});

Deno.test("a program whose op sums products takes them, and not only what it reads and stores", () => {
  const heads = input([2, 16, 8], "f32");
  const net = model({ q: heads, k: heads, v: heads }, ({ q, k, v }) => ({ y: attention(q, k, v) }));
  const { works: [work] } = estimatesOf(net);
  const [elements, rows, terms] = [2 * 16 * 8, 2 * 16, 8 + 16];
  assert.deepEqual([work!.kind, work!.terms], ["program", terms]);
  const results = work!.writes / 4;
  assert(results === elements || results === elements + rows);
  const perProduct = 2 + 14 / 4;
  assert.equal(work!.steps, 14 * (3 * elements + results) + perProduct * (elements + rows) * (terms - 1));
});

Deno.test("a model of one's own replaces the estimate, and sees plain numbers", () => {
  const seen: unknown[] = [];
  const { estimates, compiled } = estimatesOf(
    model({ x: input([8], "f32") }, ({ x }) => ({ y: exp(x) })),
    { ...cost, groupMs: (work) => (seen.push(JSON.parse(JSON.stringify(work))), 42) },
  );
  assert.equal(estimates.planMs(compiled.cover), 42);
  assert.deepEqual(Object.keys(seen[0]!), ["kind", "reads", "writes", "steps", "results", "terms", "packed"]);
});
