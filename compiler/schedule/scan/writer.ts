/**
 * Writes the kernels of a scan. Where lanes share a row, each turn is a few phases:
 *
 *     fill     each lane reads its slot and folds it; its total goes to shared memory
 *     join     log₂(lanes) phases: each total takes in that of the lane 1, 2, 4, … before it (Hillis and Steele 1986)
 *     store    each lane adds what came before it, in the row and in this turn, and stores
 *
 * Where a lane has its row to itself a turn is fill and store, and all of it one phase.
 */

import { IrBuilder } from "../../kernel/build.ts";
import type { CombineOp, Instr } from "../../kernel/ir.ts";
import { Evaluator } from "../../kernel/lower.ts";
import { decode } from "../row/place.ts";
import type { Scan } from "./problem.ts";
import type { ScanShape } from "./shape.ts";
import { Slot } from "./slot.ts";
import { type Piece, type PieceArray, Pieces } from "./state.ts";
import type { ChunkTotals } from "./totals.ts";

interface Place {
  /** Row, or vector of rows; which of the lanes that share it; which chunk. */
  readonly row: Instr;
  readonly part: Instr;
  readonly chunk: Instr;
  readonly exists: Instr;
}

export class ScanWriter {
  readonly b: IrBuilder;
  readonly #ev: Evaluator;
  readonly #pieces: Pieces;
  readonly #slot: Slot;
  /** What came before the turn, the same for all lanes of a row. */
  readonly #carry: PieceArray;
  readonly #shared: readonly PieceArray[];

  constructor(readonly scan: Scan, readonly shape: ScanShape) {
    this.b = new IrBuilder(shape.lanes);
    this.#ev = new Evaluator(scan.values, this.b);
    this.#pieces = new Pieces(this.b, scan.prefix, shape.along === "columns" ? shape.width : 1);
    this.#slot = new Slot(this.b, this.#ev, scan, shape, this.#pieces);
    this.#carry = this.#pieces.array("lane", 1);
    this.#shared = shape.across > 1
      ? [this.#pieces.array("shared", shape.lanes), this.#pieces.array("shared", shape.lanes)]
      : [];
  }

  /** Scans rows, or chunks of rows: then `before` says what each chunk of a row comes to. */
  scanned(before?: ChunkTotals): void {
    const { b } = this;
    if (this.shape.across === 1) {
      this.#phase((place) => {
        this.#carry.set(0, this.#pieces.nothing);
        if (before) this.#fold(before, place, b.int(0), place.chunk, 1);
        this.#turns(place, (number) => {
          this.#slot.fill(number, b.literal("bool", 1));
          const carry = this.#carry.get(0);
          this.#slot.store(number, b.literal("bool", 1), carry);
          this.#carry.set(0, this.#pieces.join(carry, this.#slot.total));
        });
      });
      return;
    }
    this.#begin(before);
    this.#together((totals, base) =>
      this.#phase((place) => {
        const number = b.add(base, place.part);
        const carry = this.#carry.get(0);
        const first = b.binary("eq", place.part, b.int(0));
        const earlier = totals.get(b.binary("max", b.sub(b.lane, 1), b.int(0)));
        const own = this.#chosen(first, this.#pieces.nothing, earlier);
        this.#slot.store(number, this.#isSlot(number, place), this.#pieces.join(carry, own));
        this.#advance(totals, place, carry);
      })
    );
  }

  /** Writes what each chunk comes to. */
  totals(to: ChunkTotals): void {
    const { b, scan: { prefix } } = this;
    const save = (place: Place) =>
      b.if(
        b.and(place.exists, b.binary("eq", place.part, b.int(0))),
        () => to.set(this.#pieces, place.row, place.chunk, this.#carry.get(0)),
      );
    if (prefix.restart && this.shape.across > 1) {
      // The order matters: turn by turn.
      this.#begin(undefined);
      this.#together((totals) => this.#phase((place) => this.#advance(totals, place, this.#carry.get(0))));
      this.#phase(save);
      return;
    }
    this.#phase((place) => {
      this.#carry.set(0, this.#pieces.nothing);
      b.if(place.exists, () =>
        this.#turns(place, (number) => {
          this.#slot.fill(number, b.literal("bool", 1));
          this.#carry.set(0, this.#pieces.join(this.#carry.get(0), this.#slot.total));
        }));
      if (this.shape.across === 1) save(place);
    });
    if (this.shape.across === 1) return;
    b.combine(prefix.op satisfies CombineOp, [this.#carry.numbers], this.shape.across);
    this.#phase(save);
  }

  // ---- parts ----------------------------------------------------------------------------------------------------

  /** One phase, with the outer axes bound; lanes without a row do nothing where all is one phase. */
  #phase(body: (place: Place) => void): void {
    const { b, shape } = this;
    b.phase(() => {
      const place = this.#place();
      const width = shape.along === "columns" ? shape.width : 1;
      for (const [v, instr] of decode(b, this.scan.outer, place.row, width)) this.#ev.bind(v, instr);
      if (shape.across === 1) b.if(place.exists, () => body(place));
      else body(place);
    });
  }

  #place(): Place {
    const { b, shape: { lanes, across, places, chunks } } = this;
    const perGroup = lanes / across;
    const within = across === 1 ? b.lane : b.div(b.lane, across);
    const unit = perGroup === 1 ? b.group : b.add(b.mul(b.group, perGroup), within);
    // Rows first: adjacent lanes read adjacent columns.
    return {
      row: chunks === 1 ? unit : b.rem(unit, places),
      part: across === 1 ? b.int(0) : perGroup === 1 ? b.lane : b.rem(b.lane, across),
      chunk: chunks === 1 ? b.int(0) : b.div(unit, places),
      exists: places * chunks % perGroup === 0 ? b.literal("bool", 1) : b.lt(unit, places * chunks),
    };
  }

  /** First slot of a chunk, and the first behind it. */
  #range(chunk: Instr): readonly [Instr, Instr] {
    const { b, shape } = this;
    if (shape.chunks === 1) return [b.int(0), b.int(shape.slots)];
    const start = b.mul(chunk, shape.chunk);
    return [start, b.min(b.add(start, shape.chunk), shape.slots)];
  }

  /** A lane's own slots, one after the other, within a phase. */
  #turns(place: Place, visit: (number: Instr) => void): void {
    const { b, shape: { across } } = this;
    const [start, end] = this.#range(place.chunk);
    b.for(b.add(start, place.part), end, across, visit);
  }

  /** Turns of all lanes: fill and join, then what `finish` makes of the joined totals. */
  #together(finish: (totals: PieceArray, base: Instr) => void): void {
    const { b, shape: { across } } = this;
    const [start, end] = b.uniform(() =>
      // Where there are chunks, a workgroup has one.
      this.#range(this.shape.chunks === 1 ? b.int(0) : b.div(b.group, this.shape.places))
    );
    b.loop(start, end, across, (base) => {
      this.#phase((place) => {
        const number = b.add(base, place.part);
        this.#slot.fill(number, this.#isSlot(number, place));
        this.#shared[0]!.set(b.lane, this.#slot.total);
      });
      finish(this.#joined(), base);
    });
  }

  #isSlot(number: Instr, place: Place): Instr {
    const { b, shape: { slots, across } } = this;
    return slots % across === 0 ? place.exists : b.and(place.exists, b.lt(number, slots));
  }

  /** Each lane's total becomes that of all lanes of its row up to it. */
  #joined(): PieceArray {
    const { b, shape: { across } } = this;
    let [from, to] = [this.#shared[0]!, this.#shared[1]!];
    for (let distance = 1; distance < across; distance *= 2) {
      const [source, target] = [from, to];
      this.#phase(({ part }) => {
        const own = source.get(b.lane);
        const earlier = source.get(b.binary("max", b.sub(b.lane, distance), b.int(0)));
        target.set(b.lane, this.#chosen(b.lt(part, distance), own, this.#pieces.join(earlier, own)));
      });
      [from, to] = [to, from];
    }
    return from;
  }

  #chosen(condition: Instr, then: Piece, otherwise: Piece): Piece {
    const { b } = this;
    return {
      number: b.select(condition, then.number, otherwise.number),
      restarted: then.restarted && b.select(condition, then.restarted, otherwise.restarted!),
    };
  }

  /** Takes what all lanes of the row have found into what came before. */
  #advance(totals: PieceArray, { part }: Place, carry: Piece): void {
    const { b, shape: { across } } = this;
    const last = b.add(b.sub(b.lane, part), across - 1);
    this.#carry.set(0, this.#pieces.join(carry, totals.get(b.min(last, this.shape.lanes - 1))));
  }

  /** What came before the first turn, on every lane. */
  #begin(before: ChunkTotals | undefined): void {
    const { b, scan: { prefix }, shape: { across } } = this;
    const inOrder = prefix.restart !== undefined;
    this.#phase((place) => {
      this.#carry.set(0, this.#pieces.nothing);
      if (!before) return;
      this.#fold(before, place, inOrder ? b.int(0) : place.part, place.chunk, inOrder ? 1 : across);
    });
    if (before && !inOrder) b.combine(prefix.op satisfies CombineOp, [this.#carry.numbers], across);
  }

  #fold(before: ChunkTotals, place: Place, from: Instr, to: Instr, step: number): void {
    this.b.for(from, to, step, (chunk) => {
      const total = before.get(this.#pieces, place.row, chunk);
      this.#carry.set(0, this.#pieces.join(this.#carry.get(0), total));
    });
  }
}
