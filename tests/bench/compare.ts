/**
 * Weft beside kernels written by hand and beside other libraries.
 *
 * Weft and the kernels by hand run in this process, alternately, round by round; peers run in processes of their own
 * between two rounds: a folder's own runners, and on what those don't know the programs of `peer_programs/` with that
 * folder's packages, whose results are checked. A round runs a workload so often that waiting for it is under 2 % of what
 * is timed. The table shows medians over the rounds.
 * @module
 */

import { openDevice } from "../../mod.ts";
import { openAdapter } from "../../runtime/adapter.ts";
import { named } from "./command.ts";
import { byHand, check, weft } from "./contestants.ts";
import { interleave, median } from "./interleave.ts";
import { checkPeers, type PeerTime, peerTimes } from "./peers.ts";
import { PeerPrograms } from "./peer_programs.ts";
import { workloads } from "./workloads.ts";
import type { Workload } from "./workloads/workload.ts";

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
  using programs = peers !== undefined && workload.peerProgram !== undefined
    ? new PeerPrograms(peers, workload)
    : undefined;
  const found = new Map<string, PeerTime[]>();
  const [ownMs, handMs] = await interleave(contestants, rounds, async () => {
    const times = programs
      ? await programs.times()
      : peers !== undefined && workload.peer !== undefined
      ? await peerTimes(peers, workload.peer)
      : [];
    for (const time of times) {
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

/** Prints a row for each workload whose name contains one of the parts, or for all. */
export async function compare(
  names: readonly string[],
  { peers, json, rounds }: {
    readonly peers: string | undefined;
    readonly json: boolean;
    readonly rounds: number;
  },
): Promise<void> {
  if (peers !== undefined) checkPeers(peers);
  const chosen = named(names, Object.entries(workloads).map(([name, make]) => ({ name, make })));
  const opened = await openAdapter();
  using device = await openDevice({ device: "webgpu" });
  if (!json) {
    console.log(
      `${opened.adapter.description}, Deno ${Deno.version.deno}. Milliseconds per run, back to back.\n`,
    );
    console.log(
      `${"workload".padEnd(50)}      Weft                  by hand  part    first  ratio  peers`,
    );
  }
  for (const { name, make } of chosen) {
    const row = await measure(name, make(), device, opened.device, { rounds, peers });
    console.log(json ? JSON.stringify({ adapter: opened.adapter.description, ...row }) : show(row));
  }
  opened.device.destroy();
}
