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
import type { Target } from "../../target.ts";
import { combineOf, type FoldSpec, stateTypes } from "./fold_spec.ts";
import type { KeepPlan } from "./keep.ts";
import type { Partials } from "./partials.ts";
import { PassWriter } from "./pass_writer.ts";
import type { Pass } from "./passes.ts";
import { outerBindings, type Place, placeOf } from "./place.ts";
import { bindingsOf } from "./running.ts";
import type { RowShape } from "./shape.ts";
import type { RowSpace } from "./space.ts";
import { type State, States } from "./states.ts";
import { restShape } from "./straight.ts";

/** Where each fold stands among the states that are combined together. */
interface Slots {
  readonly all: readonly States[];
  readonly of: ReadonlyMap<FoldSpec, { readonly states: States; readonly slot: number }>;
}

/** A fold of an earlier kernel, and where its partial states lie. */
export interface Earlier {
  readonly fold: FoldSpec;
  readonly from: Partials;
}

export class RowWriter {
  readonly b: IrBuilder;
  readonly #ev: Evaluator;
  readonly #pass: PassWriter;
  readonly #space: RowSpace;
  readonly #shape: RowShape;
  /** Width of totals: along columns every component has its own. */
  readonly #totalWidth: 1 | 4;
  readonly #target: Target;

  constructor(space: RowSpace, shape: RowShape, target: Target) {
    this.b = new IrBuilder(shape.lanes);
    this.#space = space;
    this.#shape = shape;
    this.#ev = new Evaluator(space.values, this.b, {
      inExtent: true,
      ...space.alignment && { inside: space.alignment.inside },
      ...shape.straight && { stride: 2 * shape.length },
    });
    this.#pass = new PassWriter(this.b, this.#ev, space, shape, target);
    this.#target = target;
    this.#totalWidth = shape.along === "columns" ? shape.width : 1;
  }

  /** A kernel that does all passes of its rows, with what lanes keep between them. */
  passes(passes: readonly Pass[], plan?: KeepPlan): void {
    const { b } = this;
    if (this.#shape.across === 1) {
      this.#alone((place) =>
        passes.forEach((pass, p) => {
          for (const [fold, state] of this.#pass.write(pass, place, plan?.[p])) this.#bind(fold, state);
        })
      );
      if (this.#shape.rest > 0) this.#leftOver(passes);
      return;
    }
    const before: Slots[] = [];
    passes.forEach((pass, p) => {
      const slots = this.#slots(pass.folds);
      b.phase(() => {
        const place = this.#enter();
        before.forEach((totals) => this.#bindTotals(totals));
        this.#keepStates(slots, this.#pass.write(pass, place, plan?.[p]));
      });
      this.#combine(slots);
      before.push(slots);
    });
  }

  /**
   * A kernel that does one pass on its chunk of each row.
   *
   * @param before Folds of earlier passes that this one needs.
   * @param saved Where the partial states of this pass go.
   */
  chunk(pass: Pass, before: readonly Earlier[], saved: Partials | undefined): void {
    const { b } = this;
    const { across, places } = this.#shape;
    const save = (place: Place, states: Iterable<readonly [FoldSpec, State]>) => {
      for (const [fold, state] of states) saved?.store(b, fold, state, place.row, place.chunk);
    };
    if (across === 1) {
      this.#alone((place) => {
        for (const { fold, from } of before) this.#bind(fold, from.fold(b, fold, place.row, b.int(0), 1));
        save(place, this.#pass.write(pass, place));
      });
      return;
    }
    const earlier = this.#slots(before.map((x) => x.fold));
    if (before.length > 0) {
      b.phase(() => {
        const place = this.#enter();
        // A row beyond the last has nothing in scratch; what its lanes combine is stored by nobody.
        const row = place.exists.kind === "literal" ? place.row : b.min(place.row, places - 1);
        const states = before.map(({ fold, from }) =>
          [fold, from.fold(b, fold, row, place.part, across)] as const
        );
        this.#keepStates(earlier, states);
      });
      this.#combine(earlier);
    }
    const slots = this.#slots(pass.folds);
    b.phase(() => {
      const place = this.#enter();
      this.#bindTotals(earlier);
      this.#keepStates(slots, this.#pass.write(pass, place));
    });
    this.#combine(slots);
    if (!saved) return;
    b.phase(() => {
      const place = this.#enter();
      const first = b.and(place.exists, b.binary("eq", place.part, b.int(0)));
      b.if(
        first,
        () => save(place, [...slots.of].map(([fold, at]) => [fold, at.states.get(at.slot)] as const)),
      );
    });
  }

  /** One phase for lanes that share nothing. */
  #alone(body: (place: Place) => void): void {
    const { b } = this;
    const { turns } = this.#shape;
    const one = (turn: Instr) => {
      const place = this.#enter(turn);
      b.if(place.exists, () => body(place));
    };
    b.phase(() => turns === 1 ? one(b.int(0)) : b.for(b.int(0), b.int(turns), 1, one));
  }

  /** Rows that are left over of the vectors: the lane that would have the next vector has them. */
  #leftOver(passes: readonly Pass[]): void {
    const { b } = this;
    const { places, width, rest, lanes, groups } = this.#shape;
    const shape = restShape(this.#shape);
    const writer = new PassWriter(b, this.#ev, this.#space, shape, {
      ...this.#target,
      row: oneByOne(this.#target),
    });
    b.phase(() =>
      b.if(
        b.and(b.binary("eq", b.group, b.int(groups - 1)), b.binary("eq", b.lane, b.int(places % lanes))),
        () =>
          b.for(b.int(places * width), b.int(places * width + rest), 1, (row) => {
            for (const [v, instr] of outerBindings(b, this.#space, shape, row)) this.#ev.bind(v, instr);
            const place = { row, part: b.int(0), chunk: b.int(0), exists: b.literal("bool", 1) };
            for (const pass of passes) {
              for (const [fold, state] of writer.write(pass, place)) this.#bind(fold, state);
            }
          }),
      )
    );
  }

  /** Binds the outer variables; the first thing in every phase. */
  #enter(turn = this.b.int(0)): Place {
    const place = placeOf(this.b, this.#shape, turn);
    for (const [v, instr] of outerBindings(this.b, this.#space, this.#shape, place.row)) {
      this.#ev.bind(v, instr);
    }
    return place;
  }

  #bind(fold: FoldSpec, state: State): void {
    for (const [value, instr] of bindingsOf(this.b, fold, state)) this.#ev.bind(value, instr);
  }

  // ---- totals between phases -------------------------------------------------------------------------------------

  #slots(folds: readonly FoldSpec[]): Slots {
    const kinds = new Map<string, FoldSpec[]>();
    for (const fold of folds) {
      const kind = `${combineOf(fold)} ${stateTypes(fold)}`;
      kinds.set(kind, [...kinds.get(kind) ?? [], fold]);
    }
    const of = new Map<FoldSpec, { states: States; slot: number }>();
    const all = [...kinds.values()].map((same) => {
      const first = same[0]!;
      const states = new States(this.b, combineOf(first), stateTypes(first), this.#totalWidth, same.length);
      same.forEach((fold, slot) => of.set(fold, { states, slot }));
      return states;
    });
    return { all, of };
  }

  #keepStates(slots: Slots, states: Iterable<readonly [FoldSpec, State]>): void {
    for (const [fold, state] of states) {
      const { states, slot } = slots.of.get(fold)!;
      states.set(state, slot);
    }
  }

  #bindTotals(slots: Slots): void {
    for (const [fold, { states, slot }] of slots.of) this.#bind(fold, states.get(slot));
  }

  #combine(slots: Slots): void {
    for (const states of slots.all) this.b.combine(states.op, states.arrays, this.#shape.across);
  }
}

/** Loops of one element per turn. */
const oneByOne = ({ row }: Target): Target["row"] => ({ ...row, unroll: 1 });
