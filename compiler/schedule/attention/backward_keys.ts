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
import type { Values } from "../../kernel/value.ts";
import { type AttentionBackward, BackwardKernel, type Result } from "./backward.ts";
import { RowGrid } from "./grid.ts";
import type { BlockWalk } from "./block_walk.ts";
import type { Kept } from "./lane_rows.ts";
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
  return new KeysKernel(k, site, tile, tile.block, tile.rows % 4 === 0 ? 4 : 1).kernel(results, label);
}

/** Rows in lane arrays and what is made of them; `v` and `slopes` serve dk only. */
interface State {
  readonly first: Instr;
  /** The first key of each vector of them. */
  readonly keys: readonly Instr[];
  readonly k: Kept;
  readonly v: Kept | undefined;
  readonly dk: Kept | undefined;
  readonly dv: Kept | undefined;
  readonly weights: ArrayDecl;
  readonly slopes: ArrayDecl | undefined;
  /** Δ of a block, where they are not in memory. */
  readonly deltas: ArrayDecl | undefined;
}

class KeysKernel extends BackwardKernel {
  kernel(wanted: KeyResults, label: string): ScheduledKernel {
    const { b, rows, problem, tile, site } = this;
    const grid = new RowGrid(b, tile, problem.keyLeadShape, problem.keys);
    const { first, lead } = grid.enter(false);
    const own = (r: Instr) => grid.safeRow(first, r);
    const state: Omit<State, "keys"> = {
      first,
      k: rows.array(problem.key),
      v: wanted.dk ? rows.array(problem.value) : undefined,
      dk: wanted.dk ? rows.array(problem.key) : undefined,
      dv: wanted.dv ? rows.array(problem.value) : undefined,
      weights: rows.pairs(),
      slopes: wanted.dk ? rows.pairs() : undefined,
      deltas: wanted.dk && "row" in this.out
        ? b.array("lane", f32, tile.block, !tile.unrollAll && tile.block > 1)
        : undefined,
    };
    b.phase(() => {
      this.#enterHead(lead, b.int(0));
      rows.load(state.k, problem.key, own);
      if (state.v) rows.load(state.v, problem.value, own);
      const keys = rows.eachVector((vector) => grid.vector(first, vector, rows.span));
      const sums = [state.dk, state.dv].filter((sum) => sum !== undefined);
      rows.walk(problem.masks, sums, (by) => {
        for (const sum of sums) by.clear(sum);
        by.each(problem.grouped, false, (head) => {
          this.#enterHead(lead, head);
          this.#walk(by, { ...state, keys });
        });
      });
    });
    const results: Result[] = [];
    if (state.dk) results.push({ sum: state.dk, writer: site.dk, of: problem.key, factor: site.scale });
    if (state.dv) results.push({ sum: state.dv, writer: site.dv, of: problem.value, factor: 1 });
    b.phase(() => {
      this.#enterHead(lead, b.int(0));
      this.store(grid, first, results);
    });
    const names = [...wanted.dk ? ["dk"] : [], ...wanted.dv ? ["dv"] : []];
    return this.finish(grid, `${label}: ${names.join(", ")}`);
  }

  #enterHead(lead: readonly Instr[], head: Instr): void {
    this.problem.enter(this.ev, this.problem.queryLead(this.b, lead, head));
  }

  /** Goes through the queries that see some key of the workgroup. */
  #walk(rows: BlockWalk, { first, keys, k, v, dk, dv, weights, slopes, deltas }: State): void {
    const { b, problem, tile: { block, unrollAll } } = this;
    const begin = b.div(problem.firstQuery(b, first), block);
    const end = b.int(Math.ceil(problem.queries / block));
    b.for(begin, end, 1, (turn) => {
      const query = b.mul(turn, block);
      const row = (s: Instr) => problem.safeQuery(b, b.add(query, s), block);
      if (deltas) {
        rows.each(block, unrollAll, (s) => {
          b.set(deltas, s, this.delta(row(s), (c) => rows.chunk(this.outGradient, row(s), c)));
        });
      }
      rows.dots(k, problem.query, row, (s, vector, dots) => {
        const lse = this.scalar(this.lse, b.add(query, s));
        const at = { query: b.add(query, s), key: keys[vector]! };
        b.set(weights, rows.pair(s, vector), this.weight(dots, at, problem.j, lse));
      });
      if (v) {
        rows.dots(v, this.outGradient, row, (s, vector, dots) => {
          const delta = deltas ? b.read(deltas, s) : this.scalar(this.out as QueryScalar, b.add(query, s));
          const weight = b.read(weights, rows.pair(s, vector));
          b.set(slopes!, rows.pair(s, vector), this.slope(dots, weight, delta));
        });
      }
      if (dv) rows.accumulate(dv, this.outGradient, weights, weights, row);
      if (dk) rows.accumulate(dk, problem.query, slopes!, weights, row);
    });
  }
}
