/**
 * dk and dv: a lane owns keys and walks over the queries that see them, of all query heads that share the key's head
 * (backward.ts).
 *
 * Δ belongs to queries. It was left in memory by the kernel for dq, which owns them; only where that one has no buffer
 * to spare, each lane computes the Δ of every block that it meets.
 */

import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { f32 } from "../../kernel/ir.ts";
import type { ScheduledKernel } from "../../kernel/scheduled.ts";
import type { Values } from "../../kernel/values.ts";
import { type AttentionBackward, BackwardKernel, type Result } from "./backward.ts";
import { RowGrid } from "./grid.ts";
import type { Kept, Product } from "./lane_rows.ts";
import type { QueryScalar } from "./problem.ts";
import type { AttentionTile } from "./tile.ts";

/** Which of its results a kernel computes: both, unless that takes more buffers than it may bind. */
export interface KeyResults {
  readonly dk: boolean;
  readonly dv: boolean;
}

export function backwardKeys(
  k: Values,
  site: AttentionBackward,
  results: KeyResults,
  tile: AttentionTile,
  label: string,
): ScheduledKernel {
  return new KeysKernel(k, site, tile, tile.block, 1).kernel(results, label);
}

/** Rows in lane arrays and what is made of them; `v` and `slopes` serve dk only. */
interface State {
  readonly first: Instr;
  readonly own: (r: Instr) => Instr;
  readonly k: Kept;
  readonly v: Kept | undefined;
  readonly dk: Kept | undefined;
  readonly dv: Kept | undefined;
  readonly dots: ArrayDecl;
  readonly slopes: ArrayDecl | undefined;
  /** Δ of a block, where they are not in memory. */
  readonly deltas: ArrayDecl | undefined;
}

class KeysKernel extends BackwardKernel {
  kernel(wanted: KeyResults, label: string): ScheduledKernel {
    const { b, rows, problem, tile, site } = this;
    const grid = new RowGrid(b, tile, problem.keyLeadShape, problem.keys);
    const { first, lead } = grid.enter(false);
    const state: State = {
      first,
      own: (r) => grid.safeRow(first, r),
      k: rows.array(problem.key),
      v: wanted.dk ? rows.array(problem.value) : undefined,
      dk: wanted.dk ? rows.array(problem.key) : undefined,
      dv: wanted.dv ? rows.array(problem.value) : undefined,
      dots: rows.scores(),
      slopes: wanted.dk ? rows.scores() : undefined,
      deltas: wanted.dk && "row" in this.out
        ? b.array("lane", f32, tile.block, !tile.unrollAll && tile.block > 1)
        : undefined,
    };
    const enterHead = (head: Instr) =>
      problem.enter(this.ev, b.uniform(() => problem.queryLead(b, lead, head)));
    enterHead(b.int(0));
    b.phase(() => {
      rows.load(state.k, problem.key, state.own);
      if (state.v) rows.load(state.v, problem.value, state.own);
      if (state.dk) rows.clear(state.dk);
      if (state.dv) rows.clear(state.dv);
    });
    const eachHead = (f: (head: Instr) => void) =>
      problem.grouped === 1 ? f(b.int(0)) : b.loop(b.int(0), b.int(problem.grouped), 1, f);
    eachHead((head) => {
      enterHead(head);
      b.phase(() => this.#walk(state));
    });
    enterHead(b.int(0));
    const results: Result[] = [];
    if (state.dk) results.push({ sum: state.dk, writer: site.dk, of: problem.key, factor: site.scale });
    if (state.dv) results.push({ sum: state.dv, writer: site.dv, of: problem.value, factor: 1 });
    b.phase(() => this.store(grid, first, results));
    const names = [...wanted.dk ? ["dk"] : [], ...wanted.dv ? ["dv"] : []];
    return this.finish(grid, `${label}: ${names.join(", ")}`);
  }

  /** Goes through the queries that see some key of the workgroup. */
  #walk({ first, own, k, v, dk, dv, dots, slopes, deltas }: State): void {
    const { b, rows, problem, tile: { block, unrollAll } } = this;
    const begin = b.div(problem.firstQuery(b, first), block);
    const end = b.int(Math.ceil(problem.queries / block));
    const products: Product[] = [{ own: k, other: problem.query, scores: dots }];
    if (v) products.push({ own: v, other: this.outGradient, scores: slopes! });
    b.for(begin, end, 1, (turn) => {
      const query = b.mul(turn, block);
      const row = (s: Instr) => b.add(query, s);
      rows.dots(products, row);
      if (deltas) {
        rows.each(block, unrollAll, (s) => {
          b.set(deltas, s, this.delta(row(s), (c) => rows.chunk(this.outGradient, row(s), c)));
        });
      }
      const visible = this.weigh({
        dots,
        slopes,
        along: problem.i,
        at: (r, n) => [[problem.i, b.add(query, n)], [problem.j, own(b.int(r))]],
        scalars: (_, n, width) => ({
          lse: this.scalar(this.lse, b.add(query, n), width),
          ...deltas
            ? { delta: rows.vector(deltas, n, width) }
            : slopes && { delta: this.scalar(this.out as QueryScalar, b.add(query, n), width) },
        }),
      });
      if (dv) rows.accumulate(dv, this.outGradient, dots, row, visible);
      if (dk) rows.accumulate(dk, problem.query, slopes!, row, visible);
    });
  }
}
