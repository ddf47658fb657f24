/** dq: a lane owns queries and walks over the keys that they see (backward.ts); Δ is a by-product. */

import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { f32 } from "../../kernel/ir.ts";
import type { ScheduledKernel } from "../../kernel/scheduled.ts";
import type { Values } from "../../kernel/value.ts";
import { type AttentionBackward, BackwardKernel } from "./backward.ts";
import { RowGrid } from "./grid.ts";
import type { BlockWalk } from "./block_walk.ts";
import type { Kept } from "./lane_rows.ts";
import { RowStore } from "./store.ts";
import type { AttentionTile } from "./tile.ts";

export function backwardQueries(
  k: Values,
  site: AttentionBackward,
  tile: AttentionTile,
  label: string,
): ScheduledKernel {
  return new QueriesKernel(k, site, tile, tile.rows % 4 === 0 ? 4 : 1, tile.block).kernel(label);
}

class QueriesKernel extends BackwardKernel {
  kernel(label: string): ScheduledKernel {
    const { b, rows, problem, tile, site } = this;
    const grid = new RowGrid(b, tile, problem.leadShape, problem.queries);
    const { first, lead } = grid.enter(site.causal);
    problem.enter(this.ev, lead);
    const [q, g, dq] = [problem.query, this.outGradient, problem.query].map((m) => rows.array(m)) as [
      Kept,
      Kept,
      Kept,
    ];
    const [lse, delta] = [0, 1].map(() => b.array("lane", f32, tile.rows, tile.rows > 1)) as [
      ArrayDecl,
      ArrayDecl,
    ];
    const { i } = problem;
    const deltaStore = site.delta && new RowStore(b, this.ev, site.delta, problem.lead, i);
    b.phase(() => {
      const own = (r: Instr) => grid.safeRow(first, r);
      rows.load(q, problem.query, own);
      rows.load(g, this.outGradient, own);
      rows.each(tile.rows, tile.rows === 1, (r) => {
        b.set(lse, r, this.scalar(this.lse, own(r)));
        b.set(delta, r, this.delta(own(r), (c) => b.read(g.array, rows.place(g, r, c))));
      });
      const known = {
        lse: rows.eachVector((vector) => rows.gathered(lse, vector)),
        delta: rows.eachVector((vector) => rows.gathered(delta, vector)),
        query: rows.eachVector((vector) => grid.vector(first, vector, rows.span)),
      };
      const [weights, slopes] = [rows.pairs(), rows.pairs()];
      rows.walk(problem.masks, [dq], (by) => this.#walk(by, { first, q, g, dq, weights, slopes, known }));
    });
    b.phase(() => {
      this.store(
        grid,
        first,
        [{ sum: dq, writer: site.dq, of: problem.query, factor: site.scale }],
        (r, row) => {
          deltaStore?.store(row, b.int(0), b.read(delta, r));
        },
      );
    });
    return this.finish(grid, `${label}: dq`);
  }

  /** Goes through the keys that some query of the workgroup sees. */
  #walk(rows: BlockWalk, { first, q, g, dq, weights, slopes, known }: State): void {
    const { b, problem, tile: { block } } = this;
    const end = b.add(first, rows.tile.lanes * rows.tile.rows);
    rows.clear(dq);
    b.for(b.int(0), problem.keyBlocks(b, end, block), 1, (turn) => {
      const key = b.mul(turn, block);
      const row = (s: Instr) => problem.safeKey(b, b.add(key, s), block);
      rows.dots(q, problem.key, row, (s, vector, dots) => {
        const at = { query: known.query[vector]!, key: b.add(key, s) };
        b.set(weights, rows.pair(s, vector), this.weight(dots, at, problem.i, known.lse[vector]!));
      });
      rows.dots(g, problem.value, row, (s, vector, dots) => {
        const weight = b.read(weights, rows.pair(s, vector));
        b.set(slopes, rows.pair(s, vector), this.slope(dots, weight, known.delta[vector]!));
      });
      rows.accumulate(dq, problem.key, slopes, weights, row);
    });
  }
}

interface State {
  readonly first: Instr;
  readonly q: Kept;
  readonly g: Kept;
  readonly dq: Kept;
  readonly weights: ArrayDecl;
  readonly slopes: ArrayDecl;
  /** Per vector of own rows. */
  readonly known: {
    readonly lse: readonly Instr[];
    readonly delta: readonly Instr[];
    readonly query: readonly Instr[];
  };
}
