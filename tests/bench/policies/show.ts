/**
 * Fusion policies beside each other, as tables: by the cost model, and on this machine's adapter.
 * @module
 */

import { compileGraph, policies } from "../../../compiler/compile.ts";
import { Estimates } from "../../../compiler/fuse/plan_cost.ts";
import { expectedStorage } from "../../../compiler/fuse/expected_storage.ts";
import { gpuTarget, softwareTarget } from "../../../compiler/target.ts";
import { openDevice } from "../../../mod.ts";
import { table } from "../../../runtime/table.ts";
import { compared, distances } from "./distance.ts";
import { bindSizes } from "../../../compiler/graph/bind.ts";
import { resident } from "./graphs.ts";
import { measureOrders, type Order, timesOf } from "./measured.ts";
import { gptStep, mlpStep } from "../programs.ts";

const percent = (x: number): string => `${(100 * x).toFixed(1)} %`;
const print = (rows: readonly (readonly string[])[]) => console.log(table(rows).join("\n"));

export interface PolicyFlags {
  readonly target: "software" | "gpu";
  readonly count?: number;
  readonly seed: number;
  /** Times the sizes of tests. */
  readonly scale: number;
  readonly json: boolean;
}

const targets = { software: softwareTarget, gpu: gpuTarget } as const;

/** How far each policy is from the best partition of random graphs, by the model. */
export function showDistances({ count = 200, seed, scale, json, ...flags }: PolicyFlags): void {
  const target = targets[flags.target];
  const found = distances({ count, seed, scale, target });
  if (json) return console.log(JSON.stringify(found));
  console.log(
    `${count} graphs of 4 to 12 ops, sizes times ${scale}, ${target.name}: above the best partition by`,
  );
  print([
    ["policy", "mean", "median", "worst", "best", "as good or better"],
    ...found.map((
      { policy, mean, median, worst, best, optimal },
    ) => [policy, ...[mean, median, worst, best].map(percent), percent(optimal)]),
  ]);
}

/** The training steps as policies other than the slow ones make them, in turns on the adapter. */
export async function showTimes({ json }: PolicyFlags): Promise<void> {
  using device = await openDevice({ device: "webgpu" });
  const names = ["greedy", "search", "epilogue-only"] as const;
  const rows = [];
  for (const { name, graph, sizes } of [mlpStep, gptStep]) {
    const traced = resident(bindSizes(graph(), sizes));
    const made = names.map((policy) =>
      compileGraph(traced, { target: device.target, policy: policies[policy] })
    );
    const times = await timesOf(device, made);
    for (const [i, { graph, cost, cover, kernels, policy }] of made.entries()) {
      const ms = new Estimates(graph, cost, expectedStorage(graph)).planMs({ groups: cover.groups });
      const [measured, ratio] = [times[i]!, times[i]! / times[0]!];
      rows.push({ program: name, policy, kernels: kernels.length, ms, measured, ratio });
    }
  }
  if (json) return console.log(JSON.stringify(rows));
  console.log(device.name);
  print([
    ["program", "policy", "kernels", "model ms", "measured ms", "over greedy"],
    ...rows.map(({ program, policy, kernels, ms, measured, ratio }) => [
      program,
      policy,
      String(kernels),
      ms.toFixed(2),
      measured.toFixed(2),
      ratio.toFixed(3),
    ]),
  ]);
}

/** What each policy makes of the training steps, by the model. */
export function showPrograms({ json, ...flags }: PolicyFlags): void {
  const target = targets[flags.target];
  const rows = [mlpStep, gptStep].flatMap(({ name, graph, sizes }) => {
    const traced = graph();
    let greedy = 0;
    return (["greedy", ...compared.filter((policy) => policy !== "greedy")] as const).map((policy) => {
      const start = performance.now();
      const made = compileGraph(traced, { target, sizes, policy: policies[policy] });
      const seconds = (performance.now() - start) / 1000;
      const ms = new Estimates(made.graph, made.cost, expectedStorage(made.graph)).planMs(made.cover);
      if (policy === "greedy") greedy = ms;
      return { program: name, policy, kernels: made.kernels.length, ms, ratio: ms / greedy, seconds };
    });
  });
  if (json) return console.log(JSON.stringify(rows));
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

/** The five best partitions of random graphs, timed on the adapter. */
export async function showOrders({ count = 20, seed, scale, json }: PolicyFlags): Promise<void> {
  using device = await openDevice({ device: "webgpu" });
  if (!json) console.log(`${device.name}: the five best partitions by the model, measured ms (expected ms)`);
  const orders: Order[] = [];
  for await (const order of measureOrders(device, { count, seed, scale, best: 5 })) {
    orders.push(order);
    if (json) continue;
    const times = order.partitions.map(({ kernels, measured, expected }) =>
      `${kernels} kernels ${measured.toFixed(3)} (${expected.toFixed(3)})`
    );
    const tau = order.tau === undefined ? "none" : order.tau.toFixed(2);
    console.log(
      `${orders.length}: ${times.join(", ")}; τ ${tau}, favorite ${order.regret.toFixed(2)} of the fastest`,
    );
  }
  if (json) return console.log(JSON.stringify(orders));
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
}
