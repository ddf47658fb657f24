/**
 * Writes one row kernel: passes one after the other, with what each leaves known to the next.
 *
 * Where a lane has its rows to itself all is one phase, and totals are plain values. Where lanes share a row every pass
 * is a phase: each lane's partial states go into lane arrays, a `Combine` makes totals of them, and the next phase reads
 * those. States of one kind are elements of one array, so that a pass has one `Combine` per kind.
 */

import { IrBuilder } from "../../kernel/build.ts";
import type { Instr } from "../../kernel/ir.ts";
import { Evaluator } from "../../kernel/lower.ts";
import type { Value } from "../../kernel/value.ts";
import type { Target } from "../../target.ts";
import { combineOf, elementOf, type FoldSpec, isIndexed, stateTypes } from "./fold_spec.ts";
import { elementsOf, loadsPerElement, type Pass } from "./passes.ts";
import { outerBindings, type Place, placeOf, rowBindings, sweep } from "./place.ts";
import type { Partials } from "./partials.ts";
import { bindingsOf, type Running, running, type Turn } from "./running.ts";
import type { RowShape } from "./shape.ts";
import type { RowRoot, RowSpace } from "./space.ts";
import { componentsOf, foldIn, type State, States } from "./states.ts";

/** Where each fold of a pass stands among the states that are combined together. */
interface Slots {
  readonly all: readonly States[];
  readonly of: ReadonlyMap<FoldSpec, { readonly states: States; readonly slot: number }>;
}

export class RowWriter {
  readonly b: IrBuilder;
  readonly ev: Evaluator;
  /** Width of totals: along columns every component has its own. */
  readonly totalWidth: 1 | 4;

  constructor(readonly space: RowSpace, readonly shape: RowShape, readonly target: Target) {
    this.b = new IrBuilder(shape.lanes);
    this.ev = new Evaluator(space.values, this.b);
    this.totalWidth = shape.along === "columns" ? shape.width : 1;
  }

  /** A kernel that does all passes of its rows. */
  passes(passes: readonly Pass[]): void {
    const { b, shape } = this;
    if (shape.across === 1) {
      b.phase(() => {
        const place = this.enter();
        b.if(place.exists, () => {
          for (const pass of passes) {
            for (const [fold, state] of this.pass(pass, place)) this.bind(fold, state);
          }
        });
      });
      return;
    }
    let before: Slots | undefined;
    for (const pass of passes) {
      const slots = this.slots(pass.folds);
      b.phase(() => {
        const place = this.enter();
        if (before) this.bindTotals(before);
        for (const [fold, state] of this.pass(pass, place)) this.keepState(slots, fold, state);
      });
      this.combine(slots);
      before = before ? { all: [], of: new Map([...before.of, ...slots.of]) } : slots;
    }
  }

  /**
   * A kernel that does one pass on its chunk of each row.
   *
   * @param before Folds of earlier passes, whose partial states lie in scratch.
   * @param saved Where the partial states of this pass go.
   */
  chunk(
    pass: Pass,
    before: readonly { fold: FoldSpec; from: Partials }[],
    saved: Partials | undefined,
  ): void {
    const { b, shape } = this;
    const save = (place: Place, fold: FoldSpec, state: State) =>
      saved!.store(b, fold, state, place.row, place.chunk);
    if (shape.across === 1) {
      b.phase(() => {
        const place = this.enter();
        b.if(place.exists, () => {
          for (const { fold, from } of before) this.bind(fold, from.fold(b, fold, place.row, b.int(0), 1));
          for (const [fold, state] of this.pass(pass, place)) save(place, fold, state);
        });
      });
      return;
    }
    const earlier = this.slots(before.map((x) => x.fold));
    if (before.length > 0) {
      b.phase(() => {
        const place = this.enter();
        for (const { fold, from } of before) {
          // A row beyond the last has nothing in scratch; what its lanes combine is stored by nobody.
          const row = place.exists.kind === "literal" ? place.row : b.min(place.row, shape.places - 1);
          this.keepState(earlier, fold, from.fold(b, fold, row, place.part, shape.across));
        }
      });
      this.combine(earlier);
    }
    const slots = this.slots(pass.folds);
    b.phase(() => {
      const place = this.enter();
      this.bindTotals(earlier);
      for (const [fold, state] of this.pass(pass, place)) this.keepState(slots, fold, state);
    });
    this.combine(slots);
    if (!saved) return;
    b.phase(() => {
      const place = this.enter();
      const first = b.and(place.exists, b.binary("eq", place.part, b.int(0)));
      b.if(first, () => {
        for (const [fold, { states, slot }] of slots.of) save(place, fold, states.get(slot));
      });
    });
  }

  /** Binds the outer variables; the first thing in every phase. */
  enter(): Place {
    const place = placeOf(this.b, this.shape);
    for (const [v, instr] of outerBindings(this.b, this.space, this.shape, place.row)) this.ev.bind(v, instr);
    return place;
  }

  bind(fold: FoldSpec, state: State): void {
    for (const [value, instr] of bindingsOf(this.b, fold, state)) this.ev.bind(value, instr);
  }

  // ---- totals between phases -------------------------------------------------------------------------------------

  slots(folds: readonly FoldSpec[]): Slots {
    const kinds = new Map<string, FoldSpec[]>();
    for (const fold of folds) {
      const kind = `${combineOf(fold)} ${stateTypes(fold)}`;
      kinds.set(kind, [...kinds.get(kind) ?? [], fold]);
    }
    const of = new Map<FoldSpec, { states: States; slot: number }>();
    const all = [...kinds.values()].map((same) => {
      const first = same[0]!;
      const states = new States(this.b, combineOf(first), stateTypes(first), this.totalWidth, same.length);
      same.forEach((fold, slot) => of.set(fold, { states, slot }));
      return states;
    });
    return { all, of };
  }

  keepState(slots: Slots, fold: FoldSpec, state: State): void {
    const { states, slot } = slots.of.get(fold)!;
    states.set(state, slot);
  }

  bindTotals(slots: Slots): void {
    for (const [fold, { states, slot }] of slots.of) this.bind(fold, states.get(slot));
  }

  combine(slots: Slots): void {
    for (const states of slots.all) this.b.combine(states.op, states.arrays, this.shape.across);
  }

  // ---- one pass --------------------------------------------------------------------------------------------------

  /** Runs a pass in the current phase; what its folds come to in this lane. */
  pass(pass: Pass, place: Place): ReadonlyMap<FoldSpec, State> {
    const { b, shape } = this;
    const folds = pass.folds.map((fold) => ({ fold, accumulators: this.accumulators(fold) }));
    for (const { accumulators } of folds) accumulators.forEach((a) => a.reset());
    b.if(place.exists, () => {
      this.storePerRow(pass.perRow, place);
      const elements = elementsOf(pass);
      if (elements.length === 0) return;
      this.hoist(pass);
      sweep(
        b,
        shape,
        place,
        this.unroll(elements, pass.full.length),
        (at, width) => this.turn(pass, folds, at, width),
      );
    });
    return new Map(folds.map(({ fold, accumulators }) => [fold, this.finish(fold, accumulators)]));
  }

  /** One accumulator of the shape's width, and one for the elements that are left over. */
  accumulators(fold: FoldSpec): Running[] {
    const { length, item, width } = this.shape;
    const apart = this.shape.along === "columns";
    const main = running(this.b, fold, width, apart);
    return length % item === 0 ? [main] : [main, running(this.b, fold, 1, apart)];
  }

  finish(fold: FoldSpec, accumulators: readonly Running[]): State {
    const { b, shape } = this;
    if (shape.along === "columns") return accumulators[0]!.state();
    return foldIn(b, combineOf(fold), accumulators.flatMap((a) => componentsOf(b, a.state())));
  }

  /** What does not depend on the place within the row is evaluated once, before the loop. */
  hoist(pass: Pass): void {
    const { ev, space, shape } = this;
    const [width, along] = shape.along === "columns"
      ? [shape.width, shape.vector] as const
      : [1, undefined] as const;
    for (const value of elementsOf(pass)) ev.hoist(value, space.row, width, along);
  }

  turn(
    pass: Pass,
    folds: readonly { fold: FoldSpec; accumulators: readonly Running[] }[],
    at: readonly Instr[],
    width: 1 | 4,
  ): void {
    const { b, ev, space, shape } = this;
    const taken = folds.map(() => ({ elements: [] as Instr[], positions: [] as Instr[] }));
    for (const element of at) {
      ev.with(rowBindings(b, space, element), () => {
        folds.forEach(({ fold }, i) => {
          taken[i]!.elements.push(this.value(elementOf(fold), width));
          if (isIndexed(fold)) taken[i]!.positions.push(this.position(element, width));
        });
        this.store(pass.full, width);
      });
    }
    const evaluate: Turn["evaluate"] = (q, value, wanted, given) =>
      ev.with([...rowBindings(b, space, at[q]!), ...given], () => this.value(value, wanted));
    const ofWidth = width === shape.width ? 0 : 1;
    folds.forEach(({ accumulators }, i) => accumulators[ofWidth]!.take({ ...taken[i]!, evaluate }));
  }

  value(value: Value, width: 1 | 4): Instr {
    return this.ev.eval(value, width, width === 4 ? this.shape.vector : undefined);
  }

  /** Row-major places of a vector's elements within the row. */
  position(element: Instr, width: 1 | 4): Instr {
    const { b, shape } = this;
    if (width === 1 || shape.along === "columns") return element;
    return b.add(b.widen(element, 4), b.construct([b.int(0), b.int(1), b.int(2), b.int(3)]));
  }

  /** All values before the first store: a result may stand where an operand of another one stood. */
  store(roots: readonly RowRoot[], width: 1 | 4): void {
    const stores = roots.map((r) => ({
      buffer: r.buffer,
      value: this.value(r.value, width),
      index: this.ev.eval(r.index),
    }));
    for (const { buffer, index, value } of stores) this.b.store(buffer, index, value);
  }

  storePerRow(roots: readonly RowRoot[], place: Place): void {
    if (roots.length === 0) return;
    const { b, shape } = this;
    const first = b.and(b.binary("eq", place.part, b.int(0)), b.binary("eq", place.chunk, b.int(0)));
    b.if(first, () => this.store(roots, shape.along === "columns" ? shape.width : 1));
  }

  /** Items per turn: as many vector accesses as the target wants to see in a loop. */
  unroll(elements: readonly Value[], stores: number): number {
    const accesses = loadsPerElement(elements, this.space.row).length + stores;
    return Math.max(1, Math.floor(this.target.row.unroll / Math.max(1, accesses)));
  }
}
