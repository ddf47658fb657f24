/** Plans side by side: what is compared, what is one program, what can't be compiled, and what no time is spent on. */

import assert from "node:assert/strict";
import { softwareTarget } from "../../../compiler/target.ts";
import {
  ablate,
  adam,
  attention,
  comparePlans,
  crossEntropy,
  exp,
  type FusionPolicy,
  input,
  linear,
  model,
  mul,
  openDevice,
  policies,
  printPlans,
  relu,
  trainStep,
} from "../../../mod.ts";
import type { PlanRow } from "../../../runtime/lab/compare_plans.ts";
import { measurePlans } from "../../../runtime/lab/measure.ts";
import { compileGraph } from "../../../compiler/compile.ts";

const net = model({ x: input(["batch", 12], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
  const hidden = linear(12, 16), out = linear(16, 5);
  return { loss: crossEntropy(out(relu(hidden(x))), y) };
});
const step = trainStep(net, adam({ rate: 1e-3 }));
const sizes = { batch: 8 };

Deno.test("ablate() has a row for each pass, each rule that fires and each policy, timed in turns", async () => {
  using device = await openDevice({ device: "cpu" });
  const heard: string[] = [];
  const onProgress = ({ label }: { label: string | undefined }) => void heard.push(label ?? "end");
  const { rows, notes, ...where } = await ablate(step, { device, sizes, rounds: 6, seconds: 5, onProgress });
  assert.deepEqual(where, { target: "cpu", device: "cpu" });
  const row = (name: string) => rows.find((one) => one.name === name)!;
  assert.deepEqual(rows.map(({ name }) => name), [
    "default",
    "without simplify",
    "without fold constants",
    "without isolate",
    "without rematerialize",
    "without pack",
    "policy none",
    "policy epilogue-only",
    "policy search",
    "policy max",
  ]);
  const [first] = rows;
  assert.deepEqual([first!.timing!.ratio.low, first!.timing!.ratio.high], [1, 1]);
  assert.equal(row("without isolate").sameAs, "default");
  assert.deepEqual(row("without isolate").timing, first!.timing);
  assert(row("without pack").plan!.dispatches > first!.plan!.dispatches);
  const none = row("policy none");
  assert(none.plan!.dispatches > 4 * first!.plan!.dispatches && none.plan!.bytes > first!.plan!.bytes);
  const { ratio, rounds, ms } = none.timing!;
  assert(rounds >= 3 && ms > 0 && ratio.low <= ratio.median && ratio.median <= ratio.high);
  assert.match(
    notes.join("\n"),
    /^\d+ rules never fire here: .*add zero.*\npolicy exhaustive takes 12 ops at most/,
  );
  assert(heard.includes("compiling policy max") && heard.includes("round 1 of 6") && heard.at(-1) === "end");
  const text = printPlans({ rows, ...where });
  assert.match(
    text,
    /^variant +dispatches +shaders +moved +temporaries +compile ms +ms +ratio +95 % interval$/m,
  );
  assert.match(text, /^without isolate .* the same program as "default"$/m);
  assert.match(text, /^on cpu, [3-6] rounds in turns; ms: a whole run by the host's clock, /);
});

Deno.test("ablate() without a device has what is known before a run, and a composite in plain ops", async () => {
  const heads = input([2, 16, 8], "f32");
  const looking = model({ q: heads, k: heads, v: heads }, ({ q, k, v }) => ({ y: attention(q, k, v) }));
  const found = await ablate(looking, { target: softwareTarget });
  const row = (name: string) => found.rows.find((one) => one.name === name)!;
  assert(row("attention in plain ops").plan!.dispatches > row("default").plan!.dispatches);
  assert(row("policy exhaustive").sameAs);
  assert(found.rows.every(({ timing }) => timing === undefined) && found.device === undefined);
  assert.match(printPlans(found), /^for software$/m);
  const only = ["policy none"];
  const names = (await ablate(looking, { target: softwareTarget, only })).rows.map(({ name }) => name);
  assert.deepEqual(names, ["default", "policy none"]);
  await assert.rejects(
    ablate(looking, { target: softwareTarget, only: ["policy some"] }),
    /no row "policy some"; there/,
  );
  await assert.rejects(ablate(looking, {}), /give a device to time plans on, or a target/);
});

Deno.test("what can't be compiled stays in the table with its reason, unless all is compared with it", async () => {
  const twice = model({ x: input([8], "f32") }, ({ x }) => {
    const y = mul(exp(x), 2);
    return { y, z: y };
  });
  const { rows } = await ablate(twice, { target: softwareTarget });
  const { failed, plan } = rows.find(({ name }) => name === "without isolate")!;
  assert.equal(plan, undefined);
  assert.match(failed!, /isolate/);
  assert.match(
    printPlans({ rows, target: "software", device: undefined }),
    /^without isolate .*can't be compiled: /m,
  );
  const broken: FusionPolicy = { name: "broken", cover: () => ({ groups: [], decisions: [] }) };
  await assert.rejects(
    comparePlans(twice, { broken: { policy: broken } }, { target: softwareTarget }),
    /"broken", which the others are compared with, fails: fuse: the policy "broken" gave a cover that cannot run/,
  );
  await assert.rejects(comparePlans(twice, {}, { target: softwareTarget }), /there is nothing to compare/);
});

Deno.test("measurePlans() loads as many plans as fit beside the first, and stops where it is told to", async () => {
  using device = await openDevice({ device: "cpu" });
  const compiled = compileGraph(net.graph, { target: device.target, sizes });
  const unfused = compileGraph(net.graph, { target: device.target, sizes, policy: policies.none });
  const plan = (one: typeof compiled) => ({ name: one.policy, compiled: one, bytes: 1000 });
  const rounds: string[] = [];
  const options = {
    rounds: 3,
    memory: 2500,
    onProgress: ({ round, of, label }: { round: number; of: number | undefined; label: string }) =>
      void rounds.push(`${round} of ${of}: ${label}`),
  };
  const some = [plan(unfused), plan(compiled), plan(unfused)];
  const timings = await measurePlans(plan(compiled), some, device, options);
  assert.deepEqual(timings.map((timing) => "rounds" in timing && timing.rounds), [3, 3, 3, 3]);
  assert.deepEqual(rounds.slice(0, 3), [
    "0 of 9: loading greedy",
    "0 of 9: loading none",
    "0 of 9: round 1 of 3",
  ]);
  assert.deepEqual([rounds.length, rounds.at(-1)], [15, "8 of 9: round 3 of 3"]);
  const signal = AbortSignal.abort();
  const none = await measurePlans(plan(compiled), some, device, { ...options, signal });
  assert.deepEqual(none, Array(4).fill({ because: "there was no time for it" }));
  const short = await measurePlans(plan(compiled), some, device, { rounds: 50, seconds: 1e-6 });
  assert.deepEqual(short.map((timing) => "because" in timing ? timing.because : timing.rounds), [
    6,
    ...Array(3).fill("there was no time to load it"),
  ]);
});

Deno.test("measurePlans() goes on until the time that it is given is over", async () => {
  using device = await openDevice({ device: "cpu" });
  const compiled = compileGraph(net.graph, { target: device.target, sizes });
  const plan = (name: string) => ({ name, compiled, bytes: 1000 });
  const begin = performance.now();
  const last: (number | undefined)[] = [];
  const onProgress = ({ of, elapsed }: { of: number | undefined; elapsed: number }) => last.push(of, elapsed);
  const [base] = await measurePlans(plan("one"), [plan("two")], device, { seconds: 1.5, onProgress });
  assert(base && "rounds" in base && base.rounds >= 6);
  assert(performance.now() - begin >= 1400, "it ended before");
  assert.equal(last[0], undefined);
});

Deno.test("printPlans() says which rows the rounds do not tell from the first", () => {
  const ratio = (low: number, high: number) => ({ median: (low + high) / 2, low, high, coverage: 0.95 });
  const row = (name: string, low: number, high: number): PlanRow => ({
    name,
    timing: { ms: 1, ratio: ratio(low, high), rounds: 9 },
  });
  const print = (...rows: PlanRow[]) =>
    printPlans({ rows: [row("default", 1, 1), ...rows], target: "cpu", device: "cpu" });
  const some = print(row("slow", 1.2, 1.4), row("alike", 0.99, 1.02), row("like", 1, 1.1));
  assert.match(
    some,
    /rounds in turns; ms: .*\n[^]*\nnot told from "default", since 1 lies in the interval: "alike", "like"; more/,
  );
  assert(!/not told/.test(print(row("slow", 1.2, 1.4))));
});
