/**
 * The loop nest that attention and both its gradients share. A lane owns a few rows of one matrix and meets the rows of
 * another, a block at a time:
 *
 *     keep         own rows, read once, live in lane arrays
 *     dots         Σ_e own[r, e] · other[s, e], for each own row r and each row s of the block
 *     accumulate   sum[r, :] += weight[r, s] · other[s, :]
 *
 * A row is handled in chunks of the head axis, vec4s where its size allows. Numbers per pair are kept as vectors over
 * own rows, four where there are four: nothing has then to be folded within a vector, and what is done to a pair is a
 * short loop over the block. Which loops are unrolled is the tile's business: indices that are literals make registers
 * of lane arrays, others make private memory of them.
 *
 * In `dots` an own row meets the whole of another row before the next own row does. The other order holds one sum per
 * own row across the chunks, and a driver that runs out of registers spills every one of them.
 */

import type { IrBuilder } from "../../kernel/build.ts";
import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { wide } from "../../kernel/ir.ts";
import type { Evaluator } from "../../kernel/lower.ts";
import { isNaNInstr } from "../../kernel/reducers.ts";
import { walk } from "../../kernel/value.ts";
import { bindings, evaluate, isVar, type Matrix } from "./problem.ts";
import type { AttentionTile } from "./tile.ts";

/** Rows of a matrix in a lane array: row r, chunk c is element r · chunks + c. */
export interface Kept {
  readonly array: ArrayDecl;
  readonly chunks: number;
  readonly width: 1 | 4;
}

export const widthOf = (m: Pick<Matrix, "size">): 1 | 4 => m.size > 0 && m.size % 4 === 0 ? 4 : 1;

/** What becomes of the dot products of a vector of own rows with row s of the block. */
export type Take = (s: Instr, vector: number, dots: Instr) => void;

/** The weight of a masked pair is −0: it adds nothing, and its sign tells it from one that is too small for f32. */
const maskedBits = 0x80000000;

/** The components of a vector made one; a scalar is itself. */
export function folded(b: IrBuilder, x: Instr, join: (p: Instr, q: Instr) => Instr): Instr {
  if (x.type.width === 1) return x;
  return join(join(b.component(x, 0), b.component(x, 1)), join(b.component(x, 2), b.component(x, 3)));
}

export class LaneRows {
  /**
   * @param careful `accumulate` leaves masked pairs out, whatever stands in the other row; else it multiplies by 0.
   */
  constructor(
    readonly b: IrBuilder,
    readonly ev: Evaluator,
    readonly tile: AttentionTile,
    readonly careful = false,
  ) {}

  /**
   * Runs a walk that adds to sums. Where pairs may be masked, leaving them out costs as much as the products do. So
   * it is done only where it matters: if a sum came out infinite or NaN, the lane walks again, carefully, by loops
   * that are short to compile. The walk must begin by clearing what it adds to.
   */
  walk(masks: boolean, sums: readonly Kept[], walk: (rows: LaneRows) => void): void {
    const { b, ev, tile } = this;
    if (!masks) return walk(this);
    if (tile.unrollAll) return walk(new LaneRows(b, ev, tile, true));
    walk(this);
    const again = new LaneRows(b, ev, { ...tile, unrollHead: false }, true);
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

  /** Runs `f` for 0 … count − 1, as a loop or one after the other. */
  each(count: number, unrolled: boolean, f: (i: Instr) => void): void {
    const { b } = this;
    if (unrolled || count === 1) { for (let i = 0; i < count; i++) f(b.int(i)); }
    else b.for(b.int(0), b.int(count), 1, f);
  }

  /** One chunk of a row. */
  chunk(m: Matrix, row: Instr, c: Instr): Instr {
    const width = widthOf(m);
    const at = bindings([m.row, row] as const, [m.along, this.b.mul(c, width)] as const);
    return this.ev.with(at, () => evaluate(this.ev, m.value, width, m.along));
  }

  /** The place of row r, chunk c. */
  place({ chunks }: Kept, r: Instr, c: Instr): Instr {
    return this.b.add(this.b.mul(r, chunks), c);
  }

  /** A lane array for own rows of a matrix, or for sums of their shape; not set yet. */
  array(m: Pick<Matrix, "size">): Kept {
    const width = widthOf(m);
    const chunks = Math.max(1, m.size / width);
    const { rows, unrollAll } = this.tile;
    return { array: this.b.array("lane", wide("f32", width), rows * chunks, !unrollAll), chunks, width };
  }

  /** Loads the lane's own rows; `row` gives the index of row r. */
  load(kept: Kept, m: Matrix, row: (r: Instr) => Instr): void {
    if (m.size > 0) this.#fill(kept, (r, c) => this.chunk(m, row(r), c));
  }

  clear(sums: Kept): void {
    this.#fill(sums, () => this.b.widen(this.b.literal("f32", 0), sums.width));
  }

  #fill(kept: Kept, value: (r: Instr, c: Instr) => Instr): void {
    const { rows, unrollAll } = this.tile;
    this.each(
      rows,
      unrollAll,
      (r) =>
        this.each(
          kept.chunks,
          unrollAll,
          (c) => this.b.set(kept.array, this.place(kept, r, c), value(r, c)),
        ),
    );
  }

  /** Σ over the chunks of a row, and over the components of each. */
  sumOver(m: Pick<Matrix, "size">, term: (c: Instr) => Instr): Instr {
    const { b } = this;
    const width = widthOf(m);
    const zero = b.widen(b.literal("f32", 0), width);
    if (m.size === 0) return this.sum(zero);
    const total = b.array("lane", wide("f32", width), 1);
    b.set(total, 0, zero);
    this.each(m.size / width, this.tile.unrollAll, (c) => b.set(total, 0, b.add(b.read(total, 0), term(c))));
    return this.sum(b.read(total, 0));
  }

  // ---- pairs ---------------------------------------------------------------------------------------------------

  /** Own rows per vector. */
  get span(): 1 | 4 {
    return this.tile.rows % 4 === 0 ? 4 : 1;
  }

  /** Vectors of own rows. */
  get vectors(): number {
    return this.tile.rows / this.span;
  }

  /** Runs `f` for each vector of own rows; always straight-line code. */
  eachVector<T>(f: (vector: number) => T): T[] {
    return Array.from({ length: this.vectors }, (_, vector) => f(vector));
  }

  /** A lane array with one number per own row, as vectors. */
  perRow(): ArrayDecl {
    return this.b.array("lane", wide("f32", this.span), this.vectors);
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

  /** The number of own row r in vectors of own rows. */
  ofRow(vectors: readonly Instr[], r: number): Instr {
    return this.b.component(vectors[Math.floor(r / this.span)]!, r % this.span as 0 | 1 | 2 | 3);
  }

  /** One number per own row out of an array of scalars, as a vector. */
  gathered(array: ArrayDecl, vector: number): Instr {
    const { b, span } = this;
    const part = (n: number) => b.read(array, vector * span + n);
    return span === 1 ? part(0) : b.construct([part(0), part(1), part(2), part(3)]);
  }

  /** The inverse of `gathered`. */
  scatter(array: ArrayDecl, vector: number, value: Instr): void {
    const { b, span } = this;
    for (let n = 0; n < span; n++) {
      b.set(array, vector * span + n, b.component(value, n as 0 | 1 | 2 | 3));
    }
  }

  /** The device's own exponential, which may lose NaN: that is kept. */
  exp(x: Instr): Instr {
    return this.b.select(isNaNInstr(this.b, x), x, this.b.unary("exp", x));
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

  /** The sum of a vector's components. */
  sum(x: Instr): Instr {
    return folded(this.b, x, (p, q) => this.b.add(p, q));
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
