/**
 * `weft profile` and `weft costmodel` on the CPU's device: what they print, what they write, what they
 * refuse.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { CandidateRegret } from "../../../runtime/lab/candidate_regret.ts";
import type { CostRecord } from "../../../runtime/lab/cost_record.ts";
import type { ProgramProfile } from "../../../runtime/lab/profile_program.ts";
import { workspace } from "../../support/workspace.ts";

const weft = new URL("../../../mod.ts", import.meta.url).href;

/** A step whose indices have a bound, with a contraction, rows and maps. */
const source = `import {
  adam, add, crossEntropy, customKernel, input, linear, matmul, model, mul, nn, relu, trainStep,
} from ${JSON.stringify(weft)};
const net = model({ tokens: input(["n"], "i32"), y: input(["n"], "i32") }, ({ tokens, y }) => {
  return { loss: crossEntropy(linear(24, 5)(relu(linear(16, 24)(nn.embedding(31, 16)(tokens)))), y) };
});
export const step = trainStep(net, adam({ rate: 1e-3 }));
const twice = customKernel({
  name: "twice",
  inputs: { x: { shape: ["n"], dtype: "f32" } },
  outputs: { y: { shape: ["n"], dtype: "f32" } },
  wgsl: "let i = global_invocation_id.x; if (i < n) { y[i] = 2 * x[i]; }",
  reference: ({ x, y }) => x.forEach((v, i) => y[i] = 2 * v),
});
export const own = model({ x: input([64], "f32") }, ({ x }) => ({ y: twice({ x: mul(x, 3) }).y }));
export const product = model({ a: input([24, 32], "f32"), b: input([32, 40], "f32"), c: input([40], "f32") },
  ({ a, b, c }) => ({ y: relu(add(matmul(a, b), c)) }));
`;

const on = ["--device", "cpu", "--rounds", "3"];

Deno.test("weft profile prints a line for each kernel, and writes a trace and a roofline", async () => {
  using at = workspace(source);
  const [trace, roofline] = ["trace.json", "roofline.svg"].map((name) => join(at.folder, name)) as [
    string,
    string,
  ];
  const files = ["--trace", trace, "--roofline", roofline];
  const args = [at.file, "--export", "step", "--size", "n=12", ...on, ...files];
  const { code, out } = await at.run("profile", ...args);
  assert.equal(code, 0, out);
  assert.match(
    out,
    /^step on cpu, greedy, the median of 3 rounds; each dispatch is timed alone, by the host's clock/m,
  );
  assert.match(
    out,
    /^roofs: copies [\d.]+ GB\/s of .*; [\d.]+ GFLOP\/s; [\d.]+ µs for a dispatch of nothing/m,
  );
  assert.match(out, /^ms +share +runs +bytes +GB\/s +GFLOP\/s +of roof +binds +schedule +what$/m);
  assert.match(out, /(memory|compute|dispatch) +contraction +.*matmul.*model\.ts:\d+:\d+/);
  assert.match(
    out,
    /^[\d.]+ ms in \d+ dispatches, one by one; a whole run takes [\d.]+ ms by the host's clock: /m,
  );
  const { traceEvents } = JSON.parse(Deno.readTextFileSync(trace));
  const spans = traceEvents.filter(({ ph }: { ph: string }) => ph === "X");
  assert(spans.some(({ name, pid }: { name: string; pid: number }) => name === "fuse" && pid === 1));
  assert(spans.some(({ args }: { args: Record<string, unknown> }) => Number(args.flops) > 0));
  assert.match(Deno.readTextFileSync(roofline), /^<svg [\s\S]*contraction[\s\S]*<\/svg>$/);
  const left = [...Deno.readDirSync(at.folder)].map(({ name }) => name).filter((name) =>
    name.endsWith(".tmp")
  );
  assert.deepEqual(left, []);
});

Deno.test("weft profile --json is a profile, whose parts add up, and knows nothing of kernels of one's own", async () => {
  using at = workspace(source);
  const { code, out, data } = await at.run("profile", at.file, "--export", "own", ...on, "--json");
  assert.equal(code, 0, out);
  const { version, clock, kernels, totals, stages, peaks }: ProgramProfile = JSON.parse(data);
  // A product, the zeros that a kernel of one's own begins with, and that kernel.
  assert.deepEqual([version, clock, kernels.length, totals.dispatches], [1, "calls", 3, 3]);
  const known = kernels.filter(({ schedule }) => schedule !== "raw");
  assert.deepEqual(known.map(({ work }) => work!.flops).sort(), [0, 64]);
  const raw = kernels.find(({ schedule }) => schedule === "raw")!;
  assert.deepEqual([raw.work, raw.roof], [null, null]);
  assert(Math.abs(kernels.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-9);
  assert(Math.abs(Object.values(totals.boundBy).reduce((sum, part) => sum + part, 0) - 1) < 1e-9);
  assert(peaks.gflops > 0 && peaks.bandwidth.every(({ gbPerS }) => gbPerS > 0));
  assert(stages.some(({ name }) => name === "schedule"));
});

Deno.test("weft costmodel compares, writes a dataset, and fits a model to it", async () => {
  using at = workspace(source);
  const data = join(at.folder, "data.jsonl");
  const measured = await at.run(
    ...[
      "costmodel",
      at.file,
      "--export",
      "step",
      "--size",
      "n=12",
      ...on,
      "--candidates",
      "0",
      "--out",
      data,
    ],
  );
  assert.equal(measured.code, 0, measured.out);
  assert.match(measured.out, /^ms +predicted +ratio +steps +schedule +what$/m);
  assert.match(measured.out, /^schedule +kernels +pairs +τ of the plan's model +τ of the loops' model$/m);
  assert.match(measured.out, /^map .* too few pairs$/m);
  const records: CostRecord[] = Deno.readTextFileSync(data).trim().split("\n").map((line) =>
    JSON.parse(line)
  );
  for (const { works, kernels, measuredMs, predictedMs, steps } of records) {
    assert(works.length > 0 && kernels.length > 0 && measuredMs >= 0 && predictedMs > 0 && steps > 0);
  }
  assert.equal(new Set(records.map(({ key }) => key)).size, records.length);
  const fitted = await at.run("costmodel", "--fit", data);
  assert.equal(fitted.code, 0, fitted.out);
  assert.match(
    fitted.out,
    /^default, fitted: \S+ ms a dispatch, \S+ bytes a ms, .*; relative error [\d.]+$/m,
  );
  assert.match(fitted.out, /^warning: Three constants of \d+ records follow the noise in them/m);
  assert.match(fitted.out, /compile\(model, \{ device, cost: \{"name":"default, fitted"/);
  Deno.writeTextFileSync(data, `${JSON.stringify(records[0])}\n{"version":2}\n`);
  const broken = await at.run("costmodel", "--fit", data);
  assert.equal(broken.code, 2);
  assert.match(broken.out, /data\.jsonl, line 2: "device" is no text\. Each line is one record/);
  const illegal = { ...records[0]!, cost: { ...records[0]!.cost, bytesPerMs: 0 } };
  Deno.writeTextFileSync(data, JSON.stringify(illegal));
  assert.match(
    (await at.run("costmodel", "--fit", data)).out,
    /line 1: its cost model's "bytesPerMs" is 0, and/,
  );
});

Deno.test("weft costmodel times the candidates of a group, and says what it costs to believe the model", async () => {
  using at = workspace(source);
  const { code, out, data } = await at.run(
    ...["costmodel", at.file, "--export", "product", ...on, "--candidates", "1", "--json"],
  );
  assert.equal(code, 0, out);
  const { candidates: [one] }: { candidates: CandidateRegret[] } = JSON.parse(data);
  assert.equal(one!.schedule, "contraction");
  assert.equal(one!.candidates[0]!.patch, "the defaults");
  assert(one!.candidates.length > 3 && one!.regret >= 1);
});

Deno.test("weft profile and costmodel answer a wrong call with a sentence", async () => {
  using at = workspace(source);
  const cases: readonly (readonly [args: string[], code: number, says: RegExp])[] = [
    [["profile", at.file, "--export", "step"], 2, /a size that needs a number: "n"/],
    [["profile", at.file, "--export", "own", "--rounds", "2.5"], 2, /no whole number above 0/],
    [
      ["profile", at.file, "--export", "own", ...on, "--trace", join(at.folder, "no/t.json")],
      2,
      /there is no folder .*no" to write t\.json into/,
    ],
    [["costmodel"], 2, /name a model's file to measure, or a dataset with --fit/],
    [["costmodel", at.file, "--fit", "x.jsonl"], 2, /either a model's file.*or --fit/],
    [["costmodel", "--fit", join(at.folder, "none.jsonl")], 2, /none\.jsonl can't be read/],
  ];
  for (const [args, code, says] of cases) {
    const answer = await at.run(...args);
    assert.match(answer.out, says);
    assert.equal(answer.code, code, answer.out);
  }
});
