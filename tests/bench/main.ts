/**
 * Weft beside kernels written by hand and beside other libraries, on this machine's adapter.
 *
 *     deno task bench [workload…] [--peers FOLDER] [--json] [--rounds N]
 *
 * Weft and the kernels by hand run in this process, alternately, round by round; peers run in processes of their own
 * between two rounds. A round runs a workload so often that waiting for it is under 2 % of what is timed. The table
 * shows medians over the rounds. Machines drift: only ratios of one call mean anything.
 * @module
 */

import { parseArgs } from "node:util";
import { openDevice } from "../../mod.ts";
import { openAdapter } from "../../runtime/adapter.ts";
import { byHand, type Contestant, errorOf, weft } from "./contestants.ts";
import { checkPeers, type PeerTime, peerTimes } from "./peers.ts";
import { workloads } from "./workloads.ts";
import type { Workload } from "./workloads/workload.ts";

/** Deno waits 11 ms for the end of what was submitted. */
const waiting = 11;
const share = 0.02;
/** Errors that sums of tens of thousands of numbers in f32 stay below, relative to the largest of a tensor. */
const tolerance = 1e-4;

interface Row {
  readonly workload: string;
  readonly weft: number;
  readonly first: number;
  readonly rate: string;
  readonly byHand?: number;
  /** The part of the speed by hand that Weft reaches. */
  readonly fraction?: number;
  readonly peers: readonly PeerTime[];
  /** How many times as fast as the best peer. */
  readonly ratio?: number;
  readonly error: number;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!;

/** Times contestants alternately; the number of runs per round is each one's own. */
async function interleave(
  contestants: readonly Contestant[],
  rounds: number,
  between: () => Promise<void>,
): Promise<number[]> {
  const runs: number[] = [];
  for (const c of contestants) {
    await c.time(2);
    const once = Math.max(0.05, await c.time(4) - waiting / 4);
    runs.push(Math.max(3, Math.ceil(waiting / share / once)));
  }
  const times: number[][] = contestants.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, c] of contestants.entries()) times[i]!.push(await c.time(runs[i]!));
    await between();
  }
  return times.map(median);
}

/** The largest error of what the last run gave. */
async function check(name: string, workload: Workload, contestants: readonly Contestant[]): Promise<number> {
  const errors = await Promise.all(contestants.map((c) => errorOf(workload, c)));
  errors.forEach((error, i) => {
    if (!(error <= tolerance)) throw new Error(`${name}: ${["Weft", "by hand"][i]} is wrong by ${error}`);
  });
  return Math.max(...errors);
}

async function measure(
  name: string,
  workload: Workload,
  device: Awaited<ReturnType<typeof openDevice>>,
  gpu: GPUDevice,
  { rounds, peers }: { readonly rounds: number; readonly peers: string | undefined },
): Promise<Row> {
  using own = await weft(workload, device);
  using hand = await byHand(workload, gpu);
  const contestants = hand ? [own, hand] : [own];
  let error = await check(name, workload, contestants);
  const found = new Map<string, PeerTime[]>();
  const [ownMs, handMs] = await interleave(contestants, rounds, async () => {
    if (peers === undefined || workload.peer === undefined) return;
    for (const time of await peerTimes(peers, workload.peer)) {
      found.set(time.peer, [...found.get(time.peer) ?? [], time]);
    }
  });
  if (!workload.advances) error = Math.max(error, await check(name, workload, contestants));
  const others = [...found].map(([peer, times]): PeerTime => ({
    peer,
    ms: median(times.map((t) => t.ms)),
    first: median(times.map((t) => t.first)),
  }));
  const best = Math.min(...others.map((p) => p.ms));
  return {
    workload: name,
    weft: ownMs!,
    first: own.first,
    rate: workload.flop
      ? `${(workload.flop / ownMs! / 1e6).toFixed(1)} GFLOP/s`
      : workload.bytes
      ? `${(workload.bytes / ownMs! / 1e6).toFixed(1)} GB/s`
      : "",
    ...handMs !== undefined && { byHand: handMs, fraction: handMs / ownMs! },
    peers: others,
    ...others.length > 0 && { ratio: best / ownMs! },
    error,
  };
}

const ms = (value: number | undefined): string =>
  value === undefined ? "" : value.toFixed(value < 10 ? 2 : 1);

function show({ workload, weft, first, rate, byHand, fraction, peers, ratio }: Row): string {
  const cells = [
    workload.padEnd(50),
    ms(weft).padStart(8),
    rate.padStart(15),
    ms(byHand).padStart(8),
    (fraction?.toFixed(2) ?? "").padStart(6),
    first.toFixed(0).padStart(7),
    (ratio === undefined ? "" : `${ratio.toFixed(1)}×`).padStart(6),
    peers.map((p) => `${p.peer} ${ms(p.ms)}`).join(", "),
  ];
  return cells.join("  ").trimEnd();
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      peers: { type: "string" },
      json: { type: "boolean", default: false },
      rounds: { type: "string", default: "5" },
    },
  });
  if (values.peers !== undefined) checkPeers(values.peers);
  const opened = await openAdapter();
  using device = await openDevice({ device: "webgpu" });
  if (!values.json) {
    console.log(
      `${opened.adapter.description}, Deno ${Deno.version.deno}. Milliseconds per run, back to back.\n`,
    );
    console.log(
      `${"workload".padEnd(50)}      Weft                  by hand  part    first  ratio  peers`,
    );
  }
  for (const [name, make] of Object.entries(workloads)) {
    if (positionals.length > 0 && !positionals.some((part) => name.includes(part))) continue;
    const row = await measure(name, make(), device, opened.device, {
      rounds: Number(values.rounds),
      peers: values.peers,
    });
    console.log(values.json ? JSON.stringify({ adapter: opened.adapter.description, ...row }) : show(row));
  }
  opened.device.destroy();
}
