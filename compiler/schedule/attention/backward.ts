/**
 * The gradient of attention, in two kernels (Dao et al. 2022): with g = ∂/∂O and the weights recomputed from the stored
 * log-sum-exp,
 *
 *     P[i, j]  = exp(s[i, j] − lse[i])
 *     Δ[i]     = Σ_f g[i, f] · O[i, f]
 *     dS[i, j] = P[i, j] · (Σ_f g[i, f] · v[j, f] − Δ[i])
 *     dv[j]    = Σ_i P[i, j] · g[i]        dk[j] = scale · Σ_i dS[i, j] · q[i]        dq[i] = scale · Σ_j dS[i, j] · k[j]
 *
 * One kernel owns keys and walks over queries, for dk and dv; the other owns queries and walks over keys, for dq. Each sum
 * so has one owner and one order, at the price of computing P twice. This file is what they have in common.
 */

import { IrBuilder } from "../../kernel/build.ts";
import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { Evaluator } from "../../kernel/lower.ts";
import type { Writer } from "../../kernel/program_op.ts";
import type { ScheduledKernel } from "../../kernel/scheduled.ts";
import type { Reader, Value, Values } from "../../kernel/value.ts";
import type { RowGrid } from "./grid.ts";
import { folded, type Kept, LaneRows } from "./lane_rows.ts";
import {
  type AttentionInputs,
  AttentionProblem,
  bindings,
  evaluate,
  type Matrix,
  type QueryScalar,
} from "./problem.ts";
import { RowStore } from "./store.ts";
import type { AttentionTile } from "./tile.ts";

export interface AttentionBackward extends AttentionInputs {
  /** O as forward gave it, [..., T, Dv]; or Δ itself, [..., T], where it is known. */
  readonly out: Reader;
  readonly lse: Reader;
  /** The cotangent of O. */
  readonly outGradient: Reader;
  readonly dq: Writer;
  readonly dk: Writer;
  readonly dv: Writer;
}

export interface BuiltBackward extends ScheduledKernel {
  readonly statements: number;
}

export class BackwardKernel {
  readonly b: IrBuilder;
  readonly ev: Evaluator;
  readonly rows: LaneRows;
  readonly problem: AttentionProblem;
  readonly outGradient: Matrix;
  readonly out: Matrix | QueryScalar;
  readonly lse: QueryScalar;

  constructor(
    k: Values,
    readonly site: AttentionBackward,
    readonly tile: AttentionTile,
    queryBlock: number,
    keyBlock: number,
  ) {
    this.b = new IrBuilder(tile.lanes);
    this.ev = new Evaluator(k, this.b);
    this.rows = new LaneRows(this.b, this.ev, tile);
    const problem = new AttentionProblem(k, site, queryBlock, keyBlock);
    this.problem = problem;
    this.outGradient = problem.matrix(site.outGradient, problem.lead);
    this.out = site.out.shape.length < site.q.shape.length
      ? problem.scalars(site.out)
      : problem.matrix(site.out, problem.lead);
    this.lse = problem.scalars(site.lse);
  }

  /** A query's number; at width 4 those of four queries. */
  scalar(of: QueryScalar, query: Instr, width: 1 | 4 = 1): Instr {
    const { ev, problem: { i } } = this;
    return ev.with(bindings([i, query]), () => evaluate(ev, of.value, width, i));
  }

  /** Δ of a query; `g` gives the chunks of its cotangent. */
  delta(row: Instr, g: (c: Instr) => Instr): Instr {
    const { b, rows, out } = this;
    return "row" in out
      ? rows.sumOver(out, (c) => b.mul(g(c), rows.chunk(out, row, c)))
      : this.scalar(out, row);
  }

  /**
   * Makes weights of the dot products of a block: P in place of q·k, −1 where the pair is masked, and dS in place of g·v
   * where that is wanted.
   *
   * @param at Per own row: what the variables of a pair are bound to, for a vector that starts at the block's row n.
   * @param scalars Per own row and vector: lse and Δ.
   * @returns Whether any pair is masked; undefined: none can be.
   */
  weigh(
    dots: ArrayDecl,
    slopes: ArrayDecl | undefined,
    along: Value,
    at: (r: number, n: number) => readonly (readonly [Value, Instr])[],
    scalars: (r: number, n: number, width: 1 | 4) => { readonly lse: Instr; readonly delta?: Instr },
  ): Instr | undefined {
    const { b, ev, rows, tile, problem } = this;
    const width = tile.block % 4 === 0 ? 4 : 1;
    let visible: Instr | undefined;
    for (let r = 0; r < tile.rows; r++) {
      for (let n = 0; n < tile.block; n += width) {
        const place = r * tile.block + n;
        const pair = bindings(...at(r, n), [problem.dot, rows.vector(dots, place, width)] as const);
        const s = ev.with(pair, () => evaluate(ev, problem.score, width, along));
        const { lse, delta } = scalars(r, n, width);
        const weight = b.unary("exp", b.binary("sub", s, lse));
        if (slopes) {
          const slope = b.binary("sub", rows.vector(slopes, place, width), delta!);
          rows.setVector(slopes, place, b.binary("mul", weight, slope));
        }
        if (!problem.masks) {
          rows.setVector(dots, place, weight);
          continue;
        }
        const seen = b.binary("ne", s, b.literal("f32", -Infinity));
        visible = visible ? b.and(visible, seen) : seen;
        rows.setVector(dots, place, b.select(seen, weight, b.literal("f32", -1)));
      }
    }
    return visible && b.unary("not", folded(b, visible, (x, y) => b.and(x, y)));
  }

  /** Adds a block to sums, pair by pair where `masked` holds. */
  accumulate(
    masked: Instr | undefined,
    marks: ArrayDecl,
    sums: readonly Sum[],
    row: (s: Instr) => Instr,
  ): void {
    const { b, rows, tile } = this;
    const plainly = () => {
      for (const { sum, other, weights } of sums) rows.accumulate(sum, other, weights, row);
    };
    const bySelection = () => {
      for (const { sum, other, weights } of sums) rows.accumulateUnmasked(sum, other, weights, marks, row);
    };
    if (!masked) plainly();
    else if (tile.block === 1) bySelection();
    else b.if(masked, bySelection, plainly);
  }

  /** Stores own rows of sums, times a factor. */
  store(grid: RowGrid, first: Instr, results: readonly Result[]): void {
    const { b, ev, rows, tile } = this;
    rows.each(tile.rows, tile.rows === 1, (r) => {
      const row = grid.row(first, r);
      grid.guarded(row, () => {
        for (const { sum, writer, of, factor } of results) {
          if (of.size === 0) continue;
          const store = new RowStore(b, ev, writer, of.lead, of.row, of.along);
          rows.each(sum.chunks, tile.unrollFill, (c) => {
            const value = b.read(sum.array, rows.place(sum, r, c));
            store.store(
              row,
              b.mul(c, sum.width),
              factor === 1 ? value : b.mul(value, b.literal("f32", factor)),
            );
          });
        }
      });
    });
  }

  finish(grid: RowGrid, label: string): BuiltBackward {
    const { b } = this;
    return {
      ...b.finish(grid.groups),
      groups: grid.groups,
      label,
      split: false,
      scratch: [],
      schedule: "attention",
      statements: b.statements,
    };
  }
}

/** sum += Σ weight · other. */
export interface Sum {
  readonly sum: Kept;
  readonly other: Matrix;
  readonly weights: ArrayDecl;
}

export interface Result {
  readonly sum: Kept;
  readonly writer: Writer;
  /** The matrix it is the gradient of. */
  readonly of: Matrix;
  readonly factor: number;
}
