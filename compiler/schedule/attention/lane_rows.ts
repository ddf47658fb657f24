/**
 * The loop nest that attention and both its gradients share. A lane owns a few rows of one matrix and meets the rows of
 * another, a block at a time:
 *
 *     keep         own rows, read once, live in lane arrays
 *     dots         scores[r, s] = Σ_e own[r, e] · other[s, e], for each own row r and each row s of the block
 *     accumulate   sum[r, :] += weight[r, s] · other[s, :]
 *
 * A row is handled in chunks of the head axis, vec4s where its size allows. Which loops are unrolled is the tile's
 * business: indices that are literals make registers of lane arrays, others make private memory of them.
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

/** Own rows and rows of the other matrix that are multiplied with each other. */
export interface Product {
  readonly own: Kept;
  readonly other: Matrix;
  /** rows × block numbers. */
  readonly scores: ArrayDecl;
}

/** The components of a vector made one; a scalar is itself. */
export function folded(b: IrBuilder, x: Instr, join: (p: Instr, q: Instr) => Instr): Instr {
  if (x.type.width === 1) return x;
  return join(join(b.component(x, 0), b.component(x, 1)), join(b.component(x, 2), b.component(x, 3)));
}

export class LaneRows {
  constructor(readonly b: IrBuilder, readonly ev: Evaluator, readonly tile: AttentionTile) {}

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

  scores(): ArrayDecl {
    const { rows, block, unrollAll } = this.tile;
    return this.b.array("lane", wide("f32", 1), rows * block, !unrollAll && block > 1);
  }

  scorePlace(r: Instr | number, s: Instr): Instr {
    const { b } = this;
    return b.add(b.mul(typeof r === "number" ? b.int(r) : r, this.tile.block), s);
  }

  /** Neighbors in an array of scalars, as a vector. */
  vector(array: ArrayDecl, place: number | Instr, width: 1 | 4): Instr {
    const { b } = this;
    const part = (n: number) => b.read(array, typeof place === "number" ? place + n : b.add(place, n));
    return width === 1 ? part(0) : b.construct([part(0), part(1), part(2), part(3)]);
  }

  setVector(array: ArrayDecl, place: number, value: Instr): void {
    const { b } = this;
    if (value.type.width === 1) return b.set(array, place, value);
    for (const n of [0, 1, 2, 3] as const) b.set(array, place + n, b.component(value, n));
  }

  components(x: Instr): readonly Instr[] {
    return x.type.width === 1 ? [x] : ([0, 1, 2, 3] as const).map((i) => this.b.component(x, i));
  }

  /** The device's own exponential, which may lose NaN: that is kept. */
  exp(x: Instr): Instr {
    return this.b.select(isNaNInstr(this.b, x), x, this.b.unary("exp", x));
  }

  /** The sum of a vector's components. */
  sum(x: Instr): Instr {
    return folded(this.b, x, (p, q) => this.b.add(p, q));
  }

  /** All scores of a block; `row` gives the index of the block's row s. */
  dots(products: readonly Product[], row: (s: Instr) => Instr): void {
    const { block, unrollAll, unrollHead } = this.tile;
    for (const product of products) {
      this.each(block, unrollAll, (s) => {
        if (product.other.size === 0) this.#emptyDots(product, s);
        else if (unrollHead) this.#unrolledDots(product, s, row(s));
        else this.#dotsByChunk(product, s, row(s));
      });
    }
  }

  #emptyDots({ scores }: Product, s: Instr): void {
    const zero = this.b.literal("f32", 0);
    for (let r = 0; r < this.tile.rows; r++) this.b.set(scores, this.scorePlace(r, s), zero);
  }

  #unrolledDots({ own, other, scores }: Product, s: Instr, at: Instr): void {
    const { b } = this;
    const ys = Array.from({ length: own.chunks }, (_, c) => this.chunk(other, at, b.int(c)));
    for (let r = 0; r < this.tile.rows; r++) {
      // Multiply, add, multiply, add: a product is used up before the next is made.
      let total: Instr | undefined;
      ys.forEach((y, c) => {
        const term = b.mul(b.read(own.array, r * own.chunks + c), y);
        total = total ? b.add(total, term) : term;
      });
      b.set(scores, this.scorePlace(r, s), this.sum(total!));
    }
  }

  #dotsByChunk({ own, other, scores }: Product, s: Instr, at: Instr): void {
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
    for (let r = 0; r < rows; r++) b.set(scores, this.scorePlace(r, s), this.sum(b.read(sums, r)));
  }

  /**
   * sum[r, :] = sum[r, :] · scale[r] + Σ_s weight[r, s] · other[s, :] over a block.
   *
   * A masked pair is left out, whatever stands in the other row: selected, never multiplied by 0.
   *
   * @param visible Per own row and row of the block; undefined: no pair is masked.
   * @param scale One factor per own row; left out: 1.
   */
  accumulate(
    sum: Kept,
    other: Matrix,
    weights: ArrayDecl,
    row: (s: Instr) => Instr,
    visible: readonly Instr[] | undefined,
    scale?: readonly Instr[],
  ): void {
    const { b } = this;
    const { rows, block, unrollAll } = this.tile;
    if (other.size === 0) return;
    const at = Array.from({ length: block }, (_, s) => row(b.int(s)));
    for (const index of at) this.#foresee(other, index);
    this.each(sum.chunks, unrollAll, (c) => {
      const ys = at.map((index) => this.chunk(other, index, c));
      for (let r = 0; r < rows; r++) {
        const place = this.place(sum, b.int(r), c);
        let total = b.read(sum.array, place);
        if (scale) total = b.mul(total, scale[r]!);
        ys.forEach((y, s) => {
          const more = b.add(total, b.mul(b.read(weights, r * block + s), y));
          total = visible ? b.select(visible[r * block + s]!, more, total) : more;
        });
        b.set(sum.array, place, total);
      }
    });
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
