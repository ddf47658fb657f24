/** Where a lane stands: its row, its part of the row, its chunk; and the loop over its elements. */

import type { IrBuilder } from "../../kernel/build.ts";
import type { Instr } from "../../kernel/ir.ts";
import type { Value, Var } from "../../kernel/value.ts";
import type { RowShape } from "./shape.ts";
import type { RowSpace } from "./space.ts";

export interface Place {
  /** Row, or vector of rows. */
  readonly row: Instr;
  /** Which of the lanes that share the row. */
  readonly part: Instr;
  readonly chunk: Instr;
  /** Is there such a row? A literal where all lanes have one. */
  readonly exists: Instr;
}

/** @param turn Which of the rows that the lane has one after the other. */
export function placeOf(b: IrBuilder, shape: RowShape, turn: Instr): Place {
  const { lanes, across, places, chunks, turns, groups } = shape;
  const yes = b.literal("bool", 1);
  // Lanes move on together, so that adjacent lanes are always at adjacent rows.
  const span = turns === 1 ? b.group : b.add(b.mul(b.group, turns), turn);
  if (shape.along === "columns") {
    // Units of work are numbered rows first, so that adjacent lanes read adjacent memory and none idles.
    const unit = b.add(b.mul(span, lanes), b.lane);
    const all = places * chunks;
    return {
      row: chunks === 1 ? unit : b.rem(unit, places),
      part: b.int(0),
      chunk: chunks === 1 ? b.int(0) : b.div(unit, places),
      exists: groups * lanes * turns === all ? yes : b.lt(unit, all),
    };
  }
  const perGroup = lanes / across;
  const group = chunks === 1 ? span : b.div(span, chunks);
  const within = across === 1 ? b.lane : b.div(b.lane, across);
  const row = perGroup === 1 ? group : b.add(b.mul(group, perGroup), within);
  return {
    row,
    part: across === 1 ? b.int(0) : perGroup === 1 ? b.lane : b.rem(b.lane, across),
    chunk: chunks === 1 ? b.int(0) : b.rem(span, chunks),
    exists: groups * perGroup * turns === places * chunks ? yes : b.lt(row, places),
  };
}

/** What variables are at a row-major position, the last one counted in items. */
export function decode(b: IrBuilder, vars: readonly Var[], position: Instr, item: number): [Value, Instr][] {
  const out: [Value, Instr][] = [];
  let rest = position;
  for (let axis = vars.length - 1; axis >= 0; axis--) {
    const v = vars[axis]!;
    const last = axis === vars.length - 1;
    const size = last ? v.extent / item : v.extent;
    const own = axis === 0 ? rest : b.rem(rest, size);
    out.push([v, last ? b.mul(own, item) : own]);
    if (axis > 0) rest = b.div(rest, size);
  }
  return out;
}

/** What the outer variables are in a row. */
export const outerBindings = (b: IrBuilder, space: RowSpace, shape: RowShape, row: Instr): [Value, Instr][] =>
  decode(b, space.outer, row, shape.along === "columns" ? shape.width : 1);

/** What the row variables are at an element. */
export const rowBindings = (b: IrBuilder, space: RowSpace, element: Instr): [Value, Instr][] =>
  decode(b, space.row, element, 1);

/**
 * Visits a lane's share of the elements: items in turns of `unroll`, then items one by one, then the elements that are
 * left of a row whose length is no multiple of the vector, one by one.
 *
 * @param visit Gets the elements at which the items of a turn begin, and their width.
 */
export function sweep(
  b: IrBuilder,
  shape: RowShape,
  place: Place,
  unroll: number,
  visit: (elements: readonly Instr[], width: 1 | 4) => void,
): void {
  const { item, across, length, chunks, chunk } = shape;
  if (shape.straight) {
    visit(Array.from({ length }, (_, j) => b.int(j)), shape.width);
    return;
  }
  const whole = length - length % item;
  const turn = across * item;
  const offset = b.mul(place.part, item);
  const many = unrolled(shape, unroll);
  const step = turn * many;
  const main = whole - whole % step;
  const items = (at: Instr) => Array.from({ length: many }, (_, q) => b.add(b.add(at, offset), q * turn));
  // What is left over at the end of the row is the last chunk's.
  const leftover = (from: Instr, to: number, stride: number, width: 1 | 4) => {
    const end = chunks === 1
      ? b.int(to)
      : b.select(b.binary("eq", place.chunk, b.int(chunks - 1)), b.int(to), b.int(0));
    b.for(from, end, stride, (at) => visit([at], width));
  };
  if (chunks === 1 && many === 1 && main < whole) leftover(offset, whole, turn, shape.width);
  else {
    if (chunks === 1 && main === step) visit(items(b.int(0)), shape.width);
    else if (main > 0) {
      const start = chunks === 1 ? b.int(0) : b.mul(place.chunk, chunk);
      const end = chunks === 1 ? b.int(main) : b.min(b.add(start, chunk), main);
      b.for(start, end, step, (at) => visit(items(at), shape.width));
    }
    if (main < whole) leftover(b.add(offset, main), whole, turn, shape.width);
  }
  if (whole < length) leftover(b.add(place.part, whole), length, across, 1);
}

/**
 * The same for elements that are numbered from the vec4 that their row begins in (align.ts): whole vec4s in turns of
 * `unroll`, then one by one, then what is left at both ends.
 */
export function sweepAligned(
  b: IrBuilder,
  shape: RowShape,
  { part, chunk, phase }: Place & { readonly phase: Instr },
  unroll: number,
  visit: (elements: readonly Instr[], width: 1 | 4) => void,
): void {
  const { item, across, length, chunks } = shape;
  const turn = across * item;
  // Twice as many statements are twice as long to compile, and gain a tenth.
  const step = turn * (shape.chunk >= 64 * unroll * turn ? unroll : 1);
  const first = b.mul(b.div(b.add(phase, 3), 4), 4);
  const end = b.mul(b.div(b.add(phase, length), 4), 4);
  const isLast = b.binary("eq", chunk, b.int(chunks - 1));
  const from = b.binary("max", first, b.mul(chunk, shape.chunk));
  const own = b.select(isLast, b.int(length + item), b.mul(b.add(chunk, 1), shape.chunk));
  const to = chunks === 1 ? end : b.min(own, end);
  const offset = b.mul(part, item);
  let rest = from;
  if (step > turn) {
    rest = b.sub(to, b.rem(b.sub(to, from), step));
    b.for(from, rest, step, (at) => {
      visit(Array.from({ length: step / turn }, (_, q) => b.add(b.add(at, offset), q * turn)), 4);
    });
  }
  b.for(b.add(rest, offset), to, turn, (at) => visit([at], 4));
  // Both ends in one loop: the last chunk's.
  const whole = b.sub(end, first);
  const atStart = b.sub(first, phase);
  const left = b.select(isLast, b.sub(b.int(length), whole), b.int(0));
  b.for(part, left, across, (t) => {
    const skipped = b.select(b.lt(t, atStart), b.int(0), whole);
    // The minimum says nothing new, but that the element is one of the row's.
    visit([b.min(b.add(b.add(t, phase), skipped), b.add(phase, length - 1))], 1);
  });
}

/**
 * The same with no loop left, for rows whose parts stay in lane arrays: a lane's items are numbered, and the last of them
 * may not exist for all lanes.
 */
export function sweepUnrolled(
  b: IrBuilder,
  shape: RowShape,
  place: Place,
  visit: (elements: readonly Instr[], first: number) => void,
): void {
  const { item, across, length } = shape;
  const items = length / item;
  const whole = Math.floor(items / across);
  const at = (q: number) => b.add(b.mul(place.part, item), q * across * item);
  if (whole > 0) visit(Array.from({ length: whole }, (_, q) => at(q)), 0);
  if (whole * across < items) {
    const last = at(whole);
    b.if(b.lt(last, length), () => visit([last], whole));
  }
}

/** Items per turn: as many as asked for, fewer where that leaves no remainder, 1 where the row is short. */
function unrolled(shape: RowShape, wanted: number): number {
  const items = Math.floor(shape.chunk / shape.item);
  for (let many = wanted; many > 1; many--) if (items % (shape.across * many) === 0) return many;
  return items >= 4 * shape.across * wanted ? wanted : 1;
}
