/** How the kernels of attention are cut to a target, all numbers from it (SCHEDULES §9). */

import type { BuiltKernel } from "../../kernel/build.ts";
import type { Target } from "../../target.ts";

export interface AttentionTile {
  readonly lanes: number;
  /** Own rows per lane. */
  readonly rows: number;
  /** Rows of the other matrix that are met at once: a multiple of 4, or 1. */
  readonly block: number;
  /** Lanes that share their own rows and take turns with the blocks, where there are fewer rows than lanes. */
  readonly across: number;
  /** What is straight-line code instead of a loop: the head axis of a dot product, the rows of a block, … */
  readonly unrollHead: boolean;
  readonly unrollBlock: boolean;
  /** … the head axis of sums, and reading and writing of own rows. Then lane arrays are registers. */
  readonly unrollSums: boolean;
  readonly unrollFill: boolean;
}

const powerBelow = (n: number): number => 2 ** Math.floor(Math.log2(Math.max(1, n)));

/**
 * Tiles worth trying, the best first; the last is small and works anywhere.
 *
 * Where lanes own whole rows elsewhere (`row.rowsPerLane`), lanes are few and a load costs as much as many
 * multiplications: several rows per lane share what is loaded. Else registers are what is scarce: one row per lane,
 * everything unrolled so that it stays in them.
 *
 * @param rows Rows to be owned in all, of each of `heads` matrices.
 * @param most Rows that one lane may own at most, a power of two.
 * @param share Lanes may share rows.
 */
export function tilesFor(
  target: Target,
  rows: number,
  heads: number,
  most: number,
  share: boolean,
): readonly AttentionTile[] {
  const lanes = target.lanes.contraction;
  const across = share && powerBelow(lanes) === lanes ? powerBelow(lanes / Math.max(1, rows)) : 1;
  const many = target.row.rowsPerLane > 0;
  const tiles: AttentionTile[] = [];
  const add = (count: number, block: number, unrollHead: boolean) =>
    tiles.push({
      lanes,
      rows: count,
      block,
      across,
      unrollHead,
      unrollBlock: unrollHead && !many,
      unrollSums: unrollHead && !many,
      unrollFill: unrollHead && !many,
    });
  for (let count = many ? most : 1; count >= 1; count /= 2) {
    // Rows that would leave lanes idle, or the machine, are given to other lanes.
    const groups = heads * Math.ceil(rows / (lanes * count));
    if (count > 1 && (rows < lanes * count || groups < target.parallel)) continue;
    for (const block of [8, 4]) add(count, block, true);
  }
  add(1, 4, false);
  add(1, 1, false);
  return tiles;
}

/** The kernel of the first tile that stays within the target's statements, else the last. */
export function firstWithin<K extends BuiltKernel & { readonly statements: number }>(
  target: Target,
  tiles: readonly AttentionTile[],
  build: (tile: AttentionTile) => K,
): K {
  let built: K | undefined;
  for (const tile of tiles) {
    built = build(tile);
    if (built.statements <= target.statements) break;
  }
  return built!;
}
