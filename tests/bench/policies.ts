/**
 * Fusion policies beside each other.
 *
 *     deno run -A tests/bench/policies.ts                  how far each is from the best partition, on 200 random graphs
 *     deno run -A tests/bench/policies.ts --programs       what each makes of the MLP's and the GPT's training step
 *     deno run -A tests/bench/policies.ts --device         the five best partitions of 20 graphs, timed on the adapter
 *     deno run -A tests/bench/policies.ts --programs --device    the training steps, timed on the adapter
 *
 * The first two need no device: they compare covers by the cost model, for the software target or `--target gpu`. Further
 * options: `--count`, `--seed`, `--scale` (times the sizes of tests, 3 to 16; default 32), `--json`.
 * @module
 */

import { parseArgs } from "node:util";
import { compileGraph, policies } from "../../compiler/compile.ts";
import { Estimates } from "../../compiler/fuse/plan_cost.ts";
import { expectedStorage } from "../../compiler/fuse/expected_storage.ts";
import { gpuTarget, softwareTarget } from "../../compiler/target.ts";
import { openDevice } from "../../mod.ts";
import { table } from "../../runtime/table.ts";
import { compared, distances } from "./policies/distance.ts";
import { bindSizes } from "../../compiler/graph/bind.ts";
import { resident } from "./policies/graphs.ts";
import { measureOrders, type Order, timesOf } from "./policies/measured.ts";
import { gptStep, mlpStep } from "./programs.ts";

const { values: flags } = parseArgs({
  options: {
    programs: { type: "boolean", default: false },
    device: { type: "boolean", default: false },
    target: { type: "string", default: "software" },
    count: { type: "string" },
    seed: { type: "string", default: "1" },
    scale: { type: "string", default: "32" },
    json: { type: "boolean", default: false },
  },
});
const [seed, scale] = [Number(flags.seed), Number(flags.scale)];
const target = { software: softwareTarget, gpu: gpuTarget }[flags.target];
if (!target) throw new Error(`--target is ${flags.target}; it may be software or gpu`);

const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;
const print = (rows: readonly (readonly string[])[]) => console.log(table(rows).join("\n"));

function showDistances(): void {
  const count = Number(flags.count ?? 200);
  const found = distances({ count, seed, scale, target: target! });
  if (flags.json) return console.log(JSON.stringify(found));
  console.log(
    `${count} graphs of 4 to 12 ops, sizes times ${scale}, ${target!.name}: above the best partition by`,
  );
  print([
    ["policy", "mean", "median", "worst", "best", "as good or better"],
    ...found.map((
      { policy, mean, median, worst, best, optimal },
    ) => [policy, ...[mean, median, worst, best].map(percent), percent(optimal)]),
  ]);
}

/** The training steps as policies other than the slow ones make them, in turns on the adapter. */
async function showTimes(): Promise<void> {
  using device = await openDevice({ device: "webgpu" });
  const names = ["greedy", "search", "epilogue-only"] as const;
  const rows = [["program", "policy", "kernels", "model ms", "measured ms", "over greedy"]];
  for (const { name, graph, sizes } of [mlpStep, gptStep]) {
    const traced = resident(bindSizes(graph(), sizes));
    const made = names.map((policy) =>
      compileGraph(traced, { target: device.target, policy: policies[policy] })
    );
    const times = await timesOf(device, made.map(({ program }) => program));
    made.forEach(({ graph, cost, cover, kernels, policy }, i) => {
      const expected = new Estimates(graph, cost, expectedStorage(graph)).planMs({ groups: cover.groups });
      const numbers = [expected.toFixed(2), times[i]!.toFixed(2), (times[i]! / times[0]!).toFixed(3)];
      rows.push([name, policy, String(kernels.length), ...numbers]);
    });
  }
  console.log(device.name);
  print(rows);
}

/** What each policy makes of the training steps, by the model. */
function showPrograms(): void {
  const rows = [mlpStep, gptStep].flatMap(({ name, graph, sizes }) => {
    const traced = graph();
    let greedy = 0;
    return (["greedy", ...compared.filter((policy) => policy !== "greedy")] as const).map((policy) => {
      const start = performance.now();
      const made = compileGraph(traced, { target: target!, sizes, policy: policies[policy] });
      const seconds = (performance.now() - start) / 1000;
      const ms = new Estimates(made.graph, made.cost, expectedStorage(made.graph)).planMs(made.cover);
      if (policy === "greedy") greedy = ms;
      return { program: name, policy, kernels: made.kernels.length, ms, ratio: ms / greedy, seconds };
    });
  });
  if (flags.json) return console.log(JSON.stringify(rows));
  print([
    ["program", "policy", "kernels", "model ms", "over greedy", "compile s"],
    ...rows.map(({ program, policy, kernels, ms, ratio, seconds }) => [
      program,
      policy,
      String(kernels),
      ms.toFixed(3),
      ratio.toFixed(3),
      seconds.toFixed(1),
    ]),
  ]);
}

async function showOrders(): Promise<void> {
  const count = Number(flags.count ?? 20);
  using device = await openDevice({ device: "webgpu" });
  console.log(`${device.name}: the five best partitions by the model, measured ms (expected ms)`);
  const orders: Order[] = [];
  for await (const order of measureOrders(device, { count, seed, scale, best: 5 })) {
    orders.push(order);
    const times = order.partitions.map(({ kernels, measured, expected }) =>
      `${kernels} kernels ${measured.toFixed(3)} (${expected.toFixed(3)})`
    );
    const tau = order.tau === undefined ? "none" : order.tau.toFixed(2);
    console.log(
      `${orders.length}: ${times.join(", ")}; τ ${tau}, favorite ${order.regret.toFixed(2)} of the fastest`,
    );
  }
  const taus = orders.flatMap(({ tau }) => tau === undefined ? [] : [tau]);
  const mean = (list: readonly number[]) => list.reduce((sum, x) => sum + x, 0) / list.length;
  const regrets = orders.map(({ regret }) => regret);
  console.log(
    `${orders.length} graphs: mean τ ${mean(taus).toFixed(2)}; the model's favorite takes ${
      mean(regrets).toFixed(2)
    } ` +
      `times the fastest of the five on average, ${
        Math.max(...regrets).toFixed(2)
      } at worst, and is the fastest or ` +
      `within 5 % of it on ${regrets.filter((r) => r < 1.05).length}`,
  );
  if (flags.json) console.log(JSON.stringify(orders));
}

if (flags.programs && flags.device) await showTimes();
else if (flags.programs) showPrograms();
else if (flags.device) await showOrders();
else showDistances();
