/**
 * What a lane of an attention kernel owns: a few rows of a matrix, and numbers that belong to them.
 *
 * A row is handled in chunks of the head axis, vec4s where its size allows. Numbers per row are vectors over own rows,
 * four where there are four. Which loops are unrolled is the tile's business: indices that are literals make registers
 * of lane arrays, others make private memory of them.
 */

import type { IrBuilder } from "../../kernel/build.ts";
import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { wide } from "../../kernel/ir.ts";
import type { Evaluator } from "../../kernel/lower.ts";
import { isNaNInstr } from "../../kernel/reducers.ts";
import { bindings, evaluate, type Matrix } from "./problem.ts";
import type { AttentionTile } from "./tile.ts";

/** Rows of a matrix in a lane array: row r, chunk c is element r · chunks + c. */
export interface Kept {
  readonly array: ArrayDecl;
  readonly chunks: number;
  readonly width: 1 | 4;
}

export const widthOf = (m: Pick<Matrix, "size">): 1 | 4 => m.size > 0 && m.size % 4 === 0 ? 4 : 1;

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

  // ---- numbers per row ---------------------------------------------------------------------------------------------------

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

  /** The sum of a vector's components. */
  sum(x: Instr): Instr {
    return folded(this.b, x, (p, q) => this.b.add(p, q));
  }
}
