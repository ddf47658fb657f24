/**
 * The loop nest that attention and both its gradients share. A lane owns a few rows of one matrix and meets the rows of
 * another, a block at a time:
 *
 *     keep         own rows, read once, live in lane arrays
 *     dots         Σ_e own[r, e] · other[s, e], for each own row r and each row s of the block
 *     accumulate   sum[r, :] += weight[r, s] · other[s, :]
 *
 * Numbers per pair are kept as vectors over own rows: nothing has then to be folded within a vector, and what is done to
 * a pair is a short loop over the block.
 *
 * In `dots` an own row meets the whole of another row before the next own row does. The other order holds one sum per
 * own row across the chunks, and a driver that runs out of registers spills every one of them.
 */

import type { IrBuilder } from "../../kernel/build.ts";
import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { wide } from "../../kernel/ir.ts";
import type { Evaluator } from "../../kernel/lower.ts";
import { walk } from "../../kernel/value.ts";
import { folded, type Kept, LaneRows } from "./lane_rows.ts";
import { bindings, isVar, type Matrix } from "./problem.ts";
import type { AttentionTile } from "./tile.ts";

/** What becomes of the dot products of a vector of own rows with row s of the block. */
export type Take = (s: Instr, vector: number, dots: Instr) => void;

/** The weight of a masked pair is −0: it adds nothing, and its sign tells it from one that is too small for f32. */
const maskedBits = 0x80000000;

export class BlockWalk extends LaneRows {
  /**
   * @param careful `accumulate` leaves masked pairs out, whatever stands in the other row; else it multiplies by 0.
   */
  constructor(b: IrBuilder, ev: Evaluator, tile: AttentionTile, readonly careful = false) {
    super(b, ev, tile);
  }

  /**
   * Runs a walk that adds to sums. Where pairs may be masked, leaving them out costs as much as the products do. So
   * it is done only where it matters: if a sum came out infinite or NaN, the lane walks again, carefully, by loops
   * that are short to compile. The walk must begin by clearing what it adds to.
   */
  walk(masks: boolean, sums: readonly Kept[], walk: (rows: BlockWalk) => void): void {
    const { b, ev, tile } = this;
    if (!masks) return walk(this);
    if (tile.unrollAll) return walk(new BlockWalk(b, ev, tile, true));
    walk(this);
    const again = new BlockWalk(b, ev, { ...tile, unrollHead: false }, true);
    b.for(b.int(0), this.#overflows(sums), 1, () => walk(again));
  }

  /** 1 where a sum is infinite or NaN, else 0. */
  #overflows(sums: readonly Kept[]): Instr {
    const { b } = this;
    const worst = b.array("lane", wide("u32", 1), 1);
    b.set(worst, 0, b.literal("u32", 0));
    for (const { array } of sums) {
      this.each(array.length, false, (place) => {
        const magnitude = b.binary(
          "and",
          b.bitcast("u32", b.read(array, place)),
          b.literal("u32", 0x7fffffff),
        );
        b.set(
          worst,
          0,
          b.binary("max", b.read(worst, 0), folded(b, magnitude, (x, y) => b.binary("max", x, y))),
        );
      });
    }
    return b.select(b.binary("lt", b.read(worst, 0), b.literal("u32", 0x7f800000)), b.int(0), b.int(1));
  }

  /** A lane array with one number per pair of a block. */
  pairs(): ArrayDecl {
    const { block, unrollAll } = this.tile;
    const dynamic = !unrollAll && block > 1;
    return this.b.array("lane", wide("f32", this.span), block * this.vectors, dynamic);
  }

  /** The place of a vector of pairs. */
  pair(s: Instr, vector: number): Instr {
    return this.b.add(this.b.mul(s, this.vectors), vector);
  }

  /** exp(score − offset); −0 for a masked pair, where pairs may be masked. */
  weight(score: Instr, offset: Instr, masks: boolean): Instr {
    const { b } = this;
    const weight = this.exp(b.binary("sub", score, offset));
    if (!masks) return weight;
    return b.select(b.binary("eq", score, b.literal("f32", -Infinity)), b.literal("f32", -0), weight);
  }

  isMasked(weight: Instr): Instr {
    return this.b.binary("eq", this.b.bitcast("u32", weight), this.b.literal("u32", maskedBits));
  }

  /** The dot products of a block, one row of it after the other; `row` gives the index of its row s. */
  dots(own: Kept, other: Matrix, row: (s: Instr) => Instr, take: Take): void {
    const { b, span } = this;
    const { block, rows, unrollAll, unrollHead } = this.tile;
    const zero = b.literal("f32", 0);
    this.each(block, unrollAll, (s) => {
      const dots = other.size === 0
        ? Array.from({ length: rows }, () => zero)
        : unrollHead
        ? this.#unrolledDots(own, other, row(s))
        : this.#dotsByChunk(own, other, row(s));
      this.eachVector((vector) => {
        const [x, y, z, w] = dots.slice(vector * span);
        take(s, vector, span === 1 ? x! : b.construct([x!, y!, z!, w!]));
      });
    });
  }

  #unrolledDots(own: Kept, other: Matrix, at: Instr): Instr[] {
    const { b } = this;
    const ys = Array.from({ length: own.chunks }, (_, c) => this.chunk(other, at, b.int(c)));
    return Array.from({ length: this.tile.rows }, (_, r) => {
      // Multiply, add, multiply, add: a product is used up before the next is made.
      let total: Instr | undefined;
      ys.forEach((y, c) => {
        const term = b.mul(b.read(own.array, r * own.chunks + c), y);
        total = total ? b.add(total, term) : term;
      });
      return this.sum(total!);
    });
  }

  #dotsByChunk(own: Kept, other: Matrix, at: Instr): Instr[] {
    const { b } = this;
    const { rows } = this.tile;
    const sums = b.array("lane", wide("f32", own.width), rows);
    const zero = b.widen(b.literal("f32", 0), own.width);
    for (let r = 0; r < rows; r++) b.set(sums, r, zero);
    this.#foresee(other, at);
    this.each(own.chunks, false, (c) => {
      const y = this.chunk(other, at, c);
      for (let r = 0; r < rows; r++) {
        const x = b.read(own.array, this.place(own, b.int(r), c));
        b.set(sums, r, b.add(b.read(sums, r), b.mul(x, y)));
      }
    });
    return Array.from({ length: rows }, (_, r) => this.sum(b.read(sums, r)));
  }

  /**
   * sum[r, :] = sum[r, :] · scale[r] + Σ_s weight[r, s] · other[s, :] over a block.
   *
   * @param weights Per pair; a masked pair's is a zero.
   * @param flags The weights that tell which pairs are masked.
   * @param row Gives the index of the block's row s.
   * @param scale One factor per own row, as vectors; left out: 1.
   */
  accumulate(
    sum: Kept,
    other: Matrix,
    weights: ArrayDecl,
    flags: ArrayDecl,
    row: (s: Instr) => Instr,
    scale?: readonly Instr[],
  ): void {
    if (other.size === 0) return;
    if (this.careful) return this.#accumulateSeen(sum, other, weights, flags, row, scale);
    const { b } = this;
    const { rows, block, unrollAll } = this.tile;
    const at = Array.from({ length: block }, (_, s) => row(b.int(s)));
    for (const index of at) this.#foresee(other, index);
    this.each(sum.chunks, unrollAll, (c) => {
      const ys = at.map((index) => this.chunk(other, index, c));
      for (let r = 0; r < rows; r++) {
        const place = this.place(sum, b.int(r), c);
        let total = b.read(sum.array, place);
        if (scale) total = b.mul(total, this.ofRow(scale, r));
        ys.forEach((y, s) => total = b.add(total, b.mul(this.#weightOf(weights, b.int(s), r), y)));
        b.set(sum.array, place, total);
      }
    });
  }

  #accumulateSeen(
    sum: Kept,
    other: Matrix,
    weights: ArrayDecl,
    flags: ArrayDecl,
    row: (s: Instr) => Instr,
    scale?: readonly Instr[],
  ): void {
    const { b } = this;
    const { rows, block, unrollAll } = this.tile;
    this.each(sum.chunks, unrollAll, (c) => {
      const place = (r: number) => this.place(sum, b.int(r), c);
      for (let r = 0; scale && r < rows; r++) {
        b.set(sum.array, place(r), b.mul(b.read(sum.array, place(r)), this.ofRow(scale, r)));
      }
      this.each(block, unrollAll, (s) => {
        const y = this.chunk(other, row(s), c);
        for (let r = 0; r < rows; r++) {
          const before = b.read(sum.array, place(r));
          const after = b.add(before, b.mul(this.#weightOf(weights, s, r), y));
          const masked = this.isMasked(this.#weightOf(flags, s, r));
          b.set(sum.array, place(r), b.select(masked, before, after));
        }
      });
    });
  }

  #weightOf(weights: ArrayDecl, s: Instr, r: number): Instr {
    const vector = Math.floor(r / this.span);
    return this.b.component(this.b.read(weights, this.pair(s, vector)), r % this.span as 0 | 1 | 2 | 3);
  }

  /**
   * Computes, where the cursor stands, what the places of a row's elements share: inside a loop over its chunks only an
   * addition is then left to do.
   */
  #foresee(m: Matrix, row: Instr): void {
    const { k } = this.ev;
    walk([m.value], (v) => {
      if (v.kind !== "load" || !isVar(m.along) || !v.index.free.has(m.along)) return;
      const start = k.substitute(v.index, new Map([[m.along, k.int(0)]]));
      this.ev.with(bindings([m.row, row]), () => this.ev.eval(start));
    });
  }
}
