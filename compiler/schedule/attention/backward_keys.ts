/**
 * dk and dv: a lane owns keys and walks over the queries that see them, of all query heads that share the key's head
 * (backward.ts).
 *
 * Δ belongs to queries, which all lanes meet alike. So lanes compute it in turns, for a stretch of queries at a time, and
 * leave it in a shared array: one barrier per stretch, no kernel and no buffer for it.
 */

import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { f32 } from "../../kernel/ir.ts";
import type { Values } from "../../kernel/value.ts";
import {
  type AttentionBackward,
  BackwardKernel,
  type BuiltBackward,
  type Result,
  type Sum,
} from "./backward.ts";
import { RowGrid } from "./grid.ts";
import type { Kept, Product } from "./lane_rows.ts";
import { roundUp } from "./problem.ts";
import type { AttentionTile } from "./tile.ts";

/** Queries whose Δ are shared at once. */
const longestStretch = 1024;

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
): BuiltBackward {
  return new KeysKernel(k, site, tile, tile.block, 1).kernel(results, label);
}

/** Rows in lane arrays and what is made of them; `v`, `slopes` and `deltas` serve dk only. */
interface State {
  readonly first: Instr;
  readonly own: (r: Instr) => Instr;
  readonly k: Kept;
  readonly v: Kept | undefined;
  readonly dk: Kept | undefined;
  readonly dv: Kept | undefined;
  readonly dots: ArrayDecl;
  readonly slopes: ArrayDecl | undefined;
  /** Δ of the stretch, and how long a stretch is. */
  readonly deltas: ArrayDecl | undefined;
  readonly stretch: number;
}

class KeysKernel extends BackwardKernel {
  kernel(wanted: KeyResults, label: string): BuiltBackward {
    const { b, rows, problem, tile, site } = this;
    const grid = new RowGrid(b, tile, problem.keyLeadShape, problem.keys);
    const { first, lead } = grid.enter(false);
    const stretch = wanted.dk
      ? Math.min(longestStretch, roundUp(problem.queries, tile.block))
      : roundUp(problem.queries, tile.block);
    const state: State = {
      first,
      own: (r) => grid.safeRow(first, r),
      k: rows.array(problem.key),
      v: wanted.dk ? rows.array(problem.value) : undefined,
      dk: wanted.dk ? rows.array(problem.key) : undefined,
      dv: wanted.dv ? rows.array(problem.value) : undefined,
      dots: rows.scores(),
      slopes: wanted.dk ? rows.scores() : undefined,
      deltas: wanted.dk ? b.array("shared", f32, stretch) : undefined,
      stretch,
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
      const start = b.uniform(() => b.div(problem.firstQuery(b, first), stretch));
      b.loop(start, b.int(Math.ceil(problem.queries / stretch)), 1, (part) => {
        const from = b.uniform(() => b.mul(part, stretch));
        if (state.deltas) b.phase(() => this.#deltas(state.deltas!, stretch, from));
        b.phase(() => this.#walk(state, from));
      });
    });
    enterHead(b.int(0));
    const results: Result[] = [];
    if (state.dk) results.push({ sum: state.dk, writer: site.dk, of: problem.key, factor: site.scale });
    if (state.dv) results.push({ sum: state.dv, writer: site.dv, of: problem.value, factor: 1 });
    b.phase(() => this.store(grid, first, results));
    const names = [...wanted.dk ? ["dk"] : [], ...wanted.dv ? ["dv"] : []];
    return this.finish(grid, `${label}: ${names.join(", ")}`);
  }

  /** Δ of queries from, from + 1, …; lanes take turns. */
  #deltas(shared: ArrayDecl, stretch: number, from: Instr): void {
    const { b, rows, problem, tile } = this;
    b.for(b.lane, b.int(stretch), tile.lanes, (n) => {
      const row = b.min(b.add(from, n), problem.queries - 1);
      b.set(shared, n, this.delta(row, (c) => rows.chunk(this.outGradient, row, c)));
    });
  }

  #walk(state: State, from: Instr): void {
    const { b, rows, problem, tile: { block } } = this;
    const { first, own, k, v, dk, dv, dots, slopes, deltas, stretch } = state;
    // Blocks of the stretch, counted from its start: from the first that sees a key of the workgroup to its last.
    const begin = b.div(b.binary("max", b.sub(problem.firstQuery(b, first), from), b.int(0)), block);
    const end = b.div(b.add(b.min(b.sub(b.int(problem.queries), from), stretch), block - 1), block);
    const products: Product[] = [{ own: k, other: problem.query, scores: dots }];
    if (v) products.push({ own: v, other: this.outGradient, scores: slopes! });
    const sums: Sum[] = [];
    if (dv) sums.push({ sum: dv, other: this.outGradient, weights: dots });
    if (dk) sums.push({ sum: dk, other: problem.query, weights: slopes! });
    b.for(begin, end, 1, (turn) => {
      const near = b.mul(turn, block);
      const query = b.add(from, near);
      const row = (s: Instr) => problem.safeQuery(b, b.add(query, s), block);
      rows.dots(products, row);
      const masked = this.weigh(
        dots,
        slopes,
        problem.i,
        (r, n) => [[problem.i, b.add(query, n)], [problem.j, own(b.int(r))]],
        (_, n, width) => ({
          lse: this.scalar(this.lse, b.add(query, n), width),
          ...deltas ? { delta: rows.vector(deltas, b.add(near, n), width) } : {},
        }),
      );
      this.accumulate(masked, dots, sums, row);
    });
  }
}
