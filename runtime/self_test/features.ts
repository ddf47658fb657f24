/**
 * Checks that an optional feature not only was granted but works.
 * @module
 */

import type { WantedFeature } from "../adapter.ts";
import type { Check, Finding, Subject } from "./check.ts";
import { type Probe, runProbe } from "./probe.ts";

const LANES = 64;
/** Lanes of the largest workgroup that is tried: vectors of processors are no longer. */
const MOST_BROADCAST = 16;
/** WGSL's subgroups have 4 to 128 lanes; longer exchanges than these would save little. */
const LARGEST_SUBGROUP = 64;

export const FEATURE_CHECKS = {
  f16: {
    means: "Kernels can compute with 16-bit floats and store them.",
    ask: (subject) =>
      ifGranted(subject, "shader-f16", async (device) => {
        // 2049 has no 16-bit float and rounds to 2048.
        const words = await runProbe(device, {
          enables: "enable f16;",
          output: "array<f16>",
          body: `out[2u * i] = f16(bitcast<f32>(inp[2u * i])) * 2.0h + 0.5h;
            out[2u * i + 1u] = f16(bitcast<f32>(inp[2u * i + 1u])) + 1.0h;`,
          input: new Float32Array([1.25, 2048, -3, 0]),
          outputWords: 2,
          workgroups: 2,
        });
        const halves = [...new Float16Array(words.buffer)];
        return { ok: String(halves) === "3,2048,-5.5,1", saw: `${halves.join(" ")}, expected 3 2048 -5.5 1` };
      }),
  },
  subgroups: {
    means:
      "Invocations of a subgroup can sum without workgroup memory; the number measured is the subgroup's size.",
    ask: (subject) => ifGranted(subject, "subgroups", askSubgroups),
  },
  broadcasts: {
    means:
      "The lanes of a small workgroup are lanes of a subgroup, number by number, and can hand one another what they loaded; the number measured is how many lanes such a workgroup can have.",
    ask: (subject) => ifGranted(subject, "subgroups", askBroadcasts),
  },
  handing: {
    means:
      "Lanes of a workgroup that follow one another lie in one subgroup in their order; the number measured is how many always do, from each multiple of it.",
    ask: (subject) => ifGranted(subject, "subgroups", askHanding),
  },
  timestamps: {
    means: "A pass can be timed on the device; the number measured is one short pass in nanoseconds.",
    ask: (subject) => ifGranted(subject, "timestamp-query", askTimestamps),
  },
} satisfies Record<string, Check>;

async function ifGranted(
  { device, features }: Subject,
  feature: WantedFeature,
  ask: (device: GPUDevice) => Promise<Finding>,
): Promise<Finding> {
  return features.includes(feature) ? await ask(device) : { ok: false, saw: `${feature} was not granted` };
}

async function askSubgroups(device: GPUDevice): Promise<Finding> {
  const probe: Probe = {
    parameters: "@builtin(subgroup_size) size: u32, @builtin(subgroup_invocation_id) lane: u32",
    body: `let ones = subgroupAdd(1u); let last = subgroupMax(lane); let first = subgroupBroadcastFirst(lane);
      out[i] = select(0u, size, ones == size && last == size - 1u && first == 0u);`,
    outputWords: LANES,
    workgroupSize: LANES,
  };
  // The language asks for this line; Deno's compiler rejects it.
  const sizes = await runProbe(device, { ...probe, enables: "enable subgroups;" }).catch(() =>
    runProbe(device, probe)
  );
  const [size = 0] = sizes;
  return {
    ok: size > 0 && sizes.every((other) => other === size),
    saw: `subgroups of ${size}`,
    measured: size,
  };
}

/** Asks without a line `enable subgroups;`, as kernels are emitted: a compiler that insists on it answers no. */
async function askBroadcasts(device: GPUDevice): Promise<Finding> {
  const input = Uint32Array.from({ length: MOST_BROADCAST * 4 }, (_, i) => 1000 + 7 * i);
  let most = 0;
  for (let lanes = 2; lanes <= MOST_BROADCAST; lanes *= 2) {
    const words = await runProbe(device, {
      body: `let own = inp[i]; var sum = 0u;
        ${
        Array.from({ length: lanes }, (_, n) => `sum = sum * 3u + subgroupBroadcast(own, ${n}u);`).join(" ")
      }
        out[i] = sum;`,
      input,
      outputWords: lanes * 4,
      workgroupSize: lanes,
      workgroups: 4,
    });
    const expected = words.map((_, i) => {
      let sum = 0;
      for (let n = 0; n < lanes; n++) sum = (Math.imul(sum, 3) + input[i - i % lanes + n]!) >>> 0;
      return sum;
    });
    if (String(words) !== String(expected)) break;
    most = lanes;
  }
  return { ok: most > 0, saw: `right in workgroups of up to ${most}`, measured: most };
}

/**
 * Whether a lane's number with one bit turned names the lane that it hears from, in workgroups of every size that
 * kernels have. A driver may choose another size of subgroups for another kernel, but none below what it states.
 */
async function askHanding(device: GPUDevice): Promise<Finding> {
  const { subgroupMinSize } = device.adapterInfo as { readonly subgroupMinSize?: number };
  let adjacent = Math.min(LARGEST_SUBGROUP, subgroupMinSize ?? LARGEST_SUBGROUP);
  const masks = Array.from({ length: Math.log2(LARGEST_SUBGROUP) }, (_, bit) => 1 << bit);
  for (const lanes of [8, 32, 64, 128, 256]) {
    const words = await runProbe(device, {
      parameters: "@builtin(local_invocation_index) lane: u32",
      body: `var right = 0u;
        ${
        masks.map((mask) =>
          `if subgroupShuffleXor(lane, ${mask}u) == (lane ^ ${mask}u) { right |= ${mask}u; }`
        )
          .join(" ")
      }
        out[i] = right;`,
      outputWords: lanes * 4,
      workgroupSize: lanes,
      workgroups: 4,
    });
    const wrong = masks.find((mask) => mask < lanes && words.some((word) => (word & mask) === 0));
    adjacent = Math.min(adjacent, wrong ?? LARGEST_SUBGROUP);
  }
  return { ok: adjacent > 1, saw: `${adjacent} adjacent lanes`, measured: adjacent };
}

async function askTimestamps(device: GPUDevice): Promise<Finding> {
  const querySet = device.createQuerySet({ type: "timestamp", count: 2 });
  const resolved = device.createBuffer({
    size: 16,
    usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC,
  });
  const readBack = device.createBuffer({
    size: 16,
    usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
  });
  const data = device.createBuffer({ size: LANES * 4, usage: GPUBufferUsage.STORAGE });
  const code = `@group(0) @binding(0) var<storage, read_write> data: array<f32>;
    @compute @workgroup_size(${LANES}) fn main(@builtin(local_invocation_index) i: u32) {
      for (var k = 0; k < 1000; k++) { data[i] = data[i] * 0.5f + 1.0f; }
    }`;
  const pipeline = device.createComputePipeline({
    layout: "auto",
    compute: { module: device.createShaderModule({ code }) },
  });
  const encoder = device.createCommandEncoder();
  const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
  const pass = encoder.beginComputePass({ timestampWrites });
  pass.setPipeline(pipeline);
  const entries = [{ binding: 0, resource: { buffer: data } }];
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(1);
  pass.end();
  encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, readBack, 0, 16);
  device.queue.submit([encoder.finish()]);
  await readBack.mapAsync(GPUMapMode.READ);
  const [begin = 0n, end = 0n] = new BigUint64Array(readBack.getMappedRange().slice(0));
  const nanoseconds = Number(end - begin);
  for (const thing of [querySet, resolved, readBack, data]) thing.destroy();
  return { ok: begin > 0n && nanoseconds > 0, saw: `a pass of ${nanoseconds} ns`, measured: nanoseconds };
}
