/**
 * What a process that measures a peer does, whichever peer it is: it reads a workload's tensors, times the
 * peer's program, writes what came out, and prints one JSON line.
 *
 *     deno run -A jax.ts FOLDER WORKLOAD TENSORS
 *
 * FOLDER has the packages in its node_modules; TENSORS is a folder of `tensors.json`, the shapes by name, and
 * a file `NAME.f32` for each. Outputs are written there as `NAME.out.f32`.
 * @module
 */

import { createRequire } from "node:module";
import { join } from "node:path";
import type { PeerWorkload } from "../workloads/workload.ts";
import { median, runsPerWait } from "../interleave.ts";

export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

export type Tensors = Readonly<Record<string, HostTensor>>;

/** A workload in a peer's hands, its inputs on the device. */
export interface Prepared {
  /** Begins a run, whose outputs may be freed as soon as the device is done with them. */
  run(): void | Promise<void>;
  /** For all runs that were begun. */
  wait(): Promise<void>;
  /** The outputs of one more run. */
  read(): Promise<Readonly<Record<string, Float32Array>>>;
}

/** A package has no types here: it is not one of this repository's. */
// deno-lint-ignore no-explicit-any
export type Package = any;

/** How programs require the packages of a folder. */
export function packagesOf(folder: string): (name: string) => Package {
  return createRequire(join(folder, "package.json"));
}

/** Runs that settle the driver's caches and the peer's pools before anything is timed. */
const warmUp = 2;
/** Of which the median is printed. */
const repetitions = 3;

/** Milliseconds of the first run, and of one of many back to back. */
async function time({ run, wait }: Prepared): Promise<{ first_ms: number; ms_amort: number }> {
  const timed = async (runs: number) => {
    const start = performance.now();
    for (let i = 0; i < runs; i++) await run();
    await wait();
    return (performance.now() - start) / runs;
  };
  const first_ms = await timed(1);
  await timed(warmUp);
  const runs = await runsPerWait(timed);
  const times: number[] = [];
  for (let i = 0; i < repetitions; i++) times.push(await timed(runs));
  return { first_ms, ms_amort: median(times) };
}

/** The whole of a peer's process. */
export async function measure(
  peer: string,
  prepare: (workload: PeerWorkload, tensors: Tensors, folder: string) => Promise<Prepared>,
): Promise<void> {
  const [folder, workload, place] = Deno.args as [string, PeerWorkload, string];
  const shapes = JSON.parse(await Deno.readTextFile(join(place, "tensors.json")));
  const tensors: Record<string, HostTensor> = {};
  for (const [name, shape] of Object.entries<number[]>(shapes)) {
    const bytes = await Deno.readFile(join(place, `${name}.f32`));
    tensors[name] = { shape, data: new Float32Array(bytes.buffer) };
  }
  const prepared = await prepare(workload, tensors, folder);
  const times = await time(prepared);
  // After the timed runs: what they left in the peer's pools may not change the result.
  for (const [name, values] of Object.entries(await prepared.read())) {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    await Deno.writeFile(join(place, `${name}.out.f32`), bytes);
  }
  console.log(JSON.stringify({ peer, workload, ...times }));
  // Some peers leave workers behind, which would keep the process alive.
  Deno.exit(0);
}
