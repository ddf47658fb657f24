/**
 * Which other numbers are worth trying for a group, by the schedule that takes it.
 *
 * Every number that a schedule asks a target for is a *knob*: something to read, and values beside the present one. A
 * search begins at a few patches that differ in kind (a panel of B, sums in registers, sides in shared memory; a lane per
 * row, lanes that share one) and goes on to neighbors of the best, one knob at a time. No adapter is named: what bounds
 * a knob are the target's limits.
 */

import type { Target } from "../target.ts";
import { mergePatches, patchTarget, type TargetPatch } from "./tuning.ts";

/** Which schedule made a kernel: the `schedule` of a `ScheduledKernel`. */
export type ScheduleName = string;

/** A number, and the patches that move it, the likelier first. */
type Knob = (target: Target) => readonly TargetPatch[];

/** Twice and half the present value, within bounds. */
function scaled(
  read: (target: Target) => number,
  patch: (value: number, target: Target) => TargetPatch,
  [least, most]: readonly [number, number | ((target: Target) => number)],
  factor = 2,
): Knob {
  return (target) => {
    const value = read(target);
    const top = typeof most === "number" ? most : most(target);
    const next = value === 0 ? [Math.max(1, least)] : [value * factor, Math.floor(value / factor)];
    return next.filter((v) => v >= least && v <= top && v !== value).map((v) => patch(v, target));
  };
}

/** Every other value of a list. */
function chosen<V>(
  values: readonly V[],
  read: (target: Target) => V,
  patch: (value: V, target: Target) => TargetPatch,
): Knob {
  return (target) => values.filter((v) => v !== read(target)).map((v) => patch(v, target));
}

const lanesLimit = ({ limits }: Target): number => limits.lanesPerWorkgroup;

const parallel = scaled((t) => t.parallel, (parallel) => ({ parallel }), [1, 4096], 4);
const rowLanes = scaled((t) => t.lanes.row, (row) => ({ lanes: { row } }), [1, lanesLimit]);
const rowNumber = (
  key: "perLane" | "unroll" | "keep" | "perChunk" | "straight",
  least: number,
  most: number,
  factor = 2,
) => scaled((t) => t.row[key], (value) => ({ row: { [key]: value } }), [least, most], factor);

/** Lanes along rows and columns; the product is the lanes of the workgroup. */
const gridPatch = (rows: number, columns: number): TargetPatch => ({
  lanes: { contraction: rows * columns },
  contraction: { grid: [rows, columns] },
});

const grid: Knob = (target) => {
  const [rows, columns] = target.contraction.grid;
  const other: [number, number][] = [
    [rows * 2, columns],
    [rows, columns * 2],
    [rows * 2, columns / 2],
    [rows / 2, columns * 2],
    [rows / 2, columns],
    [rows, columns / 2],
  ];
  return other
    .filter(([r, c]) => Number.isInteger(r) && Number.isInteger(c) && r * c <= lanesLimit(target))
    .map(([r, c]) => gridPatch(r, c));
};

const tile: Knob = (target) => {
  const [rows, columns] = target.contraction.tile;
  const other: [number, number][] = [
    [rows * 2, columns],
    [rows, columns * 2],
    [rows / 2, columns],
    [rows, columns / 2],
  ];
  return other
    .filter(([r, c]) => r >= 1 && r <= 32 && c >= 4 && c <= 64)
    .map(([r, c]) => ({ contraction: { tile: [Math.floor(r), c] } }));
};

const panelRows: Knob = (target) => {
  const [least, most] = target.contraction.panelRows;
  const other: [number, number][] = [[least, most * 4], [least, most / 4], [least / 4, most]];
  return other
    .filter(([l, m]) => l >= 1 && m >= l && m <= 4096)
    .map(([l, m]) => ({ contraction: { panelRows: [Math.floor(l), Math.floor(m)] } }));
};

const knobs: Readonly<Record<ScheduleName, readonly Knob[]>> = {
  map: [
    scaled((t) => t.lanes.map, (map) => ({ lanes: { map } }), [1, lanesLimit]),
    scaled((t) => t.mapPerLane, (mapPerLane) => ({ mapPerLane }), [1, 4096], 4),
    parallel,
  ],
  row: [
    rowLanes,
    chosen([0, 1, 2, 4], (t) => t.row.rowsPerLane, (rowsPerLane) => ({ row: { rowsPerLane } })),
    rowNumber("unroll", 1, 16),
    rowNumber("perLane", 1, 64),
    chosen([true, false], (t) => t.row.merge, (merge) => ({ row: { merge } })),
    chosen([0, 8, 32], (t) => t.row.keep, (keep) => ({ row: { keep } })),
    rowNumber("straight", 1, 64, 4),
    scaled((t) => t.mapPerLane, (mapPerLane) => ({ mapPerLane }), [1, 4096], 4),
    rowNumber("perChunk", 1, 2 ** 16, 4),
    parallel,
  ],
  scan: [
    rowLanes,
    chosen([0, 1], (t) => Math.sign(t.row.rowsPerLane), (rowsPerLane) => ({ row: { rowsPerLane } })),
    rowNumber("unroll", 1, 16),
    rowNumber("perLane", 1, 64),
    rowNumber("perChunk", 1, 2 ** 16, 4),
    parallel,
  ],
  contraction: [
    tile,
    grid,
    scaled((t) => t.contraction.depth, (depth) => ({ contraction: { depth } }), [1, 64]),
    panelRows,
    chosen(
      ["panel", "register"] as const,
      (t) => t.contraction.shape,
      (shape) => ({ contraction: { shape } }),
    ),
    chosen([true, false], (t) => t.contraction.staged, (staged) => ({ contraction: { staged } })),
    chosen([0, 32, 256], (t) => t.contraction.partSteps, (partSteps) => ({ contraction: { partSteps } })),
    scaled((t) => t.contraction.load, (load) => ({ contraction: { load } }), [1, 64], 4),
    parallel,
  ],
  attention: [
    (target) => {
      const lanes = target.lanes.contraction;
      return [lanes * 2, lanes / 2].filter((n) => Number.isInteger(n) && n <= lanesLimit(target))
        .map((contraction) => ({ lanes: { contraction } }));
    },
    chosen([0, 1], (t) => Math.sign(t.row.rowsPerLane), (rowsPerLane) => ({ row: { rowsPerLane } })),
    scaled((t) => t.statements, (statements) => ({ statements }), [60, 4000]),
    parallel,
  ],
  sort: [scaled((t) => t.lanes.map, (map) => ({ lanes: { map } }), [1, lanesLimit])],
};

const register = (lanes: number, patch: Partial<Target["contraction"]>): TargetPatch => {
  const rows = 2 ** Math.floor((31 - Math.clz32(lanes)) / 2);
  return mergePatches(gridPatch(rows, lanes / rows), { contraction: { shape: "register", ...patch } });
};

/** Where a search begins, beside the defaults: patches that differ in kind from them and from each other. */
const starts: Readonly<Record<ScheduleName, (target: Target) => readonly TargetPatch[]>> = {
  contraction: (target) => {
    const few = Math.min(8, lanesLimit(target));
    const many = Math.min(64, lanesLimit(target));
    const panel = (patch: Partial<Target["contraction"]>): TargetPatch => ({
      lanes: { contraction: few },
      contraction: {
        shape: "panel",
        grid: [1, few],
        tile: [8, 16],
        depth: 16,
        panelRows: [16, 256],
        ...patch,
      },
    });
    return [
      panel({}),
      panel({ panelRows: [1, 1024], tile: [8, 8] }),
      register(few, { staged: false, tile: [4, 8], depth: 4 }),
      register(many, { staged: false, tile: [8, 8], depth: 4 }),
      register(many, { staged: true, tile: [4, 4], depth: 8 }),
      register(many, { staged: true, tile: [8, 8], depth: 16 }),
      register(many, { staged: true, tile: [4, 8], depth: 16, partSteps: 32 }),
      // Each element a loop of its own, in as many lanes as there are.
      { contraction: { plain: Number.MAX_SAFE_INTEGER } },
    ];
  },
  row: (target) => [
    { row: { rowsPerLane: 0, perLane: 1, unroll: 1 } },
    { row: { rowsPerLane: 0, perLane: 4, unroll: 4 }, lanes: { row: Math.min(32, lanesLimit(target)) } },
    { row: { rowsPerLane: 0, perLane: 2, keep: 8 }, lanes: { row: Math.min(128, lanesLimit(target)) } },
    { row: { rowsPerLane: 1, unroll: 8 } },
    { row: { merge: !target.row.merge } },
  ],
  map: (target) => [
    { lanes: { map: Math.min(64, lanesLimit(target)) }, mapPerLane: 4 },
    { lanes: { map: Math.min(256, lanesLimit(target)) }, mapPerLane: 1 },
    { mapPerLane: 1024, parallel: 16 },
  ],
};

const known = (names: ReadonlySet<ScheduleName>): ScheduleName[] =>
  [...names].map((name) => name === "column" ? "row" : name).filter((name) => Object.hasOwn(knobs, name));

/** Whether there is anything to try: a user's own kernel asks the target for nothing. */
export const isTunable = (names: ReadonlySet<ScheduleName>): boolean => known(names).length > 0;

/**
 * Where to begin, beside the target's own numbers.
 *
 * @param names The schedules of the group's kernels.
 */
export function startingPatches(names: ReadonlySet<ScheduleName>, target: Target): readonly TargetPatch[] {
  return known(names).flatMap((name) => starts[name]?.(target) ?? []);
}

/** A patch with one knob moved, for every knob and both ways. */
export function neighbors(
  patch: TargetPatch,
  names: ReadonlySet<ScheduleName>,
  target: Target,
): readonly TargetPatch[] {
  const here = patchTarget(target, patch);
  return known(names).flatMap((name) => knobs[name]!.flatMap((knob) => knob(here)))
    .map((move) => mergePatches(patch, move));
}
