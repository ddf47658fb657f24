/** What a profile is made into: positions under roofs, a table, trace events. */

import assert from "node:assert/strict";
import { Ajv } from "ajv";
import { chromeTrace } from "../../../runtime/lab/chrome_trace.ts";
import { printProgramProfile } from "../../../runtime/lab/print_profile.ts";
import type { KernelProfile, ProgramProfile } from "../../../runtime/lab/profile_program.ts";
import { bandwidthAt, roofOf } from "../../../runtime/lab/roof.ts";

const peaks = {
  bandwidth: [{ bytes: 1e6, gbPerS: 40 }, { bytes: 1e8, gbPerS: 10 }],
  gflops: 100,
  dispatchMs: 0.01,
  launchMs: 0.005,
  clock: "timestamps",
} as const;

Deno.test("bandwidthAt() is what was measured, between two sizes in proportion, and beyond them the nearest", () => {
  assert.equal(bandwidthAt(1, peaks), 40);
  assert.equal(bandwidthAt(1e6, peaks), 40);
  assert(Math.abs(bandwidthAt(1e7, peaks) - 20) < 1e-9);
  assert.equal(bandwidthAt(1e9, peaks), 10);
});

Deno.test("roofOf() finds the roof that binds, and how much of it is reached", () => {
  const close = (got: number, want: number) => assert(Math.abs(got - want) < 1e-9, `${got} is not ${want}`);
  const memory = roofOf({ reads: 5e7, writes: 5e7, flops: 1e6 }, 20, peaks);
  assert.equal(memory.binds, "memory");
  close(memory.roofMs, 10);
  close(memory.ofRoof, 0.5);
  close(memory.gbPerS, 5);
  const compute = roofOf({ reads: 1e6, writes: 0, flops: 1e9 }, 40, peaks);
  assert.deepEqual([compute.binds, compute.roofMs, compute.gflops, compute.intensity], [
    "compute",
    10,
    25,
    1000,
  ]);
  assert.equal(roofOf({ reads: 4, writes: 4, flops: 1 }, 0.02, peaks).binds, "dispatch");
  // Nothing that a clock may show is no number.
  for (const x of Object.values(roofOf({ reads: 0, writes: 0, flops: 0 }, 0, peaks))) {
    assert(typeof x === "string" || Number.isFinite(x));
  }
});

const work = {
  loads: 8e6,
  stores: 4e6,
  reads: 4e6,
  writes: 4e6,
  flops: 2e6,
  functions: 10,
  exact: true,
  buffers: [],
};
const kernel = (index: number, ms: number, rest: Partial<KernelProfile> = {}): KernelProfile => ({
  index,
  kernel: 0,
  label: `layer${index}: matmul`,
  schedule: "contraction",
  split: false,
  groups: 4,
  lanes: 8,
  lines: ["model.ts:3:4", "model.ts:5:6"],
  ms,
  leastMs: ms,
  share: ms / 4,
  work,
  roof: roofOf(work, ms, peaks),
  ...rest,
});
const profile: ProgramProfile = {
  version: 1,
  weft: "0.1.0",
  name: "net",
  device: { name: "a device", kind: "webgpu", target: "a device" },
  clock: "timestamps",
  policy: "greedy",
  rounds: 3,
  peaks,
  kernels: [
    kernel(0, 1),
    kernel(1, 2),
    kernel(2, 1, { kernel: 1, label: "mine", schedule: "raw", work: null, roof: null }),
  ],
  totals: {
    ...{ dispatches: 3, ms: 4, runMs: 3.5, loads: 16e6, stores: 8e6, reads: 8e6, writes: 8e6, flops: 4e6 },
    ...{ functions: 20, roofMs: 1, boundBy: { memory: 0.75, compute: 0, dispatch: 0, unknown: 0.25 } },
  },
  stages: [{ name: "bind", begin: 100, ms: 2 }, { name: "fuse", begin: 102.5, ms: 4 }],
};

Deno.test("printProgramProfile() adds up equal kernels, and says what it does not know", () => {
  const text = printProgramProfile(profile);
  assert.match(
    text,
    /^net on a device, greedy, the median of 3 rounds; each dispatch is timed alone, by the device's own timestamps/,
  );
  assert.match(
    text,
    /^3\.000 +75\.0 % +2× +15\.3 MiB +5\.33 +1\.33 +\S+ % +memory +contraction +layer0: matmul {2}model/m,
  );
  assert.match(text, /^1\.000 +25\.0 % +1× +unknown +raw +mine {2}model\.ts:3:4 \+1$/m);
  assert.match(
    text,
    /^4\.000 ms in 3 dispatches, one by one; a whole run takes 3\.500 ms by the host's clock: runs in a row, /m,
  );
  assert.match(text, /bound by: 75\.0 % memory, 25\.0 % unknown$/m);
  assert.match(text, /What kernels in WGSL of your own do is not known/);
  assert(!/above the roof/.test(text));
});

Deno.test("printProgramProfile() says why a kernel may be above the roof", () => {
  const quick = { ...profile, kernels: [kernel(0, 1e-3)] };
  assert.match(printProgramProfile(quick), /^One kernel is above the roof: .* cache/m);
});

/** What trace viewers take, of the events that are written. */
const schema = {
  type: "object",
  required: ["traceEvents", "displayTimeUnit"],
  properties: {
    displayTimeUnit: { enum: ["ms", "ns"] },
    otherData: { type: "object", additionalProperties: { type: "string" } },
    traceEvents: {
      type: "array",
      minItems: 1,
      items: {
        type: "object",
        required: ["name", "ph", "pid", "tid", "ts"],
        properties: {
          name: { type: "string" },
          cat: { type: "string" },
          ph: { enum: ["X", "M"] },
          pid: { type: "integer" },
          tid: { type: "integer" },
          ts: { type: "number", minimum: 0 },
          dur: { type: "number", minimum: 0 },
          args: { type: "object" },
        },
        if: { properties: { ph: { const: "X" } } },
        then: { required: ["dur"] },
      },
    },
  },
};

Deno.test("chromeTrace() is what trace viewers open: the compile on one track, dispatches end to end on another", () => {
  const trace = JSON.parse(JSON.stringify(chromeTrace(profile)));
  const ajv = new Ajv({ strict: false });
  assert.equal(ajv.validate(schema, trace) || ajv.errorsText(), true);
  const spans = trace.traceEvents.filter(({ ph }: { ph: string }) => ph === "X");
  const of = (pid: number) => spans.filter((event: { pid: number }) => event.pid === pid);
  assert.deepEqual(
    of(1).map(({ name, ts, dur }: { name: string; ts: number; dur: number }) => [name, ts, dur]),
    [["bind", 0, 2000], ["fuse", 2500, 4000]],
  );
  assert.deepEqual(
    of(2).map(({ ts, dur }: { ts: number; dur: number }) => [ts, dur]),
    [[6500, 1000], [7500, 2000], [9500, 1000]],
  );
  const { args } = of(2)[0];
  assert.deepEqual([args.groups, args.bytes, args.flops, args.binds], [4, 8e6, 2e6, "memory"]);
  assert.equal(of(2)[2].args.flops, undefined);
});
