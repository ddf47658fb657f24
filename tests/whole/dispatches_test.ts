/** How many kernels programs come to, and how much memory, at WebGPU's default limits and at an adapter's. */

import assert from "node:assert/strict";
import type { Compiled } from "../../compiler/compile.ts";
import { gpuTarget, softwareTarget, type Target } from "../../compiler/target.ts";
import { cpuTarget } from "../../runtime/targets.ts";
import { compileFor, countsOf, unsplit } from "../bench/program_counts.ts";
import { adamOver, examplePrograms, gptStep, mlpStep, oneKernelEach } from "../bench/programs.ts";

const withBuffers = (target: Target, storageBuffers: number): Target => ({
  ...target,
  name: `${target.name}, ${storageBuffers} buffers`,
  limits: { ...target.limits, storageBuffers },
});

const targets = [softwareTarget, withBuffers(softwareTarget, 64), gpuTarget].map(unsplit);

const updates = ({ kernels }: Compiled, optimizer: string): number =>
  kernels.filter(({ label }) => label.startsWith(optimizer) && /\d+ times/.test(label)).length;

for (const target of targets) {
  Deno.test(`a step of the MLP takes at most 14 dispatches and no copy (${target.name})`, () => {
    const compiled = compileFor(mlpStep, target);
    const { dispatches, fromSplitting, copies } = countsOf(compiled);
    assert(dispatches <= 14, `${dispatches}`);
    assert.deepEqual([fromSplitting, copies, updates(compiled, "adam")], [0, 0, 1]);
  });

  Deno.test(`a step of the GPT takes at most 104 dispatches of 36 shaders (${target.name})`, () => {
    const compiled = compileFor(gptStep, target);
    const { dispatches, fromSplitting, shaders, copies, temporaries, bound } = countsOf(compiled);
    assert(dispatches <= 104, `${dispatches}`);
    assert(shaders <= 36, `${shaders}`);
    assert.deepEqual([fromSplitting, copies, updates(compiled, "adamW")], [0, 0, 1]);
    // Temporaries of 15 MB, which is near the least that this order needs.
    assert(temporaries <= 15e6, `${temporaries}`);
    assert(temporaries <= 1.05 * bound, `${temporaries} against ${bound}`);
  });

  for (const { most, ...program } of oneKernelEach) {
    Deno.test(`${program.name} takes at most ${most} (${target.name})`, () => {
      const { dispatches } = countsOf(compileFor(program, target));
      assert(dispatches <= most, `${dispatches}`);
    });
  }
}

Deno.test("Adam takes one dispatch per 128 MiB of parameters", () => {
  const target = unsplit(softwareTarget);
  const [small, large] = [adamOver(1000, 7, 33_000_000), adamOver(20_000_000, 20_000_000, 300)];
  assert.equal(updatesOf(compileFor(small, target)), 1);
  assert.equal(updatesOf(compileFor(large, target)), 2);
});

/** Kernels that write parameters, packed or alone. */
function updatesOf({ program }: Compiled): number {
  return program.steps.filter((s) =>
    s.kind === "dispatch" &&
    s.dispatch.bindings.some((b, i) =>
      program.arenas[b.arena]!.role === "state" && b.bytes > 256 &&
      program.kernels[s.dispatch.kernel]!.buffers[i]!.access !== "read"
    )
  ).length;
}

for (const program of examplePrograms) {
  Deno.test(`${program.name}: the memory plan is within 5 % of the least that its order needs`, () => {
    // The last binds as many buffers as an adapter.
    for (const target of [softwareTarget, gpuTarget, cpuTarget]) {
      const { arenas, memory } = compileFor(program, target).program;
      const states = arenas.filter((a) => a.role === "state").reduce((n, a) => n + a.bytes, 0);
      assert(
        states + memory.peak <= 1.05 * (states + memory.bound),
        `${target.name}: ${memory.peak} bytes of temporaries where ${memory.bound} live at once`,
      );
    }
  });
}
