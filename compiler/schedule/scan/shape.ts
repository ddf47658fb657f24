/**
 * Who walks which part of which row: numbers only, all from the target (SCHEDULES §9).
 *
 *     along rows      neighbors along the scan's axis are neighbors in memory; `across` lanes share a row
 *     along columns   rows are neighbors in memory (a sum along the first axis): a lane has one row, or a vector of rows,
 *                     to itself
 *
 * A *slot* is what a lane takes in per turn: `vectors` accesses. A turn of the loop is one slot for each of the lanes that
 * share the row. Where that leaves the machine idle, rows are cut into chunks of whole turns: for a workgroup each where
 * lanes share rows, else for a lane each.
 */

import { type Value, type Var, walk } from "../../kernel/value.ts";
import type { Target } from "../../target.ts";
import { powerOfTwo } from "../row/shape.ts";
import { isContiguous, strideOf } from "../../kernel/stride.ts";
import type { Scan } from "./problem.ts";

export interface ScanShape {
  readonly along: "rows" | "columns";
  /** Elements of an access, and the variable along which they lie. */
  readonly width: 1 | 4;
  readonly vector: Var | undefined;
  readonly lanes: number;
  readonly across: number;
  /** Accesses of a slot; places along the axis that a slot covers; slots of a row. */
  readonly vectors: number;
  readonly slot: number;
  readonly slots: number;
  /** Rows, or vectors of rows. */
  readonly places: number;
  /** Chunks of a row, and slots of each; 1 chunk: the whole row. */
  readonly chunks: number;
  readonly chunk: number;
  readonly groups: number;
}

/** What rows are cut into chunks for. */
export type Cut = "fill the machine" | "as a driver needs";

/** @param unroll Accesses per slot, at most. */
export function scanShape(scan: Scan, target: Target, unroll: number, cut: Cut): ScanShape {
  const { lanes: { row: most }, row, parallel, quirks } = target;
  const along = directionOf(scan);
  const width = widthAlong(scan, along);
  const vector = along === "rows" ? scan.axis : scan.outer.at(-1);
  const places = along === "columns" ? scan.rows / width : scan.rows;
  const perAccess = along === "rows" ? width : 1;
  const accesses = Math.ceil(scan.length / perAccess);
  const across = along === "columns" || row.rowsPerLane > 0
    ? 1
    : Math.min(most, powerOfTwo(Math.ceil(accesses / row.perLane)));
  const vectors = Math.max(1, Math.min(unroll, Math.ceil(accesses / across)));
  const slot = vectors * perAccess;
  const slots = Math.ceil(scan.length / slot);
  const shape = { along, width, vector, across, vectors, slot, slots, places } as const;

  const turns = Math.ceil(slots / across);
  /** What works on its own: a workgroup for each chunk where lanes share rows, else a lane. */
  const units = across === 1 ? most * parallel : parallel;
  const busy = across === 1 ? places : Math.ceil(places * across / most);
  const wanted = cut === "as a driver needs"
    ? 1
    : Math.min(Math.ceil(units / busy), Math.floor(turns * vectors / row.perChunk));
  // Some drivers end loops silently after so many turns.
  const needed = Math.ceil(turns * 2 / quirks.loopBound);
  const perChunk = Math.ceil(turns / Math.max(1, wanted, needed));
  const chunks = Math.ceil(turns / perChunk);
  const lanes = chunks > 1 && across > 1 ? across : Math.min(most, powerOfTwo(places * chunks * across));
  return {
    ...shape,
    lanes,
    chunks,
    chunk: chunks === 1 ? slots : perChunk * across,
    groups: Math.ceil(places * chunks * across / lanes),
  };
}

/** Along which axis the elements that each row has for itself are neighbors in memory. */
function directionOf({ axis, outer, roots, body }: Scan): "rows" | "columns" {
  const inner = outer.at(-1);
  if (!inner) return "rows";
  let rows = 0;
  let columns = 0;
  const count = (index: Value) => {
    if (!index.free.has(axis) || !index.free.has(inner)) return;
    if (strideOf(index, axis) === 1) rows++;
    if (strideOf(index, inner) === 1) columns++;
  };
  walk([body], (v) => {
    if (v.kind === "load") count(v.index);
  });
  for (const root of roots) count(root.index);
  return columns > rows ? "columns" : "rows";
}

/** 4 where every store is a vector along the axis. */
function widthAlong({ axis, outer, roots }: Scan, along: "rows" | "columns"): 1 | 4 {
  const v = along === "rows" ? axis : outer.at(-1)!;
  // One row may end in a ragged vector; anything else must come in fours.
  const ragged = along === "rows" && outer.length === 0;
  if (v.extent < 4 || (v.extent % 4 !== 0 && !ragged)) return 1;
  return roots.every((r) => isContiguous(r.index, v) && r.buffer.size >= 4) ? 4 : 1;
}
