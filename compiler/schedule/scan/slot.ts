/**
 * A slot of a row in a lane's registers: filled from memory and folded in the order of the scan, stored with what came
 * before added. Accesses that reach beyond the end of the row are left out, or done one by one.
 */

import type { IrBuilder } from "../../kernel/build.ts";
import type { Instr } from "../../kernel/ir.ts";
import type { Evaluator } from "../../kernel/lower.ts";
import type { Value } from "../../kernel/value.ts";
import type { Scan } from "./problem.ts";
import type { ScanShape } from "./shape.ts";
import type { Piece, PieceArray, Pieces } from "./state.ts";

export class Slot {
  /** After `fill`: what each element and those before it in the slot come to. */
  readonly #kept: PieceArray;
  /** Elements of the slot in the order of the scan. */
  readonly #order: readonly number[];

  constructor(
    readonly b: IrBuilder,
    readonly ev: Evaluator,
    readonly scan: Scan,
    readonly shape: ScanShape,
    readonly pieces: Pieces,
  ) {
    this.#kept = pieces.array("lane", shape.slot);
    const ascending = Array.from({ length: shape.slot }, (_, i) => i);
    this.#order = scan.upwards ? ascending : ascending.reverse();
  }

  /** The slot as one piece. */
  get total(): Piece {
    return this.#kept.get(this.#order.at(-1)!);
  }

  /**
   * Reads and folds the slot with this number in the order of the scan.
   *
   * @param exists Is there such a slot? If not it counts as empty.
   */
  fill(number: Instr, exists: Instr): void {
    const { pieces, scan } = this;
    const kept = this.#kept;
    const { prefix: { restart } } = scan;
    for (const i of this.#order) kept.set(i, pieces.nothing);
    this.b.if(exists, () =>
      this.#accesses(number, (element, width, vector) => {
        const values = this.#parts(scan.body, vector, width);
        const restarts = restart && this.#parts(scan.restart!, vector, width);
        values.forEach((number, c) => kept.set(element + c, { number, restarted: restarts?.[c] }));
      }));
    for (let i = 1; i < this.#order.length; i++) {
      const [before, at] = [this.#order[i - 1]!, this.#order[i]!];
      kept.set(at, pieces.join(kept.get(before), kept.get(at)));
    }
  }

  /** Stores the results, given what came before the slot. */
  store(number: Instr, exists: Instr, before: Piece): void {
    const { b, ev, scan, pieces, shape } = this;
    const kept = this.#kept;
    const result = (element: number): Instr => {
      const previous = scan.upwards ? element - 1 : element + 1;
      if (!scan.prefix.exclusive) return pieces.join(before, kept.get(element)).number;
      return this.#order[0] === element ? before.number : pieces.join(before, kept.get(previous)).number;
    };
    b.if(exists, () =>
      this.#accesses(number, (element, width, vector) => {
        const results = Array.from(
          { length: shape.along === "rows" ? width : 1 },
          (_, c) => result(element + c),
        );
        const [x, y, z, w] = results;
        const bound = results.length === 4 ? b.construct([x!, y!, z!, w!]) : x!;
        ev.with([[scan.prefix, bound]], () => {
          // All values before the first store: a result may stand where an operand of another one stood.
          const stores = scan.roots.map((r) => ({
            buffer: r.buffer,
            index: ev.eval(r.index),
            value: ev.eval(r.value, width, vector ? shape.vector : undefined),
          }));
          for (const { buffer, index, value } of stores) b.store(buffer, index, value);
        });
      }));
  }

  /** One value per element: of a vector along the row its components, of a vector of rows the vector. */
  #parts(value: Value, vector: boolean, width: 1 | 4): readonly Instr[] {
    const { b, ev, shape } = this;
    const whole = b.widen(ev.eval(value, width, vector ? shape.vector : undefined), width);
    if (shape.along === "columns" || width === 1) return [whole];
    return ([0, 1, 2, 3] as const).map((c) => b.component(whole, c));
  }

  /** Visits the accesses of a slot that exist, with the axis bound to where each begins. */
  #accesses(number: Instr, visit: (element: number, width: 1 | 4, vector: boolean) => void): void {
    const { b, ev, scan: { axis, length, upwards }, shape: { along, width, vectors, slot, slots } } = this;
    const first = b.mul(upwards ? number : b.sub(b.int(slots - 1), number), slot);
    const step = along === "rows" ? width : 1;
    const one = (element: number, place: Instr, w: 1 | 4) =>
      ev.with([[axis, place]], () => visit(element, w, w === 4));
    for (let v = 0; v < vectors; v++) {
      const element = v * step;
      const place = b.add(first, element);
      if (length % slot === 0) {
        one(element, place, width);
        continue;
      }
      b.if(b.lt(place, length - length % step), () => one(element, place, width), () => {
        // What is left of a row that is no multiple of a vector; at most three elements.
        for (let c = 0; c < (step === 1 ? 0 : length % step); c++) {
          const single = b.add(place, c);
          b.if(b.lt(single, length), () => one(element + c, single, 1));
        }
      });
    }
  }
}
