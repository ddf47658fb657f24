/**
 * A comparison of plans as a table.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { showBytes } from "../show_bytes.ts";
import { table } from "../table.ts";
import type { PlanComparison, PlanRow } from "./compare_plans.ts";

/**
 * What is timed, then one row per variant: dispatches, shaders, bytes that kernels move, the most that temporaries take, milliseconds, and the
 * ratio to the first row with the interval that holds its median in 95 of 100 cases.
 */
export function printPlans({ rows, target, device }: PlanComparison): string {
  const head = ["variant", "dispatches", "shaders", "moved", "temporaries", "compile ms"];
  const isTimed = rows.some(({ timing }) => timing);
  const lines = table([
    [...head, ...isTimed ? ["ms", "ratio", "95 % interval"] : [], ""],
    ...rows.map((row) => [...cells(row, isTimed), remarkOf(row)]),
  ]).map((line) => line.trimEnd());
  const rounds = rows.find(({ timing }) => timing)?.timing?.rounds;
  const where = device === undefined
    ? `for ${target}`
    : `on ${device}, ${counted(rounds ?? 0, "round")} in turns` + (isTimed ? `; ${timed}` : "");
  return [where, ...lines, ...indistinct(rows)].join("\n");
}

/** As `ResidentPlan.time` does it. */
const timed =
  "ms: a whole run by the host's clock, many in a row with one wait for the last, nothing fed or read";

/** Which rows the rounds don't tell from the first one. */
function indistinct([base, ...rows]: readonly PlanRow[]): string[] {
  const alike = rows.filter(({ timing, sameAs }) =>
    timing && sameAs === undefined && timing.ratio.low <= 1 && timing.ratio.high >= 1
  );
  if (alike.length === 0) return [];
  const names = alike.map(({ name }) => `"${name}"`).join(", ");
  return [
    `not told from "${
      base!.name
    }", since 1 lies in the interval: ${names}; more --seconds make intervals narrower`,
  ];
}

function cells({ name, plan, compileMs, timing }: PlanRow, isTimed: boolean): string[] {
  const numbers = plan
    ? [
      `${plan.dispatches}`,
      `${plan.shaders}`,
      showBytes(plan.bytes),
      showBytes(plan.peak),
      compileMs!.toFixed(0),
    ]
    : ["", "", "", "", ""];
  const { ms, ratio } = timing ?? {};
  const times = ms !== undefined && ratio
    ? [ms.toFixed(3), ratio.median.toFixed(3), `${ratio.low.toFixed(3)} … ${ratio.high.toFixed(3)}`]
    : ["", "", ""];
  return [name, ...numbers, ...isTimed ? times : []];
}

function remarkOf({ failed, untimed, sameAs, timing }: PlanRow): string {
  if (failed !== undefined) return `can't be compiled: ${failed.split("\n")[0]}`;
  if (untimed !== undefined) return `not timed: ${untimed.split("\n")[0]}`;
  if (sameAs !== undefined) return `the same program as "${sameAs}"`;
  const { low, high, coverage } = timing?.ratio ?? { low: 1, high: 1, coverage: 1 };
  return coverage < 0.95 && low < high ? `interval of ${(100 * coverage).toFixed(0)} %: too few rounds` : "";
}
