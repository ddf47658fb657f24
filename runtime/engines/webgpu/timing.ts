/**
 * How long each dispatch of a prepared program takes on the device.
 *
 * With timestamps, each dispatch gets a pass of its own whose begin and end are written down by the device. Without,
 * each is submitted alone and waited for, and the cost of submitting nothing is taken off: coarser, and an upper bound.
 * @module
 */

import type { Prepared, PreparedDispatch } from "./prepare.ts";

/** What WebGPU allows in one set. */
const QUERIES_PER_SET = 4096;

/** Encodes what isn't a dispatch, in its place. */
export type EncodeCopies = (encoder: GPUCommandEncoder, segment: Prepared["segments"][number]) => void;

export async function timeWithTimestamps(
  device: GPUDevice,
  { segments }: Prepared,
  encodeCopies: EncodeCopies,
): Promise<readonly number[]> {
  const count = 2 *
    segments.reduce((n, segment) => n + (segment.kind === "pass" ? segment.dispatches.length : 0), 0);
  if (count === 0) return [];
  const sets: GPUQuerySet[] = [];
  for (let first = 0; first < count; first += QUERIES_PER_SET) {
    sets.push(device.createQuerySet({ type: "timestamp", count: Math.min(QUERIES_PER_SET, count - first) }));
  }
  const usage = GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC;
  const resolved = device.createBuffer({ label: "timestamps", size: count * 8, usage });
  const staging = device.createBuffer({
    label: "timestamps",
    size: count * 8,
    usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST,
  });
  const encoder = device.createCommandEncoder({ label: "profile" });
  let query = 0;
  for (const segment of segments) {
    if (segment.kind === "copies") encodeCopies(encoder, segment);
    else {
      for (const dispatch of segment.dispatches) {
        const querySet = sets[Math.floor(query / QUERIES_PER_SET)]!;
        const beginningOfPassWriteIndex = query % QUERIES_PER_SET;
        const timestampWrites = {
          querySet,
          beginningOfPassWriteIndex,
          endOfPassWriteIndex: beginningOfPassWriteIndex + 1,
        };
        encodeAlone(encoder, dispatch, { timestampWrites });
        query += 2;
      }
    }
  }
  sets.forEach((set, i) => encoder.resolveQuerySet(set, 0, set.count, resolved, i * QUERIES_PER_SET * 8));
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, count * 8);
  device.queue.submit([encoder.finish()]);
  try {
    await staging.mapAsync(GPUMapMode.READ);
    const ticks = new BigUint64Array(staging.getMappedRange().slice(0));
    return Array.from({ length: count / 2 }, (_, i) => Number(ticks[2 * i + 1]! - ticks[2 * i]!) / 1e6);
  } finally {
    for (const thing of [...sets, resolved, staging]) thing.destroy();
  }
}

export async function timeWithFences(
  device: GPUDevice,
  { segments }: Prepared,
  encodeCopies: EncodeCopies,
  fence: () => Promise<void>,
): Promise<readonly number[]> {
  const submit = async (encode: (encoder: GPUCommandEncoder) => void): Promise<number> => {
    const start = performance.now();
    const encoder = device.createCommandEncoder({ label: "profile" });
    encode(encoder);
    device.queue.submit([encoder.finish()]);
    await fence();
    return performance.now() - start;
  };
  let nothing = Infinity;
  for (let i = 0; i < 5; i++) nothing = Math.min(nothing, await submit(() => {}));
  const times: number[] = [];
  for (const segment of segments) {
    if (segment.kind === "copies") await submit((encoder) => encodeCopies(encoder, segment));
    else {
      for (const dispatch of segment.dispatches) {
        times.push(Math.max(0, await submit((encoder) => encodeAlone(encoder, dispatch, {})) - nothing));
      }
    }
  }
  return times;
}

function encodeAlone(
  encoder: GPUCommandEncoder,
  { pipeline, bindGroup, x, y }: PreparedDispatch,
  descriptor: GPUComputePassDescriptor,
): void {
  const pass = encoder.beginComputePass(descriptor);
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, bindGroup);
  pass.dispatchWorkgroups(x, y);
  pass.end();
}
