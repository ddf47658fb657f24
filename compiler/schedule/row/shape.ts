/**
 * Who works on which part of which row: numbers only, all from the target (SCHEDULES §9).
 *
 * Three ways to lay lanes over rows × elements:
 *
 *     along rows      four elements of the row are one vector; `across` lanes share a row and combine at the end of each
 *                     pass. One lane per row (`across` 1) where rows are plenty and the target likes it.
 *     along columns   the row's elements are far apart in memory and its neighbors adjacent (a sum over the first axis):
 *                     four rows are one vector, a lane has four rows to itself and nothing is combined.
 *     straight        many short rows: along columns too, but what four rows hold is one block of memory, which a lane
 *                     reads and writes as a whole (straight.ts).
 *
 * A lane that has rows to itself has several of them, one after the other, where they are many.
 * Where both leave the machine idle, rows are cut into chunks (split.ts).
 */

import { log2 } from "../../graph/real.ts";
import type { Var } from "../../kernel/value.ts";
import { walk } from "../../kernel/value.ts";
import type { Target } from "../../target.ts";
import { isContiguous, strideOf } from "../../kernel/stride.ts";
import { loadsOf } from "./interleave.ts";
import { rowCount, rowLength, type RowSpace } from "./space.ts";

export interface RowShape {
  readonly along: "rows" | "columns";
  /** Elements of a vector, and the variable along which they lie. */
  readonly width: 1 | 4;
  readonly vector: Var | undefined;
  readonly lanes: number;
  /** Lanes that share a row; they are adjacent. */
  readonly across: number;
  /** All elements of a row at once, at places that are numbers. */
  readonly straight: boolean;
  /** Rows, or vectors of rows (along columns). */
  readonly places: number;
  /** Rows that are left over of the vectors, fewer than four. */
  readonly rest: number;
  /** Rows, or vectors of rows, that a lane has one after the other. */
  readonly turns: number;
  /** Elements of a row, and how many of them are one item of a lane. */
  readonly length: number;
  readonly item: number;
  /** Workgroups that share a row's elements, and elements for each; 1 chunk: the whole row. */
  readonly chunks: number;
  readonly chunk: number;
  readonly groups: number;
}

export const powerOfTwo = (atLeast: number): number => 2 ** Math.ceil(log2(Math.max(1, atLeast)));

/** The shape for a kernel that keeps rows whole. */
export function wholeShape(space: RowSpace, target: Target): RowShape {
  const along = memoryDirection(space);
  const width = widthAlong(space, along);
  const vector = (along === "rows" ? space.row : space.outer).at(-1);
  const rows = rowCount(space);
  const length = rowLength(space);
  const places = along === "columns" ? rows / width : rows;
  const item = along === "columns" ? 1 : width;
  const lanesPerRow = along === "columns" ? 1 : across(space, Math.ceil(length / item), target);
  const lanes = Math.min(target.lanes.row, powerOfTwo(places * lanesPerRow));
  const turns = lanesPerRow === 1 ? turnsOf(places, Math.ceil(length / item), target) : 1;
  return {
    along,
    straight: false,
    rest: 0,
    turns,
    width,
    vector,
    lanes,
    across: lanesPerRow,
    places,
    length,
    item,
    chunks: 1,
    chunk: length,
    groups: Math.ceil(places / (lanes / lanesPerRow * turns)),
  };
}

/** Rows that a lane has one after the other: as many items in all as a lane of a map has, if that leaves enough lanes. */
export function turnsOf(places: number, items: number, { lanes, mapPerLane, parallel }: Target): number {
  const most = Math.floor(places / (lanes.row * parallel));
  return Math.max(1, Math.min(Math.floor(mapPerLane / items), most));
}

/** Lanes that share a row. */
function across(space: RowSpace, items: number, target: Target): number {
  const { row, lanes, parallel } = target;
  const arePlenty = rowCount(space) >= lanes.row * parallel;
  if (row.rowsPerLane > 0 && arePlenty && !isBetterShared(space, target)) return 1;
  return Math.min(lanes.row, powerOfTwo(items / row.perLane));
}

/**
 * Whether lanes do better to share a row although there is one for each of them: where the rows that they would read and
 * store at a time compete for the same places in a cache, and lanes combine what they have by handing it on. Where all
 * rows read the same besides, rows of one's own save more.
 */
function isBetterShared(space: RowSpace, { lanes, subgroup, competing }: Target): boolean {
  // Lines of the rows and of as many results: they have two places to be in at half of that distance.
  const compete = competing > 0 && rowLength(space) % (2 * competing) === 0;
  if (!compete || subgroup < lanes.row) return false;
  const { own, common } = loadsOf(space);
  return common < own && space.roots.some(({ full }) => full);
}

/** Along which axes the elements that each row has for itself lie next to each other in memory. */
export function memoryDirection(space: RowSpace): "rows" | "columns" {
  const inner = space.row.at(-1)!;
  const outer = space.outer.at(-1);
  if (!outer) return "rows";
  let [rows, columns] = [0, 0];
  walk(space.roots.map((r) => r.value), (value) => {
    if (value.kind !== "load" || !space.row.some((v) => value.free.has(v))) return;
    // What all rows share (a scale per element) is small, and says nothing.
    if (!space.outer.some((v) => value.free.has(v))) return;
    if (strideOf(value.index, inner) === 1) rows++;
    if (strideOf(value.index, outer) === 1) columns++;
  });
  return columns > rows ? "columns" : "rows";
}

/** 4 where some load and every store are vectors along the axis. */
function widthAlong(space: RowSpace, direction: "rows" | "columns"): 1 | 4 {
  const axes = direction === "rows" ? space.row : space.outer;
  const along = axes.at(-1)!;
  // A single row axis may end in a ragged vector; anything else must come in fours.
  const ragged = direction === "rows" && axes.length === 1;
  if (along.extent < 4 || (along.extent % 4 !== 0 && !ragged)) return 1;
  const stored = direction === "rows" ? space.roots.filter((r) => r.full) : space.roots;
  // Columns that are partly missing are stored one by one.
  if (space.columns !== undefined) return 4;
  if (!stored.every((r) => isContiguous(r.index, along) && r.buffer.size >= 4)) return 1;
  let vectors = 0;
  let others = 0;
  walk(space.roots.map((r) => r.value), (value) => {
    if (value.kind !== "load" || !value.free.has(along)) return;
    const isWhole = value.buffer.size % 4 === 0 || space.alignment?.inside.has(value.index);
    if (isContiguous(value.index, along) && isWhole) vectors++;
    else others++;
  });
  return vectors > 0 || (others === 0 && stored.length > 0) ? 4 : 1;
}
