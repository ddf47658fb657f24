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
import type { Reader, Value } from "../../kernel/value.ts";
import type { Values } from "../../kernel/values.ts";
import type { RowGrid } from "./grid.ts";
import { type Kept, LaneRows } from "./lane_rows.ts";
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
  /** Where the kernel for dq leaves Δ, [..., T]. */
  readonly delta?: Writer | undefined;
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
    this.outGradient = problem.ofQueries(site.outGradient);
    this.out = site.out.shape.length < site.q.shape.length
      ? problem.scalars(site.out)
      : problem.ofQueries(site.out);
    this.lse = problem.scalars(site.lse);
  }

  /** A query's number; at width 4 those of four queries. */
  scalar(of: QueryScalar, query: Instr, width: 1 | 4 = 1): Instr {
    const { ev, problem: { i } } = this;
    return ev.with(bindings([i, query]), () => evaluate(ev, of.value, width, i));
  }

  /** Δ of a query; `g` gives the chunks of its cotangent. */
  delta(query: Instr, g: (c: Instr) => Instr): Instr {
    const { b, rows, out } = this;
    return "row" in out
      ? rows.sumOver(out, (c) => b.mul(g(c), rows.chunk(out, query, c)))
      : this.scalar(out, query);
  }

  /**
   * Makes weights of the dot products of a block: P in place of q·k, and dS in place of g·v where that is wanted.
   *
   * @param at Per own row: what the variables of a pair are bound to, for a vector that starts at the block's row n.
   * @param scalars Per own row and vector: lse and Δ.
   * @returns Which pairs are visible, where some may be masked.
   */
  weigh(
    { dots, slopes, along, at, scalars }: {
      readonly dots: ArrayDecl;
      readonly slopes: ArrayDecl | undefined;
      readonly along: Value;
      readonly at: (r: number, n: number) => readonly (readonly [Value, Instr])[];
      readonly scalars: (
        r: number,
        n: number,
        width: 1 | 4,
      ) => { readonly lse: Instr; readonly delta?: Instr };
    },
  ): readonly Instr[] | undefined {
    const { b, ev, rows, tile, problem } = this;
    const width = tile.block % 4 === 0 ? 4 : 1;
    const visible: Instr[] = [];
    for (let r = 0; r < tile.rows; r++) {
      for (let n = 0; n < tile.block; n += width) {
        const place = r * tile.block + n;
        const pair = bindings(...at(r, n), [problem.dot, rows.vector(dots, place, width)] as const);
        const s = ev.with(pair, () => evaluate(ev, problem.score, width, along));
        const { lse, delta } = scalars(r, n, width);
        const weight = rows.exp(b.binary("sub", s, lse));
        rows.setVector(dots, place, weight);
        if (slopes) {
          const slope = b.binary("sub", rows.vector(slopes, place, width), delta!);
          rows.setVector(slopes, place, b.binary("mul", weight, slope));
        }
        if (problem.masks) {
          visible.push(...rows.components(b.unary("not", b.binary("eq", s, b.literal("f32", -Infinity)))));
        }
      }
    }
    return problem.masks ? visible : undefined;
  }

  /** Stores own rows of sums, times a factor; `also` what else belongs to row r. */
  store(
    grid: RowGrid,
    first: Instr,
    results: readonly Result[],
    also: (r: Instr, row: Instr) => void = () => {},
  ): void {
    const { b, ev, rows, tile } = this;
    rows.each(tile.rows, tile.rows === 1, (r) => {
      const row = grid.row(first, r);
      grid.guarded(row, () => {
        also(r, row);
        for (const { sum, writer, of, factor } of results) {
          if (of.size === 0) continue;
          const store = new RowStore(b, ev, writer, of.lead, of.row, of.along);
          rows.each(sum.chunks, tile.unrollAll, (c) => {
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

  finish(grid: RowGrid, label: string): ScheduledKernel {
    const { b } = this;
    return {
      ...b.finish(grid.groups),
      groups: grid.groups,
      label,
      split: false,
      scratch: [],
      schedule: "attention",
    };
  }
}

export interface Result {
  readonly sum: Kept;
  readonly writer: Writer;
  /** The matrix it is the gradient of. */
  readonly of: Matrix;
  readonly factor: number;
}
