/**
 * Fitting the constants of the fusion's cost model to measurements.
 *
 * The model of a group is linear in three numbers that are not negative: what a dispatch takes, what a byte
 * takes, what an operation takes. They are those with the least sum of squares of (predicted − measured) /
 * measured, so that a kernel of 0.1 ms counts as much as one of 10. Ops that bring kernels of their own are
 * left out: the model does not know what they do. With three unknowns all ways to hold some of them at their
 * least are tried, and the best that is not negative is exactly the solution.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { RunError } from "../../compiler/errors.ts";
import { type CostModel, defaultCostModel } from "../../compiler/fuse/worthwhile.ts";
import type { CostRecord } from "./cost_record.ts";

/** What a fit found. */
export interface CostFit {
  /** The model with the fitted numbers: `compile(…, { cost })` takes it. */
  readonly cost: CostModel;
  /** Records it was fitted to. */
  readonly records: number;
  /** The root of the mean square of the relative error. */
  readonly error: number;
  /** Sentences on what the records do not tell: too few of them, or a constant that nothing in them depends on. */
  readonly warnings: readonly string[];
}

/** Fewer records than this for three constants follow whatever noise is in them. */
const ENOUGH = 20;

const FITTED = ", fitted";

/**
 * A byte that took no time at all could not be told from one that took a little, and a model of it would
 * divide by zero: this many in a millisecond at most.
 */
const MOST_BYTES_PER_MS = 1e10;
/** The same of operations. */
const MOST_STEPS_PER_MS = 1e13;
const LEAST = [0, 1 / MOST_BYTES_PER_MS, 1 / MOST_STEPS_PER_MS] as const;

/**
 * The constants of a cost model, fitted to records of one device.
 *
 * @param base Whose other numbers the fitted model has; that which the records were made with, if not given.
 * @throws RunError where there are fewer than three records, or records of several devices.
 * @example
 * ```ts
 * import { compile, fitCostModel, input, model, openDevice, readRecords, softmax } from "@weft/weft";
 *
 * const net = model({ x: input([64, 32], "f32") }, ({ x }) => ({ y: softmax(x) }));
 *
 * // The path of what `weft costmodel --out` wrote.
 * async function compileFor(path: string) {
 *   const { cost, error } = fitCostModel(await readRecords(path));
 *   console.log(`${cost.dispatchMs} ms a dispatch, off by ${100 * error} %`);
 *   using device = await openDevice();
 *   return await compile(net, { device, cost });
 * }
 * ```
 */
export function fitCostModel(
  records:
    readonly (Pick<CostRecord, "works" | "measuredMs" | "device"> & Partial<Pick<CostRecord, "cost">>)[],
  base: CostModel = records[0]?.cost ?? defaultCostModel,
): CostFit {
  const devices = new Set(records.map(({ device }) => device));
  if (devices.size > 1) {
    throw new RunError(
      `A cost model is fitted to one device, and the records are of ${devices.size}: ${
        [...devices].map((name) => `"${name}"`).join(", ")
      }. Give those of one.`,
    );
  }
  const told = records.filter(({ works, measuredMs }) =>
    measuredMs > 0 && works.every(({ kind }) => kind !== "program")
  );
  const rows = told.map(({ works, measuredMs }) => {
    const sum = (of: (work: typeof works[number]) => number) => works.reduce((n, work) => n + of(work), 0);
    const dispatches = Math.max(1, works.filter(({ packed }) => !packed).length);
    const bytes = sum(({ reads, writes }) => reads + writes);
    return [dispatches, bytes, sum(({ steps }) => steps)].map((x) => x / measuredMs);
  });
  if (rows.length < 3) {
    throw new RunError(
      `A cost model has three constants, and there ${
        rows.length === 1 ? "is 1 record" : `are ${rows.length} records`
      } of groups that it knows; give three at least.`,
    );
  }
  const [dispatch, byte, step] = leastSquares(rows, LEAST) as [number, number, number];
  const cost: CostModel = {
    ...base,
    name: base.name.endsWith(FITTED) ? base.name : base.name + FITTED,
    dispatchMs: dispatch + 0, // no −0
    bytesPerMs: Math.min(1 / byte, MOST_BYTES_PER_MS),
    stepsPerMs: Math.min(1 / step, MOST_STEPS_PER_MS),
  };
  const error = Math.sqrt(squares(rows, [dispatch, byte, step]) / rows.length);
  return { cost, records: rows.length, error, warnings: warningsOf(rows.length, [dispatch, byte, step]) };
}

function warningsOf(records: number, found: readonly number[]): readonly string[] {
  const warnings = records >= ENOUGH ? [] : [
    `Three constants of ${
      counted(records, "record")
    } follow the noise in them; give ${ENOUGH} at least, of kernels that differ ` +
    "in size and kind: `weft costmodel MODEL --out data.jsonl` of a few models.",
  ];
  const names = ["a dispatch", "a byte", "an operation"];
  const least = names.filter((_, i) => found[i]! <= LEAST[i]!);
  if (least.length > 0) {
    warnings.push(
      `The records fit best where ${
        least.join(" and ")
      } takes no time at all: they do not tell what it takes.`,
    );
  }
  return warnings;
}

/** The x ≥ least with the least Σ (row · x − 1)². */
export function leastSquares(rows: readonly (readonly number[])[], least: readonly number[]): number[] {
  const n = least.length;
  let best: { x: number[]; error: number } | undefined;
  for (let held = 0; held < 2 ** n; held++) {
    const free = least.map((_, i) => i).filter((i) => (held >> i) % 2 === 0);
    const rest = rows.map((row) =>
      1 - row.reduce((sum, a, i) => free.includes(i) ? sum : sum + a * least[i]!, 0)
    );
    const solved = solveNormal(rows.map((row) => free.map((i) => row[i]!)), rest);
    if (!solved) continue;
    const x = [...least];
    free.forEach((i, at) => x[i] = solved[at]!);
    if (!x.every((value, i) => value >= least[i]!)) continue; // NaN neither
    const error = squares(rows, x);
    if (!best || error < best.error) best = { x, error };
  }
  return best?.x ?? [...least];
}

const squares = (rows: readonly (readonly number[])[], x: readonly number[]): number =>
  rows.reduce((sum, row) => sum + (row.reduce((n, a, i) => n + a * x[i]!, 0) - 1) ** 2, 0);

/**
 * Least squares by the normal equations, columns scaled to one length; undefined where they are dependent.
 */
function solveNormal(rows: readonly (readonly number[])[], right: readonly number[]): number[] | undefined {
  const n = rows[0]?.length ?? 0;
  const scales = Array.from(
    { length: n },
    (_, j) => Math.sqrt(rows.reduce((sum, row) => sum + row[j]! ** 2, 0)),
  );
  if (scales.some((scale) => scale === 0)) return undefined;
  const matrix = scales.map((s, i) => [
    ...scales.map((t, j) => rows.reduce((sum, row) => sum + row[i]! * row[j]!, 0) / (s * t)),
    rows.reduce((sum, row, k) => sum + row[i]! * right[k]!, 0) / s,
  ]);
  for (let i = 0; i < n; i++) {
    const pivot = matrix.slice(i).reduce((a, b) => Math.abs(b[i]!) > Math.abs(a[i]!) ? b : a);
    if (Math.abs(pivot[i]!) < 1e-12) return undefined;
    matrix.splice(matrix.indexOf(pivot), 1, matrix[i]!);
    matrix[i] = pivot;
    for (let k = 0; k < n; k++) {
      if (k === i) continue;
      const factor = matrix[k]![i]! / pivot[i]!;
      matrix[k] = matrix[k]!.map((value, j) => value - factor * pivot[j]!);
    }
  }
  return scales.map((scale, i) => matrix[i]![n]! / matrix[i]![i]! / scale);
}
