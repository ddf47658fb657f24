/**
 * Programs of the fusion set without fusion and by policies, compared and timed in turns.
 *
 * Each program is compiled for this machine's adapter by `policies.none` and by each policy asked for: the same target,
 * schedules and tiles, one submit each. At small sizes all are compared with the references of their ops, at full sizes
 * with each other; then they take turns. A ratio is the time without fusion over that with it.
 * @module
 */

import { compileGraph } from "../../../compiler/compile.ts";
import { type Device, type FusionPolicy, openDevice } from "../../../mod.ts";
import { openAdapter } from "../../../runtime/adapter.ts";
import { UsageError } from "../../../runtime/cli/usage_error.ts";
import { type Clock, type Contestant, processorTime, wallTime, weft } from "../contestants.ts";
import { interleave } from "../interleave.ts";
import { checkFull, checkSmall } from "./correct.ts";
import type { FusionProgram } from "./program.ts";
import { families, fusionSet } from "./programs.ts";
import { type Traffic, trafficOf } from "./traffic.ts";
import { fusedBy, known, modelFor, unfused, type Way } from "./ways.ts";

/** Below this a run is mostly what its submit costs. */
const leastMs = 2;

interface Timed extends Traffic {
  readonly policy: string;
  readonly ms: number;
  /** Time without fusion over this; 1 without. */
  readonly ratio: number;
}

interface Row {
  readonly program: string;
  readonly ops: readonly string[];
  readonly source: string;
  readonly sizes: Readonly<Record<string, number>>;
  readonly unfused: Timed;
  readonly fused: readonly Timed[];
}

async function measure(
  program: FusionProgram,
  ways: readonly Way[],
  device: Device,
  { rounds, clock }: { readonly rounds: number; readonly clock: Clock },
): Promise<Row> {
  await checkSmall(program, ways, device);
  const model = program.model(program.full);
  const contestants: Contestant[] = [];
  try {
    for (const way of ways) {
      const { policy, passes } = way;
      const workload = { tensors: {}, model: () => modelFor(model, way) };
      contestants.push(await weft(workload, device, { policy, passes }, clock));
    }
    for (const fused of contestants.slice(1)) await checkFull(program, contestants[0]!, fused);
    const ms = await interleave(contestants, rounds);
    const [without, ...fused] = ways.map((way, i): Timed => ({
      policy: way.policy.name,
      ...trafficOf(compileGraph(modelFor(model, way).graph, { target: device.target, ...way }).program),
      ms: ms[i]!,
      ratio: ms[0]! / ms[i]!,
    }));
    const { name, ops, source, full } = program;
    return { program: name, ops, source, sizes: full, unfused: without!, fused };
  } finally {
    for (const contestant of contestants) contestant[Symbol.dispose]();
  }
}

const MB = (bytes: number): string => (bytes / 1e6).toFixed(bytes < 1e8 ? 1 : 0);

function show({ program, ops, unfused, fused }: Row): string {
  const cells = [program.padEnd(38), String(ops.length).padStart(3)];
  for (const [i, { dispatches, bytes, ms, ratio }] of [unfused, ...fused].entries()) {
    cells.push(String(dispatches).padStart(4), MB(bytes).padStart(6), ms.toFixed(2).padStart(7));
    if (i > 0) cells.push(`${ratio.toFixed(2)}×`.padStart(7));
  }
  return cells.join(" ") + (unfused.ms < leastMs ? `  unfused under ${leastMs} ms` : "");
}

const heading = (ways: readonly Way[]): string =>
  [
    "".padEnd(42),
    ...ways.map(({ policy }, i) => policy.name.padStart(19) + (i > 0 ? "        " : "")),
    `\n${"program".padEnd(38)} ops`,
    ...ways.map((_, i) => "runs     MB      ms" + (i > 0 ? "   ratio" : "")),
  ].join(" ").replace(" \n", "\n");

const geometricMean = (ratios: readonly number[]): number =>
  Math.exp(ratios.reduce((sum, r) => sum + Math.log(r), 0) / ratios.length);

/** @throws UsageError where a name is none of a policy's, or of no program's. */
function chosen(names: readonly string[], asked: readonly string[]): [FusionProgram[], FusionPolicy[]] {
  const fused = asked.map((name) => {
    const policy = known[name];
    if (policy === undefined) {
      throw new UsageError(
        `--policy ${name}: there is no such policy; there are ${Object.keys(known).join(", ")}`,
      );
    }
    return policy;
  });
  const programs = new Set<FusionProgram>();
  for (const part of names) {
    const found = families[part] ?? fusionSet.filter(({ name }) => name.includes(part));
    if (found.length === 0) {
      throw new UsageError(
        `no program's name has "${part}" in it, and it is no family; the families are ${
          Object.keys(families).join(", ")
        }, the programs ${fusionSet.map(({ name }) => `"${name}"`).join(", ")}`,
      );
    }
    for (const program of found) programs.add(program);
  }
  return [names.length === 0 ? [...fusionSet] : [...programs], fused];
}

export interface Asked {
  readonly policy: readonly string[];
  readonly rounds: number;
  readonly json: boolean;
  /** What threads work counts, and not how late it is. */
  readonly processorTime: boolean;
}

/** Prints a row for each program whose name or family is named, or for all, and the means. */
export async function timeFusion(
  names: readonly string[],
  { policy, rounds, json, processorTime: counts }: Asked,
): Promise<void> {
  const [programs, fused] = chosen(names, policy);
  const ways = [unfused, ...fused.map(fusedBy)];
  const clock = counts ? processorTime : wallTime;
  const { adapter: { description: adapter }, device: spare } = await openAdapter();
  spare.destroy();
  using device = await openDevice({ device: "webgpu" });
  if (!json) {
    console.log(`${adapter}, Deno ${Deno.version.deno}. Milliseconds per run, back to back.\n`);
    console.log(heading(ways));
  }
  const rows: Row[] = [];
  for (const program of programs) {
    const row = await measure(program, ways, device, { rounds, clock });
    rows.push(row);
    console.log(json ? JSON.stringify({ adapter, ...row }) : show(row));
  }
  const means = fused.map(({ name }, i) =>
    [name, geometricMean(rows.map((row) => row.fused[i]!.ratio))] as const
  );
  const short = rows.filter(({ unfused }) => unfused.ms < leastMs).length;
  console.log(
    json ? JSON.stringify({ adapter, programs: rows.length, short, means: Object.fromEntries(means) }) : `
${rows.length} programs, unfused ÷ fused, geometric mean: ${
      means.map(([name, mean]) => `${name} ${mean.toFixed(2)}×`).join(", ")
    }` + (short > 0 ? `; ${short} take under ${leastMs} ms unfused` : ""),
  );
}
