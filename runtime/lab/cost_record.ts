/**
 * What the cost models expect of each kernel beside what was measured: one record for each different group of
 * a program, with all that a model could be a function of. A file of them, one JSON object a line, is a
 * dataset to fit a model to.
 * @module
 */

import type { Compiled } from "../../compiler/compile.ts";
import { expectedStorage } from "../../compiler/fuse/expected_storage.ts";
import type { GroupWork } from "../../compiler/fuse/group_work.ts";
import { Estimates, groupMs } from "../../compiler/fuse/plan_cost.ts";
import type { CostModel } from "../../compiler/fuse/worthwhile.ts";
import { isRaw } from "../../compiler/kernel/raw.ts";
import { estimatedSteps } from "../../compiler/schedule/cost.ts";
import type { Device } from "../device.ts";
import { median } from "../tune/race.ts";
import type { KernelProfile, ProgramProfile } from "./profile_program.ts";

/** A kernel of a group, as it was measured. */
export interface RecordedKernel extends Pick<KernelProfile, "schedule" | "groups" | "lanes" | "ms" | "work"> {
  /** What `estimatedSteps` says of it. */
  readonly steps: number;
}

/** A group, or groups that are packed into one kernel; plain data. */
export interface CostRecord {
  readonly version: 2;
  readonly weft: string;
  readonly deno: string;
  /** What computed, and what it was compiled for. */
  readonly device: string;
  readonly adapter: { readonly vendor: string; readonly device: string; readonly description: string } | null;
  readonly target: string;
  readonly clock: ProgramProfile["clock"];
  readonly program: string;
  readonly policy: string;
  readonly label: string;
  /** Equal keys have equal kernels. */
  readonly key: string;
  /** How many equal groups the program has. */
  readonly count: number;
  /** The schedule of its kernels, by which orders are judged: `+ combine` where it needs more than one. */
  readonly schedule: string;
  /** What the groups do: several where they are packed. */
  readonly works: readonly GroupWork[];
  readonly kernels: readonly RecordedKernel[];
  /** The numbers of the fusion's model, but for an estimate of one's own. */
  readonly cost: Omit<CostModel, "groupMs">;
  /** What that model expects, in milliseconds. */
  readonly predictedMs: number;
  /** What the schedules' model expects, in steps (`compiler/schedule/cost.ts`). */
  readonly steps: number;
  /**
   * The median over the equal groups of the least over the rounds: what else a machine does only adds to
   * times.
   */
  readonly measuredMs: number;
}

/** Milliseconds that a model expects of groups that run as one: packed ones pay for one dispatch together. */
export function predictedMs(works: readonly GroupWork[], cost: CostModel): number {
  const alone = works.some(({ packed }) => !packed) ? 0 : cost.dispatchMs;
  return works.reduce((sum, work) => sum + (cost.groupMs ?? groupMs)(work, cost), alone);
}

/** One record for each different group of a program; none for kernels of a user's own. */
export function costRecords(
  compiled: Compiled,
  profile: ProgramProfile,
  { adapter, target }: Pick<Device, "adapter" | "target">,
): readonly CostRecord[] {
  const { graph, cost, units } = compiled;
  const { groupMs: _own, ...numbers } = cost;
  const estimates = new Estimates(graph, cost, expectedStorage(graph));
  let at = 0;
  const measured = units.map((unit) => {
    const ran = unit.kernels.filter(({ groups }) => groups > 0);
    return { unit, made: ran, profiles: profile.kernels.slice(at, at += ran.length) };
  }).filter(({ unit, made }) => made.length > 0 && unit.kernels.every(({ kernel }) => !isRaw(kernel)));
  return [...Map.groupBy(measured, ({ unit }) => unit.key).values()].map((same): CostRecord => {
    const [{ unit, made, profiles }] = same as [typeof same[number]];
    const works = unit.groups.map((group) => estimates.of(group).work);
    const totals = same.map((each) => each.profiles.reduce((sum, { leastMs }) => sum + leastMs, 0));
    return {
      version: 2,
      weft: profile.weft,
      deno: Deno.version.deno,
      device: profile.device.name,
      adapter: adapter &&
        { vendor: adapter.vendor, device: adapter.device, description: adapter.description },
      target: profile.device.target,
      clock: profile.clock,
      program: profile.name,
      policy: profile.policy,
      label: unit.label,
      key: unit.key,
      count: same.length,
      schedule: profiles[0]!.schedule,
      works,
      kernels: profiles.map(({ schedule, groups, lanes, work }, i) => ({
        schedule,
        groups,
        lanes,
        ms: median(same.map((each) => each.profiles[i]!.leastMs)),
        work,
        steps: estimatedSteps([made[i]!], target),
      })),
      cost: numbers,
      predictedMs: predictedMs(works, cost),
      steps: estimatedSteps(made, target),
      measuredMs: median(totals),
    };
  });
}

/** Records as text, one a line. */
export const printRecords = (records: readonly CostRecord[]): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join("");
