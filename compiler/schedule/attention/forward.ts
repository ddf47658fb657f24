/**
 * Attention forward, in one kernel (SCHEDULES §7).
 *
 * A lane owns a few queries, walks over the keys in blocks, and keeps for each query a running maximum m, a sum
 * l = Σ exp(s − m) and a row of sums o = Σ exp(s − m)·v. Where a block raises the maximum, l and o are scaled down first
 * (Milakov and Gimelshein 2018; Dao et al. 2022). At the end O = o / l and lse = m + log l. Nothing has T·S elements.
 *
 *     for each block of keys that may be visible to the workgroup
 *       scores     s = q·k, for each of the lane's queries and each key of the block
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
import type { Values } from "../../kernel/values.ts";
import { RowGrid } from "./grid.ts";
import { folded, type Kept, LaneRows } from "./lane_rows.ts";
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
  readonly rows: LaneRows;
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
    this.rows = new LaneRows(this.b, this.ev, tile);
    this.problem = new AttentionProblem(k, site, 1, tile.block * tile.across);
    this.grid = new RowGrid(this.b, tile, this.problem.leadShape, this.problem.queries);
    this.maximum = this.b.array("lane", f32, tile.rows, tile.rows > 1);
    this.total = this.b.array("lane", f32, tile.rows, tile.rows > 1);
    this.out = this.rows.array(this.problem.value);
  }

  kernel(): ScheduledKernel {
    const { b, problem, grid, rows, tile, out } = this;
    const { first, lead } = grid.enter(this.site.causal);
    problem.enter(this.ev, lead);
    const step = tile.block * tile.across;
    b.phase(() => {
      const q = rows.array(problem.query);
      rows.load(q, problem.query, (r) => grid.safeRow(first, r));
      rows.clear(out);
      for (let r = 0; r < tile.rows; r++) {
        b.set(this.maximum, r, b.literal("f32", -Infinity));
        b.set(this.total, r, b.literal("f32", 0));
      }
      const scores = rows.scores();
      b.for(b.int(0), problem.keyBlocks(b, b.add(first, grid.rowsPerGroup), step), 1, (turn) => {
        const key = this.#firstKey(turn);
        const row = (s: Instr) => b.add(key, s);
        rows.dots([{ own: q, other: problem.key, scores }], row);
        const { shrink, visible } = this.#merge(scores, key, first);
        rows.accumulate(out, problem.value, scores, row, visible, shrink);
      });
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

  /** The first key of a lane's block: lanes that share queries take turns. */
  #firstKey(turn: Instr): Instr {
    const { b, tile } = this;
    if (tile.across === 1) return b.mul(turn, tile.block);
    return b.mul(b.add(b.mul(turn, tile.across), b.rem(b.lane, tile.across)), tile.block);
  }

  /**
   * Takes a block's scores into m and l, and leaves weights in their place.
   *
   * @returns The factor for o per own row, and which pairs are visible where some may be masked.
   */
  #merge(
    scores: ArrayDecl,
    key: Instr,
    first: Instr,
  ): { readonly shrink: readonly Instr[]; readonly visible: readonly Instr[] | undefined } {
    const { b, problem, tile } = this;
    const width = tile.block % 4 === 0 ? 4 : 1;
    const lowest = b.literal("f32", -Infinity);
    const zero = b.literal("f32", 0);
    const shrink: Instr[] = [];
    const visible: Instr[] = [];
    for (let r = 0; r < tile.rows; r++) {
      const vectors = this.#scoresOf(scores, r, key, first, width);
      const top = b.binary("max", b.read(this.maximum, r), this.#largest(vectors));
      const offset = b.select(b.binary("eq", top, lowest), zero, top);
      const factor = b.unary("exp", b.sub(b.read(this.maximum, r), offset));
      shrink.push(factor);
      let sum: Instr | undefined;
      vectors.forEach((s, t) => {
        const weight = this.rows.exp(b.binary("sub", s, offset));
        const seen = problem.masks ? b.unary("not", b.binary("eq", s, lowest)) : undefined;
        const counted = seen ? b.select(seen, weight, zero) : weight;
        if (seen) visible.push(...this.rows.components(seen));
        sum = sum ? b.add(sum, counted) : counted;
        this.rows.setVector(scores, r * tile.block + t * width, counted);
      });
      b.set(this.maximum, r, top);
      b.set(this.total, r, b.add(b.mul(b.read(this.total, r), factor), this.rows.sum(sum!)));
    }
    return { shrink, visible: problem.masks ? visible : undefined };
  }

  /** The finished scores of one own row, from its dot products. */
  #scoresOf(scores: ArrayDecl, r: number, key: Instr, first: Instr, width: 1 | 4): Instr[] {
    const { b, ev, problem, tile } = this;
    const row = this.grid.safeRow(first, b.int(r));
    return Array.from({ length: tile.block / width }, (_, t) => {
      const place = r * tile.block + t * width;
      const dot = this.rows.vector(scores, place, width);
      const at = bindings([problem.i, row], [problem.j, b.add(key, t * width)], [problem.dot, dot]);
      return ev.with(at, () => evaluate(ev, problem.score, width, problem.j));
    });
  }

  #largest(vectors: readonly Instr[]): Instr {
    const { b } = this;
    const top = vectors.reduce((x, y) => b.binary("max", x, y));
    return folded(b, top, (x, y) => b.binary("max", x, y));
  }

  /** Lanes that share queries put their states together: all to the common maximum, then sums. */
  #combine(): void {
    const { b, rows, tile, out } = this;
    const zero = b.literal("f32", 0);
    const common = b.array("lane", f32, tile.rows);
    b.phase(() => {
      for (let r = 0; r < tile.rows; r++) b.set(common, r, b.read(this.maximum, r));
    });
    b.combine("maxFast", [common], tile.across);
    b.phase(() => {
      for (let r = 0; r < tile.rows; r++) {
        const top = b.read(common, r);
        const offset = b.select(b.binary("eq", top, b.literal("f32", -Infinity)), zero, top);
        const factor = b.unary("exp", b.sub(b.read(this.maximum, r), offset));
        b.set(this.maximum, r, top);
        b.set(this.total, r, b.mul(b.read(this.total, r), factor));
        rows.each(out.chunks, tile.unrollAll, (c) => {
          const place = rows.place(out, b.int(r), c);
          b.set(out.array, place, b.mul(b.read(out.array, place), factor));
        });
      }
    });
    b.combine("sum", [this.total], tile.across);
    b.combine("sum", [out.array], tile.across);
  }

  #store(first: Instr): void {
    const { b, ev, problem, grid, rows, tile, out, site } = this;
    const zero = b.literal("f32", 0);
    const i = problem.query.row;
    const outStore = new RowStore(b, ev, site.out, problem.lead, i, problem.value.along);
    const lseStore = new RowStore(b, ev, site.lse, problem.lead, i);
    rows.each(tile.rows, tile.rows === 1, (r) => {
      const row = grid.row(first, r);
      const write = () => {
        const l = b.read(this.total, r);
        const nothing = b.binary("eq", l, zero);
        const scale = b.select(nothing, zero, b.div(b.literal("f32", 1), l));
        // The device's own logarithm: l ≥ 1, where its error is absolute and small.
        const logarithm = b.select(isNaNInstr(b, l), l, b.unary("log", l));
        const lse = b.add(b.read(this.maximum, r), logarithm);
        lseStore.store(row, b.int(0), b.select(nothing, b.literal("f32", -Infinity), lse));
        if (problem.value.size === 0) return;
        rows.each(out.chunks, tile.unrollAll, (c) => {
          const value = b.mul(b.read(out.array, rows.place(out, r, c)), scale);
          outStore.store(row, b.mul(c, out.width), value);
        });
      };
      grid.guarded(row, write);
    });
  }
}
