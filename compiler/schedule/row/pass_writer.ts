/**
 * One pass over a row, where the writer's cursor stands: accumulators reset, results with one element per row stored, the
 * row's elements visited, the lane's partial states at the end.
 */

import type { IrBuilder } from "../../kernel/build.ts";
import { type ArrayDecl, type Instr, wide } from "../../kernel/ir.ts";
import type { Evaluator } from "../../kernel/lower.ts";
import type { Value } from "../../kernel/value.ts";
import type { Target } from "../../target.ts";
import { combineOf, elementOf, type FoldSpec, isIndexed } from "./fold_spec.ts";
import { strideOf } from "../../kernel/stride.ts";
import { elementsOf, loadsPerElement, type Pass } from "./passes.ts";
import { type Place, rowBindings, sweep, sweepAligned, sweepUnrolled } from "./place.ts";
import { type Running, running } from "./running.ts";
import type { RowShape } from "./shape.ts";
import type { RowRoot, RowSpace } from "./space.ts";
import { componentsOf, foldIn, type State } from "./states.ts";
import { transposed } from "./straight.ts";

interface Accumulating {
  readonly fold: FoldSpec;
  /** For vectors, and for the elements that are left over. */
  readonly accumulators: readonly Running[];
}

/** Elements at which a turn's items begin; `first` is the number of the first of them among the lane's items. */
interface Items {
  readonly at: readonly Instr[];
  readonly width: 1 | 4;
  readonly first: number;
}

export class PassWriter {
  /** Values kept between passes, by their arrays: one element per item of a lane. */
  #kept: ReadonlyMap<Value, ArrayDecl> = new Map();

  constructor(
    readonly b: IrBuilder,
    readonly ev: Evaluator,
    readonly space: RowSpace,
    readonly shape: RowShape,
    readonly target: Target,
  ) {}

  /**
   * What the folds of the pass come to in this lane.
   *
   * @param keep Element values to keep for the next passes; where there is a plan to keep, nothing is looped over.
   */
  write(pass: Pass, place: Place, keep?: readonly Value[]): ReadonlyMap<FoldSpec, State> {
    const { b, shape } = this;
    const folds = pass.folds.map((fold) => ({ fold, accumulators: this.#accumulators(fold) }));
    for (const { accumulators } of folds) accumulators.forEach((a) => a.reset());
    b.if(place.exists, () => {
      this.#storePerRow(pass.perRow, place);
      const elements = elementsOf(pass);
      if (elements.length === 0) return;
      this.#hoist(elements);
      if (keep) {
        const arrays = this.#arraysFor(keep);
        sweepUnrolled(b, shape, place, (at, first) => {
          this.#turn(pass, folds, { at, width: shape.width, first }, arrays);
        });
        this.#kept = arrays;
      } else {
        const visit = (at: readonly Instr[], width: 1 | 4) =>
          this.#turn(pass, folds, { at, width, first: 0 });
        const { alignment } = this.space;
        if (alignment) {
          sweepAligned(
            b,
            shape,
            { ...place, phase: this.ev.eval(alignment.phase) },
            this.#unroll(pass),
            visit,
          );
        } else sweep(b, shape, place, this.#unroll(pass), visit);
      }
    });
    return new Map(folds.map(({ fold, accumulators }) => [fold, this.#finish(fold, accumulators)]));
  }

  #accumulators(fold: FoldSpec): Running[] {
    const { length, item, width } = this.shape;
    const isWhole = length % item === 0 && !this.space.alignment;
    const how = { apart: this.shape.along === "columns", builtins: this.target.builtins };
    const main = running(this.b, fold, width, how);
    return isWhole ? [main] : [main, running(this.b, fold, 1, how)];
  }

  #finish(fold: FoldSpec, accumulators: readonly Running[]): State {
    const { b, shape } = this;
    if (shape.along === "columns") return accumulators[0]!.state();
    return foldIn(b, combineOf(fold), accumulators.flatMap((a) => componentsOf(b, a.state())));
  }

  /** What stays in an array stays in the same one: a value that two passes leave is written once. */
  #arraysFor(keep: readonly Value[]): Map<Value, ArrayDecl> {
    const { across, length, item, width } = this.shape;
    const items = Math.ceil(length / item / across);
    return new Map(keep.map((value) => [
      value,
      this.#kept.get(value) ?? this.b.array("lane", wide(value.type, width), items),
    ]));
  }

  /** What does not depend on the place within the row is evaluated once, before the loop. */
  #hoist(elements: readonly Value[]): void {
    const { ev, space, shape } = this;
    const columns = shape.along === "columns";
    for (const value of elements) {
      ev.hoist(value, space.row, columns ? shape.width : 1, columns ? shape.vector : undefined);
    }
  }

  /** Items per turn: as many vector accesses as the target wants to see in a loop. */
  #unroll(pass: Pass): number {
    const accesses = loadsPerElement(elementsOf(pass), this.space.row).length + pass.full.length;
    return Math.max(1, Math.floor(this.target.row.unroll / Math.max(1, accesses)));
  }

  #turn(
    pass: Pass,
    folds: readonly Accumulating[],
    { at, width, first }: Items,
    keep: ReadonlyMap<Value, ArrayDecl> = new Map(),
  ): void {
    const { b, ev, space, shape } = this;
    const stored = pass.full.map(() => [] as Instr[]);
    const taken = folds.map(() => ({ elements: [] as Instr[], positions: [] as Instr[] }));
    at.forEach((element, q) => {
      const kept = [...this.#kept].map(([value, array]) => [value, b.read(array, first + q)] as const);
      ev.with([...rowBindings(b, space, element), ...kept], () => {
        folds.forEach(({ fold }, i) => {
          taken[i]!.elements.push(this.#value(elementOf(fold), width));
          if (isIndexed(fold)) taken[i]!.positions.push(this.#position(element, width));
        });
        for (const [value, array] of keep) {
          if (!this.#kept.has(value)) b.set(array, first + q, b.widen(this.#value(value, width), width));
        }
        if (shape.straight) pass.full.forEach((r, i) => stored[i]!.push(this.#value(r.value, width)));
        else this.#store(pass.full, width);
      });
    });
    if (shape.straight) this.#storeBlocks(pass.full, stored, at[0]!);
    const left = width === shape.width ? 0 : 1;
    folds.forEach(({ accumulators }, i) => accumulators[left]!.take(taken[i]!));
  }

  #value(value: Value, width: 1 | 4): Instr {
    return this.ev.eval(value, width, width === 4 ? this.shape.vector : undefined);
  }

  /** Row-major places of a vector's elements within the row. */
  #position(element: Instr, width: 1 | 4): Instr {
    const { b, shape, space: { alignment } } = this;
    const first = alignment ? b.sub(element, this.ev.eval(alignment.phase)) : element;
    if (width === 1 || shape.along === "columns") return first;
    return b.add(b.widen(first, 4), b.construct([b.int(0), b.int(1), b.int(2), b.int(3)]));
  }

  /** All values before the first store: a result may stand where an operand of another one stood. */
  #store(roots: readonly RowRoot[], width: 1 | 4): void {
    const stores = roots.map((r) => ({
      buffer: r.buffer,
      value: this.#value(r.value, width),
      index: this.#placeOf(r, width),
    }));
    stores.forEach(({ buffer, index, value }, i) => {
      if (this.space.columns === undefined || width === 1) this.b.store(buffer, index, value);
      else this.#storeColumns(roots[i]!, index, value, this.space.columns);
    });
  }

  /** Those of four columns that there are. */
  #storeColumns({ buffer, index }: RowRoot, first: Instr, value: Instr, columns: number): void {
    const { b, ev, shape } = this;
    const stride = strideOf(index, shape.vector!)!;
    const column = ev.bindingOf(shape.vector!)!;
    for (const c of [0, 1, 2, 3] as const) {
      b.if(b.lt(b.add(column, c), columns), () => {
        b.store(buffer, b.add(first, stride * c), b.component(b.widen(value, 4), c));
      });
    }
  }

  #placeOf({ buffer: { size }, index }: RowRoot, width: 1 | 4): Instr {
    const { ev, space: { values: k, alignment } } = this;
    // It is inside; this shows it to who cannot see that no element is visited beyond the row's end.
    const last = width === 1 ? size - 1 : size - size % 4 - 4;
    return ev.eval(alignment?.inside.has(index) ? k.iclamp(index, 0, last) : index);
  }

  /** Whole blocks of memory, from the values of element after element. */
  #storeBlocks(roots: readonly RowRoot[], values: readonly Instr[][], first: Instr): void {
    const { b, ev, space } = this;
    roots.forEach(({ buffer, index }, i) => {
      const base = ev.with(rowBindings(b, space, first), () => ev.eval(index));
      const gather = (parts: readonly (readonly [Instr, 0 | 1 | 2 | 3])[]) => {
        const [x, y, z, w] = parts.map(([value, row]) => b.component(b.widen(value, 4), row));
        return b.construct([x!, y!, z!, w!]);
      };
      for (const { value, offset } of transposed(values[i]!, gather)) {
        b.store(buffer, b.add(base, offset), value);
      }
    });
  }

  #storePerRow(roots: readonly RowRoot[], place: Place): void {
    if (roots.length === 0) return;
    const { b, shape } = this;
    const first = b.and(b.binary("eq", place.part, b.int(0)), b.binary("eq", place.chunk, b.int(0)));
    b.if(first, () => this.#store(roots, shape.along === "columns" ? shape.width : 1));
  }
}
