/**
 * Datasets of cost records, read back.
 * @module
 */

import { RunError } from "../../compiler/errors.ts";
import type { CostModel } from "../../compiler/fuse/worthwhile.ts";
import type { GroupWork } from "../../compiler/fuse/group_work.ts";
import type { CostRecord } from "./cost_record.ts";
import { osReason } from "../os_reason.ts";

/** Numbers of a record without which it is of no use. */
const WORK = ["reads", "writes", "steps"] as const satisfies readonly (keyof GroupWork)[];

/** The least that each number of a cost model can be, as in locks; what is divided by is above 0. */
const COST = [
  ["dispatchMs", 0],
  ["bytesPerDispatch", 0],
  ["access", 0],
  ["lanes", 1],
  ["parallel", 1],
  ["bytesPerMs", Number.MIN_VALUE],
  ["stepsPerMs", Number.MIN_VALUE],
  ["flopsPerByte", Number.MIN_VALUE],
  ["tileColumns", Number.MIN_VALUE],
] as const satisfies readonly (readonly [keyof CostModel, number])[];
const REQUIRED = new Set<keyof CostModel>(["dispatchMs", "bytesPerMs", "flopsPerByte"]);

/**
 * The records of a file of one JSON object a line; empty lines are left out.
 *
 * @throws RunError where the file can't be read, or a line is no record; it says which.
 */
export async function readRecords(path: string): Promise<readonly CostRecord[]> {
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    throw new RunError(`${path} can't be read: ${osReason(cause)}.`, {
      cause,
    });
  }
  return text.split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    const wrong = (because: string): never => {
      throw new RunError(
        `${path}, line ${
          i + 1
        }: ${because}. Each line is one record, as \`weft costmodel --out\` writes them.`,
      );
    };
    let record: Partial<CostRecord>;
    try {
      record = JSON.parse(line);
    } catch {
      return wrong("it is no JSON");
    }
    if (typeof record?.version !== "number") wrong("it is no record");
    if (record?.version !== 2) {
      wrong(
        `its version is ${record?.version}, and 2 is known: others count operations otherwise; measure again`,
      );
    }
    for (const key of ["device", "schedule", "label"] as const) {
      if (typeof record[key] !== "string") wrong(`"${key}" is no text`);
    }
    for (const key of ["measuredMs", "steps"] as const) {
      if (!Number.isFinite(record[key])) wrong(`"${key}" is no number`);
    }
    for (const [key, least] of COST) {
      const number = record.cost?.[key];
      if (number === undefined && !REQUIRED.has(key)) continue;
      if (!Number.isFinite(number)) wrong(`its cost model has no "${key}"`);
      if (!(number! >= least)) {
        wrong(`its cost model's "${key}" is ${number}, and ${least} is the least that it can be`);
      }
    }
    if (!Array.isArray(record.works) || record.works.length === 0) wrong('"works" is no list of works');
    const broken = WORK.find((key) => !record.works!.every((work) => Number.isFinite(work?.[key])));
    if (broken !== undefined) wrong(`a work's "${broken}" is no number`);
    return [record as CostRecord];
  });
}
