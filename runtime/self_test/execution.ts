/**
 * Checks of how an adapter executes kernels: loops, workgroup memory, atomics, reading back.
 * @module
 */

import type { Check, Finding } from "./check.ts";
import { runProbe } from "./probe.ts";

/** More than the 65,535 after which Mesa's lavapipe before version 25 leaves a loop. */
const LOOP_TURNS = 200_000;
const LANES = 64;

export const EXECUTION_CHECKS = {
  longLoops: {
    means: "A loop may run more than 65,535 times; else long reductions end early, silently.",
    async ask({ device }): Promise<Finding> {
      // A random number generator's steps, which no compiler can replace by a formula.
      const [state] = await runProbe(device, {
        body: "var s = 1u; for (var k = 0u; k < inp[0]; k++) { s = s * 1664525u + 1013904223u; } out[0] = s;",
        input: new Uint32Array([LOOP_TURNS]),
        outputWords: 1,
      });
      let expected = 1;
      for (let k = 0; k < LOOP_TURNS; k++) expected = (Math.imul(expected, 1664525) + 1013904223) >>> 0;
      return {
        ok: state === expected,
        saw: `state ${state} after ${LOOP_TURNS} turns, expected ${expected}`,
      };
    },
  },
  workgroupMemory: {
    means: "Workgroup memory and barriers work, also in a loop: a tree sum over a workgroup is right.",
    async ask({ device }): Promise<Finding> {
      const groups = 4;
      const sums = await runProbe(device, {
        declarations: `var<workgroup> part: array<u32, ${LANES}>;`,
        parameters: "@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>",
        body: `part[lane] = i * i;
          workgroupBarrier();
          for (var half = ${LANES / 2}u; half > 0u; half >>= 1u) {
            if (lane < half) { part[lane] += part[lane + half]; }
            workgroupBarrier();
          }
          if (lane == 0u) { out[group.x] = part[0]; }`,
        outputWords: groups,
        workgroupSize: LANES,
        workgroups: groups,
      });
      const expected = Array.from({ length: groups }, (_, group) => {
        const squares = Array.from({ length: LANES }, (_, lane) => (group * LANES + lane) ** 2);
        return squares.reduce((a, b) => a + b);
      });
      return { ok: String([...sums]) === String(expected), saw: `sums ${[...sums]}, expected ${expected}` };
    },
  },
  workgroupZeroed: {
    means: "Workgroup memory is zero when a workgroup starts, as WebGPU promises.",
    async ask({ device }): Promise<Finding> {
      const words = 1024;
      const shared = {
        declarations: `var<workgroup> left: array<u32, ${words}>;`,
        parameters: "@builtin(local_invocation_index) lane: u32",
        workgroupSize: LANES,
        outputWords: words,
      };
      const each = (statement: string) =>
        `for (var k = lane; k < ${words}u; k += ${LANES}u) { ${statement} }`;
      // First leave something behind, then look without having written.
      await runProbe(device, {
        ...shared,
        body: `${each("left[k] = k + 1u;")} workgroupBarrier(); ${each(`out[k] = left[${words - 1}u - k];`)}`,
        workgroups: 16,
      });
      const found = await runProbe(device, { ...shared, body: each("out[k] = left[k];") });
      const nonZero = found.filter((word) => word !== 0).length;
      return { ok: nonZero === 0, saw: `${nonZero} of ${words} words were not zero` };
    },
  },
  atomics: {
    means: "Atomic additions from many workgroups to one word all arrive.",
    async ask({ device }): Promise<Finding> {
      const workgroups = 100;
      const [, count] = await runProbe(device, {
        declarations: "var<workgroup> here: atomic<u32>;",
        parameters: "@builtin(local_invocation_index) lane: u32",
        body: `atomicAdd(&here, i);
          workgroupBarrier();
          if (lane == 0u) { atomicAdd(&out[1], atomicLoad(&here)); }`,
        outputWords: 2,
        output: "array<atomic<u32>>",
        workgroupSize: LANES,
        workgroups,
      });
      const last = workgroups * LANES - 1;
      const expected = last * (last + 1) / 2;
      return { ok: count === expected, saw: `sum ${count}, expected ${expected}` };
    },
  },
  readBackWithoutAwait: {
    means:
      "A buffer that was mapped once can be mapped again without waiting, which is 100 times faster in Deno.",
    mayAbort: true,
    ask: ({ device }): Promise<Finding> => readBackWithoutAwait(device),
  },
} satisfies Record<string, Check>;

/**
 * Deno's `mapAsync` does all its work inside the call, so the mapped range can be had before the promise resolves;
 * other engines throw. Several rounds with changing contents, since the danger is to read the round before.
 */
async function readBackWithoutAwait(device: GPUDevice): Promise<Finding> {
  const rounds = 20;
  const size = 4096;
  const source = device.createBuffer({ size, usage: GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
  const target = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  await target.mapAsync(GPUMapMode.READ);
  target.getMappedRange();
  target.unmap();
  let right = 0;
  let because = "";
  for (let round = 1; round <= rounds; round++) {
    device.queue.writeBuffer(source, 0, new Uint32Array(size / 4).fill(round));
    const encoder = device.createCommandEncoder();
    encoder.copyBufferToBuffer(source, 0, target, 0, size);
    device.queue.submit([encoder.finish()]);
    const mapped = target.mapAsync(GPUMapMode.READ);
    try {
      if (new Uint32Array(target.getMappedRange()).every((word) => word === round)) right++;
    } catch (error) {
      because = `: ${error instanceof Error ? error.message : error}`;
    }
    await mapped;
    target.unmap();
  }
  for (const buffer of [source, target]) buffer.destroy();
  return { ok: right === rounds, saw: `${right} of ${rounds} rounds right${because}` };
}
