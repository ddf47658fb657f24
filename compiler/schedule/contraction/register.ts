/**
 * The register tile: every lane keeps a tile of sums in registers and walks k (SCHEDULES §6.3).
 *
 *     for the outer summed variables: for turns of the inner one, `depth` steps each:
 *         A at the lane's rows, B at its columns; sum[row][column] += combine(a, b)
 *     results from the sums, stored
 *
 * A and B are evaluated once per row and step, once per column and step; what of them does not depend on the loop is
 * evaluated before it. Steps that fill no turn are a loop of their own.
 */

import { type BuiltKernel, IrBuilder } from "../../kernel/build.ts";
import { Evaluator } from "../../kernel/lower.ts";
import { bindGroup, groupsOf, LaneSums, layTile, orderSummed, takenBy } from "./lane_tile.ts";
import { operandsOf, Steps } from "./operand.ts";
import { FreshVars } from "./places.ts";
import type { Contraction } from "./problem.ts";
import { sidesAt, type Tile } from "./product.ts";
import type { Tiling } from "./tiling.ts";

export function registerKernel(c: Contraction, tiling: Tiling): BuiltKernel {
  const b = new IrBuilder(tiling.grid[0] * tiling.grid[1]);
  const ev = new Evaluator(c.k, b);
  const fresh = new FreshVars(c.k, takenBy(c));
  b.phase(() => {
    const index = bindGroup(c, ev, tiling);
    const tile = layTile(c, ev, fresh, tiling, index);
    const sums = new LaneSums(c, b, tiling);
    sums.reset();
    accumulate(tile, fresh, tiling, sums);
    sums.store(tile, index);
  });
  return b.finish(groupsOf(c, tiling));
}

/** The loops over the summed variables around the products. */
function accumulate(tile: Tile, fresh: FreshVars, tiling: Tiling, sums: LaneSums): void {
  const { c, ev } = tile;
  const { b, k } = ev;
  const summed = orderSummed(c);
  const inner = summed.at(-1)!;
  const depth = Math.min(tiling.depth, inner.extent);
  const turns = Math.floor(inner.extent / depth);
  const rest = inner.extent - turns * depth;

  /** One loop over the inner variable: `count` turns of `depth` steps from `first` on. */
  const walkInner = (first: number, count: number, depth: number) => {
    const turn = fresh.of(count);
    const steps = new Steps(ev, fresh, inner, k.affine([[turn, depth]], first), depth);
    const sides = {
      a: operandsOf(ev, c.a, tile.rows, c.rows.at(-1), steps),
      b: operandsOf(ev, c.b, tile.columns, c.columns.at(-1), steps),
    };
    for (const side of [...sides.a, ...sides.b]) side.hoist([turn]);
    const body = () =>
      sums.add(tile, steps, (row, column, step) => sidesAt(sides.a, sides.b, row, column, step));
    if (turn.kind !== "var") return body();
    b.for(b.int(0), b.int(count), 1, (counter) => ev.with([[turn, counter]], body));
  };
  const nest = (i: number): void => {
    if (i < summed.length - 1) {
      const v = summed[i]!;
      return b.for(b.int(0), b.int(v.extent), 1, (counter) => ev.with([[v, counter]], () => nest(i + 1)));
    }
    walkInner(0, turns, depth);
    if (rest > 0) walkInner(turns * depth, rest, 1);
  };
  nest(0);
}
