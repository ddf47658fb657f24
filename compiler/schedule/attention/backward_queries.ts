/** dq: a lane owns queries and walks over the keys that they see (backward.ts); Δ is a by-product. */

import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { f32 } from "../../kernel/ir.ts";
import type { ScheduledKernel } from "../../kernel/scheduled.ts";
import type { Values } from "../../kernel/values.ts";
import { type AttentionBackward, BackwardKernel } from "./backward.ts";
import { RowGrid } from "./grid.ts";
import type { Kept } from "./lane_rows.ts";
import { RowStore } from "./store.ts";
import type { AttentionTile } from "./tile.ts";

export function backwardQueries(
  k: Values,
  site: AttentionBackward,
  tile: AttentionTile,
  label: string,
): ScheduledKernel {
  return new QueriesKernel(k, site, tile, 1, tile.block).kernel(label);
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
      rows.clear(dq);
      rows.each(tile.rows, tile.rows === 1, (r) => {
        b.set(lse, r, this.scalar(this.lse, own(r)));
        b.set(delta, r, this.delta(own(r), (c) => b.read(g.array, rows.place(g, r, c))));
      });
      const dots = rows.scores();
      const slopes = rows.scores();
      b.for(b.int(0), problem.keyBlocks(b, b.add(first, grid.rowsPerGroup), tile.block), 1, (turn) => {
        const key = b.mul(turn, tile.block);
        const row = (s: Instr) => b.add(key, s);
        rows.dots([
          { own: q, other: problem.key, scores: dots },
          { own: g, other: problem.value, scores: slopes },
        ], row);
        const visible = this.weigh({
          dots,
          slopes,
          along: problem.j,
          at: (r, n) => [[problem.i, own(b.int(r))], [problem.j, b.add(key, n)]],
          scalars: (r) => ({ lse: b.read(lse, r), delta: b.read(delta, r) }),
        });
        rows.accumulate(dq, problem.key, slopes, row, visible);
      });
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
}
