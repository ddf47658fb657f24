/**
 * Cost models beside measurements, as text.
 * @module
 */

import { type CostModel, stepsPerMsOf } from "../../compiler/fuse/worthwhile.ts";
import { table } from "../table.ts";
import type { CandidateRegret } from "./candidate_regret.ts";
import { type CostRecord, predictedMs } from "./cost_record.ts";
import { kendall, pooled, type RankAgreement } from "./kendall.ts";

/** Pairs of kernels that are further apart than this are no question for a model. */
const WITHIN = 4;
/** What is nearer is the same: so much one kernel takes more or less from run to run. */
const BEYOND = 1.05;
/** With fewer pairs τ says little: one more in the wrong order, and it is another. */
const ENOUGH_PAIRS = 10;

/** One line for each group, the slowest first. */
export function printRecordTable(records: readonly CostRecord[], limit = 40): string {
  const slowest = records.toSorted((a, b) => b.measuredMs - a.measuredMs);
  const rows = slowest.slice(0, limit).map(({ measuredMs, predictedMs, steps, schedule, count, label }) => [
    measuredMs.toFixed(3),
    predictedMs.toFixed(3),
    (predictedMs / Math.max(measuredMs, 1e-6)).toFixed(2),
    steps < 1e6 ? String(Math.round(steps)) : steps.toExponential(2),
    schedule,
    `${label}${count > 1 ? ` (${count}×)` : ""}`,
  ]);
  const head = ["ms", "predicted", "ratio", "steps", "schedule", "what"];
  const rest = records.length > limit ? [`… and ${records.length - limit} more`] : [];
  return [...table([head, ...rows]), ...rest].join("\n");
}

/**
 * Kendall's τ over pairs of kernels of one program that are 1.05 to 4 times apart, by schedule: of the model
 * that plans fusion, and of the one that puts candidates of a schedule in order. Kernels of two programs, or
 * of one under two policies, were timed apart, and are no pairs.
 *
 * @param cost The first model's numbers; by default what the records were made with.
 */
export function printAgreement(records: readonly CostRecord[], cost?: CostModel): string {
  const agreement = (list: readonly CostRecord[], predicted: (record: CostRecord) => number) => {
    const runs = Map.groupBy(
      list,
      ({ program, policy, device }) => JSON.stringify([program, policy, device]),
    );
    return pooled(
      [...runs.values()].map((run) =>
        kendall(
          run.map((record) => ({ predicted: predicted(record), measured: record.measuredMs })),
          { within: WITHIN, beyond: BEYOND },
        )
      ),
    );
  };
  const plan = (record: CostRecord) => cost ? predictedMs(record.works, cost) : record.predictedMs;
  const classes = [...Map.groupBy(records, ({ schedule }) => schedule)].sort(([, a], [, b]) =>
    b.length - a.length
  );
  const rows = [...classes, ["all", records] as const].map(([name, list]) => {
    const [one, other] = [agreement(list, plan), agreement(list, ({ steps }) => steps)];
    const remark = one.pairs < ENOUGH_PAIRS ? "too few pairs" : "";
    return [name, String(list.length), String(one.pairs), showTau(one), showTau(other), remark];
  });
  const head = ["schedule", "kernels", "pairs", "τ of the plan's model", "τ of the loops' model", ""];
  return table([head, ...rows]).map((line) => line.trimEnd()).join("\n");
}

/** What the candidates of some groups say of the schedules' model. */
export function printRegrets(regrets: readonly CandidateRegret[]): string {
  return table([
    ["candidates", "default ms", "favorite ms", "fastest ms", "regret", "τ", "schedule", "what"],
    ...regrets.map(({ candidates, regret, tau, schedule, label }) => {
      const favorite = candidates.reduce((a, b) => b.predicted < a.predicted ? b : a);
      const fastest = candidates.reduce((a, b) => b.measured < a.measured ? b : a);
      return [
        String(candidates.length),
        candidates[0]!.measured.toFixed(3),
        favorite.measured.toFixed(3),
        fastest.measured.toFixed(3),
        regret.toFixed(2),
        tau === undefined ? "none" : tau.toFixed(2),
        schedule,
        `${label}: ${fastest.patch}`,
      ];
    }),
  ]).join("\n");
}

/** The constants of a model. */
export const printConstants = (cost: CostModel): string => {
  const { name, dispatchMs, bytesPerMs } = cost;
  return `${name}: ${dispatchMs.toPrecision(3)} ms a dispatch, ${bytesPerMs.toPrecision(3)} bytes a ms, ` +
    `${stepsPerMsOf(cost).toPrecision(3)} operations a ms`;
};

const showTau = ({ tau }: RankAgreement): string => tau === undefined ? "none" : tau.toFixed(2);
