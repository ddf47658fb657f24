/** How the kernels of attention are cut to a target, all numbers from it (SCHEDULES §9). */

import { log2 } from "../../graph/real.ts";
import type { Kernel, Statement } from "../../kernel/ir.ts";
import { statementsOfKernel } from "../../kernel/walk.ts";
import type { Target } from "../../target.ts";

export interface AttentionTile {
  readonly lanes: number;
  /** Own rows per lane. */
  readonly rows: number;
  /** Rows of the other matrix that are met at once: a multiple of 4, or 1. */
  readonly block: number;
  /** Lanes that share their own rows and take turns with the blocks, where there are fewer rows than lanes. */
  readonly across: number;
  /** Dot products are straight-line code along the head axis, not a loop. */
  readonly unrollHead: boolean;
  /** Everything but the walk over blocks is straight-line code, so that lane arrays are registers. */
  readonly unrollAll: boolean;
}

type Shape = readonly [rows: number, block: number];

/** Best first, by measurement (tests/bench/schedules/attention.ts). */
const fewLanes: readonly Shape[] = [[8, 16], [8, 8], [4, 8], [2, 16], [4, 4], [2, 8], [2, 4], [1, 8], [1, 4]];
const manyLanes: readonly Shape[] = [[1, 8], [1, 4]];

const powerBelow = (n: number): number => 2 ** Math.floor(log2(Math.max(1, n)));

/**
 * Tiles worth trying, the best first; the last is small and works anywhere.
 *
 * Where lanes own whole rows elsewhere (`row.rowsPerLane`), lanes are few and a load costs as much as many
 * multiplications: several rows per lane share what is loaded. Else registers are what is scarce: one row per lane,
 * everything unrolled so that it stays in them.
 *
 * @param rows Rows to be owned in all, of each of `heads` matrices.
 * @param share Lanes may share rows.
 */
export function tilesFor(
  target: Target,
  rows: number,
  heads: number,
  share: boolean,
): readonly AttentionTile[] {
  const lanes = target.lanes.contraction;
  const across = share && powerBelow(lanes) === lanes ? powerBelow(lanes / Math.max(1, rows)) : 1;
  const several = target.row.rowsPerLane > 0;
  const tiles: AttentionTile[] = [];
  for (const unrollAll of several ? [false] : [true, false]) {
    for (const [count, block] of several ? fewLanes : manyLanes) {
      // Rows that would leave lanes idle, or the machine, are given to other lanes. Two workgroups per matrix at least:
      // one alone would meet, under causality, twice the pairs that there are.
      const groups = heads * Math.ceil(rows / (lanes * count));
      if (count > 1 && (rows < 2 * lanes * count || groups < target.parallel)) continue;
      tiles.push({ lanes, rows: count, block, across, unrollHead: true, unrollAll });
    }
  }
  for (const block of [4, 1]) {
    tiles.push({ lanes, rows: 1, block, across, unrollHead: false, unrollAll: false });
  }
  return tiles;
}

/**
 * Statements that cost a compiler time: not those that name a part of what is there already, nor index arithmetic.
 */
export function workOf(kernel: Kernel): number {
  let work = 0;
  for (const statement of statementsOfKernel(kernel)) if (isWork(statement)) work++;
  return work;
}

function isWork(statement: Statement): boolean {
  if (statement.kind !== "let") return true;
  const { kind, type } = statement.instr;
  if (kind === "load") return true;
  return (kind === "unary" || kind === "binary" || kind === "select") && type.scalar === "f32";
}

/** The kernel of the first tile that stays within the target's statements, else the last. */
export function firstWithin<K extends { readonly kernel: Kernel }>(
  target: Target,
  tiles: readonly AttentionTile[],
  build: (tile: AttentionTile) => K,
): K {
  let built: K | undefined;
  for (const tile of tiles) {
    built = build(tile);
    if (workOf(built.kernel) <= target.statements) break;
  }
  return built!;
}
