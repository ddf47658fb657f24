/**
 * Attention forward, in one kernel (SCHEDULES §7).
 *
 * A lane owns a few queries, walks over the keys in blocks, and keeps for each query a running maximum m, a sum
 * l = Σ exp(s − m) and a row of sums o = Σ exp(s − m)·v. Where a block raises the maximum, l and o are scaled down first
 * (Milakov and Gimelshein 2018; Dao et al. 2022). At the end O = o / l and lse = m + log l. Nothing has T·S elements.
 *
 *     for each block of keys that may be visible to the workgroup
 *       scores     s = q·k, for each of the lane's queries and each key of the block, and their maximum
 *       merge      m, l; weights exp(s − m); the factor by which o shrinks
 *       accumulate o = o · factor + weights · v, without the masked pairs
 *
 * With fewer queries than lanes, `across` lanes share a query and take turns with the blocks; their states are combined
 * at the end.
 *
 * −∞ − −∞ must not come up: a maximum of −∞ counts as 0 in differences. So a masked score has weight exp(−∞) = 0, and NaN
 * still reaches l and o, whatever the device's `max` makes of it.
 */

import { IrBuilder } from "../../kernel/build.ts";
import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { f32 } from "../../kernel/ir.ts";
import { Evaluator } from "../../kernel/lower.ts";
import { isNaNInstr } from "../../kernel/reducers.ts";
import type { Writer } from "../../kernel/program_op.ts";
import type { ScheduledKernel } from "../../kernel/scheduled.ts";
import type { Values } from "../../kernel/value.ts";
import { RowGrid } from "./grid.ts";
import { BlockWalk } from "./block_walk.ts";
import type { Kept } from "./lane_rows.ts";
import { type AttentionInputs, AttentionProblem, bindings, evaluate } from "./problem.ts";
import { RowStore } from "./store.ts";
import type { AttentionTile } from "./tile.ts";

export interface AttentionForward extends AttentionInputs {
  /** [..., T, Dv] */
  readonly out: Writer;
  /** [..., T] */
  readonly lse: Writer;
}

export class Forward {
  readonly b: IrBuilder;
  readonly ev: Evaluator;
  readonly rows: BlockWalk;
  readonly problem: AttentionProblem;
  readonly grid: RowGrid;
  /** Running maximum and sum per own row, and the row of sums. */
  readonly maximum: ArrayDecl;
  readonly total: ArrayDecl;
  readonly out: Kept;

  constructor(
    k: Values,
    readonly site: AttentionForward,
    readonly tile: AttentionTile,
    readonly label: string,
  ) {
    this.b = new IrBuilder(tile.lanes);
    this.ev = new Evaluator(k, this.b);
    this.rows = new BlockWalk(this.b, this.ev, tile);
    this.problem = new AttentionProblem(k, site, this.rows.span, tile.block * tile.across);
    this.grid = new RowGrid(this.b, tile, this.problem.leadShape, this.problem.queries);
    this.maximum = this.rows.perRow();
    this.total = this.rows.perRow();
    this.out = this.rows.array(this.problem.value);
  }

  kernel(): ScheduledKernel {
    const { b, problem, grid, rows, tile, out } = this;
    const { first, lead } = grid.enter(this.site.causal);
    problem.enter(this.ev, lead);
    b.phase(() => {
      const q = rows.array(problem.query);
      rows.load(q, problem.query, (r) => grid.safeRow(first, r));
      const scores = rows.pairs();
      rows.walk(problem.masks, [out], (by) => this.#walk(by, q, scores, first));
    });
    if (tile.across > 1) this.#combine();
    b.phase(() => this.#store(first));
    const built = b.finish(grid.groups);
    return {
      ...built,
      groups: grid.groups,
      label: this.label,
      split: false,
      scratch: [],
      schedule: "attention",
    };
  }

  #walk(rows: BlockWalk, q: Kept, scores: ArrayDecl, first: Instr): void {
    const { b, problem, grid, tile, out } = this;
    const step = tile.block * tile.across;
    rows.clear(out);
    rows.eachVector((vector) => {
      b.set(this.maximum, vector, b.widen(b.literal("f32", -Infinity), rows.span));
      b.set(this.total, vector, b.widen(b.literal("f32", 0), rows.span));
    });
    const tops = rows.perRow();
    b.for(b.int(0), problem.keyBlocks(b, b.add(first, grid.rowsPerGroup), step), 1, (turn) => {
      const key = this.#firstKey(turn);
      const row = (s: Instr) => problem.safeKey(b, b.add(key, s), step);
      rows.eachVector((vector) => b.set(tops, vector, b.read(this.maximum, vector)));
      rows.dots(q, problem.key, row, (s, vector, dots) => {
        const score = this.#score(dots, grid.vector(first, vector, rows.span), b.add(key, s));
        b.set(scores, rows.pair(s, vector), score);
        b.set(tops, vector, b.binary("max", b.read(tops, vector), score));
      });
      const shrink = this.#merge(rows, scores, tops);
      rows.accumulate(out, problem.value, scores, scores, row, shrink);
    });
  }

  /** The first key of a lane's block: lanes that share queries take turns. */
  #firstKey(turn: Instr): Instr {
    const { b, tile } = this;
    if (tile.across === 1) return b.mul(turn, tile.block);
    return b.mul(b.add(b.mul(turn, tile.across), b.rem(b.lane, tile.across)), tile.block);
  }

  /** The finished scores of neighboring queries and a key, from their dot products. */
  #score(dots: Instr, query: Instr, key: Instr): Instr {
    const { ev, problem } = this;
    const at = bindings([problem.i, query], [problem.j, key], [problem.dot, dots]);
    return ev.with(at, () => evaluate(ev, problem.score, dots.type.width, problem.i));
  }

  /**
   * Takes a block's scores into m and l, and leaves weights in their place.
   *
   * @param tops The new maxima.
   * @returns The factor for o per own row.
   */
  #merge(rows: BlockWalk, scores: ArrayDecl, tops: ArrayDecl): readonly Instr[] {
    const { b, problem, tile } = this;
    const merged = rows.eachVector((vector) => {
      const top = b.read(tops, vector);
      const offset = this.#finite(top);
      const shrink = b.unary("exp", b.sub(b.read(this.maximum, vector), offset));
      b.set(this.maximum, vector, top);
      b.set(this.total, vector, b.mul(b.read(this.total, vector), shrink));
      return { offset, shrink };
    });
    rows.each(tile.block, tile.unrollAll, (s) => {
      merged.forEach(({ offset }, vector) => {
        const place = rows.pair(s, vector);
        const weight = rows.weight(b.read(scores, place), offset, problem.masks);
        b.set(scores, place, weight);
        b.set(this.total, vector, b.add(b.read(this.total, vector), weight));
      });
    });
    return merged.map(({ shrink }) => shrink);
  }

  /** A maximum to take differences from. */
  #finite(top: Instr): Instr {
    const { b } = this;
    return b.select(b.binary("eq", top, b.literal("f32", -Infinity)), b.literal("f32", 0), top);
  }

  /** Lanes that share queries put their states together: all to the common maximum, then sums. */
  #combine(): void {
    const { b, rows, tile, out } = this;
    const common = rows.perRow();
    b.phase(() => {
      rows.eachVector((vector) => b.set(common, vector, b.read(this.maximum, vector)));
    });
    b.combine("maxFast", [common], tile.across);
    b.phase(() => {
      const factors = rows.eachVector((vector) => {
        const top = b.read(common, vector);
        const factor = b.unary("exp", b.sub(b.read(this.maximum, vector), this.#finite(top)));
        b.set(this.maximum, vector, top);
        b.set(this.total, vector, b.mul(b.read(this.total, vector), factor));
        return factor;
      });
      for (let r = 0; r < tile.rows; r++) {
        rows.each(out.chunks, tile.unrollAll, (c) => {
          const place = rows.place(out, b.int(r), c);
          b.set(out.array, place, b.mul(b.read(out.array, place), rows.ofRow(factors, r)));
        });
      }
    });
    b.combine("sum", [this.total], tile.across);
    b.combine("sum", [out.array], tile.across);
  }

  #store(first: Instr): void {
    const { b, ev, problem, grid, rows, tile, out, site } = this;
    const i = problem.query.row;
    const outStore = new RowStore(b, ev, site.out, problem.lead, i, problem.value.along);
    const lseStore = new RowStore(b, ev, site.lse, problem.lead, i);
    const dynamic = tile.rows > 1;
    const [scales, lses] = [
      b.array("lane", f32, tile.rows, dynamic),
      b.array("lane", f32, tile.rows, dynamic),
    ];
    rows.eachVector((vector) => {
      const { scale, lse } = this.#finished(vector);
      rows.scatter(scales, vector, scale);
      rows.scatter(lses, vector, lse);
    });
    rows.each(tile.rows, tile.rows === 1, (r) => {
      const row = grid.row(first, r);
      grid.guarded(row, () => {
        lseStore.store(row, b.int(0), b.read(lses, r));
        if (problem.value.size === 0) return;
        const scale = b.read(scales, r);
        rows.each(out.chunks, tile.unrollAll, (c) => {
          const value = b.mul(b.read(out.array, rows.place(out, r, c)), scale);
          outStore.store(row, b.mul(c, out.width), value);
        });
      });
    });
  }

  /** 1 / l and m + log l of own rows; 0 and −∞ where no key was seen. */
  #finished(vector: number): { readonly scale: Instr; readonly lse: Instr } {
    const { b } = this;
    const zero = b.literal("f32", 0);
    const l = b.read(this.total, vector);
    const nothing = b.binary("eq", l, zero);
    const scale = b.select(nothing, zero, b.binary("div", b.literal("f32", 1), l));
    // The device's own logarithm: l ≥ 1, where its error is absolute and small.
    const logarithm = b.select(isNaNInstr(b, l), l, b.unary("log", l));
    const lse = b.add(b.read(this.maximum, vector), logarithm);
    return { scale, lse: b.select(nothing, b.literal("f32", -Infinity), lse) };
  }
}
