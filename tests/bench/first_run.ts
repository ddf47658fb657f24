/**
 * Where the first second goes, and what a run costs its host afterwards.
 *
 *     deno run -A runtime/setup/main.ts tests/bench/first_run.ts [mlp|gpt]… [--rounds 3] [--json] [--peers FOLDER]
 *
 * Each training step starts in a process of its own, twice a round: with an empty cache of the driver's (of Mesa's; other
 * drivers keep theirs elsewhere) and with what the first one left. `host` is the JavaScript of one run, divided by its
 * dispatches: recording and submitting, nothing waited for. With --peers other libraries take their first step too, in turn
 * with Weft, each with an empty cache; theirs begins where their device is open, so it stands beside Weft's from there on.
 * What is printed is the median of the rounds.
 * @module
 */

import { parseArgs } from "node:util";
import { compileGraph } from "../../compiler/compile.ts";
import { TimingTrace } from "../../compiler/trace.ts";
import type { StoredArray } from "../../compiler/graph/dtype.ts";
import { openDevice } from "../../mod.ts";
import { load } from "../../runtime/executable.ts";
import { table } from "../../runtime/table.ts";
import { median } from "./interleave.ts";
import { checkPeers, type PeerTime, peerTimes } from "./peers.ts";
import { gptStep, mlpStep } from "./programs.ts";

const programs = { mlp: mlpStep, gpt: gptStep } as const;
type Name = keyof typeof programs;
const ofPeers = { mlp: "mlp_train", gpt: "gpt_train" } as const;
/** What comes before peers begin to count. */
const opening: ReadonlySet<string> = new Set(["start and imports", "open the device"]);

interface Times {
  /** Milliseconds by stage, in order. */
  readonly stages: Readonly<Record<string, number>>;
  readonly dispatches: number;
  /** Microseconds of JavaScript per dispatch. */
  readonly host: number;
}

/** Everything in this process, from the start of the program on. */
async function once(name: Name): Promise<Times> {
  const stages: Record<string, number> = { "start and imports": performance.now() };
  const timed = async <T>(stage: string, run: () => T | Promise<T>): Promise<T> => {
    const start = performance.now();
    const result = await run();
    stages[stage] = performance.now() - start;
    return result;
  };
  using device = await timed("open the device", () => openDevice({ device: "webgpu" }));
  const trace = new TimingTrace();
  const { graph, sizes } = programs[name];
  const traced = await timed("trace and gradient", graph);
  const { program } = compileGraph(traced, { target: device.target, sizes, trace });
  for (const [stage, ms] of trace.times) stages[stage] = ms;
  using executable = await timed("memory and pipelines", () => load(program, device));
  const feeds: Record<string, StoredArray> = {};
  for (const { name, dtype, shape } of program.inputs) {
    const size = shape.reduce((n, d) => n * d, 1);
    feeds[name] = dtype === "i32"
      ? new Int32Array(size)
      : Float32Array.from({ length: size }, (_, i) => Math.sin(i));
  }
  const run = async () => {
    executable.run(feeds);
    await executable.idle();
  };
  await timed("first run (the driver compiles)", run);
  await timed("second run", run);
  const dispatches = program.steps.filter((step) => step.kind === "dispatch").length;
  const host: number[] = [];
  for (let i = 0; i < 30; i++) {
    const start = performance.now();
    executable.run(feeds);
    host.push((performance.now() - start) / dispatches * 1000);
    await executable.idle();
  }
  return { stages, dispatches, host: median(host) };
}

async function inFreshProcess(name: Name, cache: string): Promise<Times> {
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", import.meta.filename!, "--once", name],
    env: { MESA_SHADER_CACHE_DIR: cache },
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${name}: the process failed`);
  return JSON.parse(new TextDecoder().decode(stdout));
}

/** Milliseconds to the end of the first run. */
const total = ({ stages }: Times, but: ReadonlySet<string> = new Set()): number =>
  Object.entries(stages).reduce((n, [stage, ms]) => stage === "second run" || but.has(stage) ? n : n + ms, 0);

/** The first steps of other libraries, each with an empty cache. */
async function coldPeers(name: Name, folder: string): Promise<PeerTime[]> {
  const caches = new Map<string, string>();
  try {
    return await peerTimes(folder, ofPeers[name], (peer) => {
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
  readonly cold: Times;
  readonly warm: Times;
  readonly peers: readonly PeerTime[];
}

async function measure(name: Name, folder: string | undefined): Promise<Round> {
  const cache = Deno.makeTempDirSync();
  try {
    const cold = await inFreshProcess(name, cache);
    const warm = await inFreshProcess(name, cache);
    return { cold, warm, peers: folder === undefined ? [] : await coldPeers(name, folder) };
  } finally {
    Deno.removeSync(cache, { recursive: true });
  }
}

/** Each stage's median; they need not be of one round, so they add up to about the total's. */
function print(name: Name, rounds: readonly Round[]): void {
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

if (import.meta.main) {
  const { values: { json, once: isOnce, peers: folder, rounds: roundsText }, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: "boolean", default: false },
      once: { type: "boolean", default: false },
      peers: { type: "string" },
      rounds: { type: "string", default: "3" },
    },
  });
  if (folder !== undefined) checkPeers(folder);
  const names = (positionals.length > 0 ? positionals : Object.keys(programs)) as Name[];
  for (const name of names) {
    if (!(name in programs)) throw new Error(`"${name}": there are ${Object.keys(programs).join(" and ")}`);
    if (isOnce) {
      console.log(JSON.stringify(await once(name)));
      continue;
    }
    const rounds: Round[] = [];
    for (let round = 0; round < Number(roundsText); round++) rounds.push(await measure(name, folder));
    if (json) console.log(JSON.stringify({ name, rounds }));
    else print(name, rounds);
  }
}
