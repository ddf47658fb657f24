/**
 * Where the first second goes, and what a run costs its host afterwards.
 *
 *     deno run -A runtime/setup/main.ts tests/bench/first_run.ts [mlp|gpt]… [--rounds 3] [--peers FOLDER]
 *
 * Each training step starts in a process of its own, twice a round: with an empty cache of the driver's (of Mesa's; other
 * drivers keep theirs elsewhere) and with what the first one left. `host` is the JavaScript of one run, divided by its
 * dispatches: recording and submitting, nothing waited for. With --peers other libraries take their first step too, in turn
 * with Weft, each with an empty cache; theirs begins where their device is open, so it stands beside Weft's from there on.
 * What is printed is the median of the rounds.
 * @module
 */

import { Option } from "commander";
import { table } from "../../runtime/table.ts";
import { benchmarkInRounds, named, runBenchmark } from "./command.ts";
import { median } from "./interleave.ts";
import { checkPeers, type PeerTime, peerTimes } from "./peers.ts";

const steps = [{ name: "mlp", ofPeers: "mlp_train" }, { name: "gpt", ofPeers: "gpt_train" }] as const;
type Step = typeof steps[number];
export type ProgramName = Step["name"];

/** What comes before peers begin to count. */
const opening: ReadonlySet<string> = new Set(["start and imports", "open the device"]);

/** What one process measures. */
export interface FirstRun {
  /** Milliseconds by stage, in order. */
  readonly stages: Readonly<Record<string, number>>;
  readonly dispatches: number;
  /** Microseconds of JavaScript per dispatch. */
  readonly host: number;
}

async function inFreshProcess(name: ProgramName, cache: string): Promise<FirstRun> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", new URL("first_run_once.ts", import.meta.url).pathname, name],
    env: { MESA_SHADER_CACHE_DIR: cache },
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${name}: the process failed`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Milliseconds to the end of the first run. */
const total = ({ stages }: FirstRun, but: ReadonlySet<string> = new Set()): number =>
  Object.entries(stages).reduce((n, [stage, ms]) => stage === "second run" || but.has(stage) ? n : n + ms, 0);

/** The first steps of other libraries, each with an empty cache. */
async function coldPeers({ ofPeers }: Step, folder: string): Promise<PeerTime[]> {
  const caches = new Map<string, string>();
  try {
    return await peerTimes(folder, ofPeers, (peer) => {
      const cache = Deno.makeTempDirSync();
      caches.set(peer, cache);
      return cache;
    });
  } finally {
    for (const cache of caches.values()) Deno.removeSync(cache, { recursive: true });
  }
}

/** One cold and one warm start, and the peers' cold ones. */
interface Round {
  readonly cold: FirstRun;
  readonly warm: FirstRun;
  readonly peers: readonly PeerTime[];
}

async function measure(step: Step, folder: string | undefined): Promise<Round> {
  const cache = Deno.makeTempDirSync();
  try {
    const cold = await inFreshProcess(step.name, cache);
    const warm = await inFreshProcess(step.name, cache);
    return { cold, warm, peers: folder === undefined ? [] : await coldPeers(step, folder) };
  } finally {
    Deno.removeSync(cache, { recursive: true });
  }
}

/** Each stage's median; they need not be of one round, so they add up to about the total's. */
function print(name: ProgramName, rounds: readonly Round[]): void {
  const mid = (of: (round: Round) => number) => median(rounds.map(of)).toFixed(0);
  const stages = Object.keys(rounds[0]!.cold.stages);
  console.log(
    table([
      [`${name}: ms`, "cold", "warm"],
      ...stages.map((
        stage,
      ) => [stage, mid(({ cold }) => cold.stages[stage]!), mid(({ warm }) => warm.stages[stage]!)]),
      ["to the end of the first run", mid(({ cold }) => total(cold)), mid(({ warm }) => total(warm))],
    ]).join("\n"),
  );
  const host = median(rounds.map(({ warm }) => warm.host));
  const { dispatches } = rounds[0]!.warm;
  console.log(`host: ${host.toFixed(1)} µs of JavaScript per dispatch, ${dispatches} dispatches`);
  const ofPeers = rounds[0]!.peers.map(({ peer }) => ({
    peer,
    first: median(
      rounds.flatMap(({ peers }) => peers.filter((one) => one.peer === peer).map(({ first }) => first)),
    ),
  }));
  if (ofPeers.length > 0) {
    const own = rounds.map(({ cold }) => total(cold, opening));
    const best = Math.min(...ofPeers.map(({ first }) => first));
    const single = rounds.map(({ peers }, i) => own[i]! / Math.min(...peers.map(({ first }) => first)));
    console.log(
      `first step, cold, from an open device on: Weft ${median(own).toFixed(0)} ms, ${
        ofPeers.map(({ peer, first }) => `${peer} ${first.toFixed(0)} ms`).join(", ")
      }; ${(median(own) / best).toFixed(2)} of the best (by round ${
        single.map((ratio) => ratio.toFixed(2)).join(", ")
      })`,
    );
  }
  console.log();
}

interface Flags {
  readonly json: boolean;
  readonly rounds: number;
  readonly peers: string | undefined;
}

if (import.meta.main) {
  const about = {
    call: "deno run -A runtime/setup/main.ts tests/bench/first_run.ts",
    measures:
      "Times the first step of training with an empty and with a filled cache of the driver's, stage by stage.",
    takes: "a minute on a software adapter with two cores, with --peers six.",
  };
  await runBenchmark(
    benchmarkInRounds(about, 3)
      .argument("[step...]", "mlp or gpt; default: both")
      .addOption(
        new Option("--peers <folder>", "other libraries too: the folder of their runners and packages"),
      )
      .action(async (names: readonly string[], { json, rounds, peers }: Flags) => {
        const wanted = named(names, steps, "step");
        if (peers !== undefined) checkPeers(peers);
        for (const step of wanted) {
          const measured: Round[] = [];
          for (let round = 0; round < rounds; round++) measured.push(await measure(step, peers));
          if (json) console.log(JSON.stringify({ name: step.name, rounds: measured }));
          else print(step.name, measured);
        }
      }),
  );
}
