import assert from "node:assert/strict";
import type { GroupWork } from "../../../compiler/fuse/group_work.ts";
import { type CostModel, costModelOf } from "../../../compiler/fuse/worthwhile.ts";
import { softwareTarget } from "../../../compiler/target.ts";
import { compileGraph } from "../../../compiler/compile.ts";
import { exp, input, lockOf, model } from "../../../mod.ts";
import { predictedMs } from "../../../runtime/lab/cost_record.ts";
import { fitCostModel, leastSquares } from "../../../runtime/lab/fit_cost_model.ts";
import { parseLock } from "../../../runtime/lock/check.ts";
import { randomOf } from "../../support/random.ts";

const base = costModelOf(softwareTarget);
const random = randomOf(7);

function work(packed = false, kind: GroupWork["kind"] = "map"): GroupWork {
  const size = Math.round(10 ** (2 + 5 * random()));
  const perElement = 1 + Math.round(50 * random());
  return {
    kind,
    reads: 4 * size,
    writes: 4 * size,
    steps: perElement * size,
    results: size,
    terms: 1,
    packed,
  };
}

const planted: CostModel = { ...base, dispatchMs: 0.017, bytesPerMs: 3.1e6, stepsPerMs: 7.13e6 };

function measured(noise: number, cost = planted) {
  return Array.from({ length: 60 }, (_, i) => {
    const works = i % 10 === 0 ? [work(true), work(true)] : [work()];
    const measuredMs = predictedMs(works, cost) * (1 + noise * (random() - 0.5));
    return { works, measuredMs, device: "planted" };
  });
}

const near = (got: number, want: number, tolerance: number) =>
  assert(Math.abs(got / want - 1) <= tolerance, `${got} is not ${want}`);

Deno.test("fitCostModel() finds the constants that times were made with", () => {
  const { cost, error, records } = fitCostModel(measured(0), base);
  near(cost.dispatchMs, planted.dispatchMs, 1e-6);
  near(cost.bytesPerMs, planted.bytesPerMs, 1e-6);
  near(cost.stepsPerMs!, planted.stepsPerMs!, 1e-6);
  assert(error < 1e-6);
  assert.equal(records, 60);
});

Deno.test("fitCostModel() finds them through noise, and says how much there is", () => {
  const { cost, error } = fitCostModel(measured(0.2), base);
  near(cost.dispatchMs, planted.dispatchMs, 0.1);
  near(cost.bytesPerMs, planted.bytesPerMs, 0.3);
  near(cost.stepsPerMs!, planted.stepsPerMs!, 0.4);
  assert(error > 0.02 && error < 0.1, `${error}`);
});

Deno.test("fitCostModel() gives no constant that is negative, infinite or no number", () => {
  // Time that shrinks with size has no such model.
  const odd = measured(0).map((record) => ({ ...record, measuredMs: 1 / record.measuredMs }));
  const { cost } = fitCostModel(odd, base);
  for (const key of ["dispatchMs", "bytesPerMs", "stepsPerMs"] as const) {
    assert(Number.isFinite(cost[key]) && cost[key]! >= 0, `${key} ${cost[key]}`);
  }
});

Deno.test("fitCostModel() leaves out what the model does not know, and refuses too little or two devices", () => {
  const strange = { works: [work(false, "program")], measuredMs: 1e6, device: "planted" };
  near(fitCostModel([...measured(0), strange], base).cost.dispatchMs, planted.dispatchMs, 1e-6);
  assert.throws(() => fitCostModel([strange, strange, strange], base), /there are 0 records of groups/);
  assert.throws(
    () => fitCostModel([...measured(0), { ...measured(0)[0]!, device: "other" }], base),
    /fitted to one device, and the records are of 2: "planted", "other"/,
  );
});

Deno.test("fitCostModel() says where the records do not tell", () => {
  assert.deepEqual(fitCostModel(measured(0), base).warnings, []);
  assert.match(
    fitCostModel(measured(0).slice(1, 4), base).warnings.join(" "),
    /Three constants of 3 records/,
  );
  const free = measured(0, { ...planted, dispatchMs: 0, bytesPerMs: 1e5, stepsPerMs: 1e20 });
  assert.match(fitCostModel(free, base).warnings.join(" "), /where .*an operation takes no time at all/);
});

Deno.test("whatever is measured, a fitted model has legal numbers, and a lock of it is read", () => {
  const net = model({ x: input([8], "f32") }, ({ x }) => ({ y: exp(x) }));
  const random = randomOf(5);
  const lock = lockOf(compileGraph(net.graph, { target: softwareTarget }));
  for (let round = 0; round < 40; round++) {
    // Times that follow dispatches, bytes, operations or nothing at all, from picoseconds to hours.
    const scale = 10 ** (18 * random() - 9);
    const odd = measured(0, {
      ...planted,
      dispatchMs: round % 2 * scale,
      bytesPerMs: 10 ** (30 * random() - 5),
      stepsPerMs: 10 ** (30 * random() - 5),
    }).map((record) => ({
      ...record,
      measuredMs: record.measuredMs ** (round % 3 - 0.5) + scale * random(),
    }));
    const once = fitCostModel(odd, base).cost;
    const { cost } = fitCostModel(odd, once);
    assert.equal(cost.name, "default, fitted");
    assert(!Object.is(cost.dispatchMs, -0) && cost.bytesPerMs <= 1e10 && cost.stepsPerMs! <= 1e13);
    assert.deepEqual(parseLock(JSON.stringify({ ...lock, cost }), "the lock").cost, cost);
  }
});

Deno.test("a fitted model is one to compile with", () => {
  const { cost } = fitCostModel(measured(0), base);
  const net = model({ x: input([8], "f32") }, ({ x }) => ({ y: exp(x) }));
  const compiled = compileGraph(net.graph, { target: softwareTarget, cost });
  assert.equal(compiled.cost.name, "default, fitted");
  assert.equal(compiled.kernels.length, 1);
});

Deno.test("leastSquares() holds an unknown at its least where less would fit better", () => {
  const rows = [[1, 0], [1, 1], [1, 2]].map(([a, b]) => [a! / (2 - b! / 2), b! / (2 - b! / 2)]);
  const [level, slope] = leastSquares(rows, [0, 0]);
  assert.equal(slope, 0);
  assert(level! > 1 && level! < 2);
});
