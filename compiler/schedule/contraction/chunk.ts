/**
 * A chunk of k in the panel nest: the panel of B that belongs to it, and the products with it.
 *
 * A panel is a lane's private array, filled in loops of few statements and read at literal places. A side of B that does
 * not depend on k needs no panel.
 */

import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { wide } from "../../kernel/ir.ts";
import type { Evaluator } from "../../kernel/lower.ts";
import { stepOf } from "../../kernel/reducers.ts";
import type { Value, Var } from "../../kernel/value.ts";
import { type Carry, carryOf } from "./carry.ts";
import { alongOf, Operand, Steps } from "./operand.ts";
import type { FreshVars, Places } from "./places.ts";
import type { Contraction } from "./problem.ts";
import { productAt, type Tile } from "./product.ts";

/** A loop over a new variable. */
function loopOver(
  ev: Evaluator,
  fresh: FreshVars,
  count: number,
  f: (v: Value, counter: Instr) => void,
): void {
  const { b } = ev;
  const variable = fresh.of(count);
  if (variable.kind !== "var") return f(variable, b.int(0));
  b.for(b.int(0), b.int(count), 1, (counter) => ev.with([[variable, counter]], () => f(variable, counter)));
}

/** A loop over the column places where one body can serve all; else one body each. */
export function forColumns(
  ev: Evaluator,
  fresh: FreshVars,
  columns: Places,
  f: (places: Places, place: number, column: Instr) => void,
): void {
  const { only } = columns;
  if (only) loopOver(ev, fresh, columns.count, (place, column) => f(only(place), 0, column));
  else for (let place = 0; place < columns.count; place++) f(columns, place, ev.b.int(place));
}

export const firstRow = { place: 0, component: 0 };

/** B at one column place and one step, where the cursor stands. */
export interface Element {
  readonly places: Places;
  readonly place: number;
  /** The place's number in the tile. */
  readonly column: Instr;
  readonly steps: Steps;
  readonly step: number;
  readonly sides: readonly Instr[];
}

/** Some chunks of k of one depth. */
export class Chunk {
  readonly #chunk: Value;

  constructor(
    readonly c: Contraction,
    readonly ev: Evaluator,
    readonly fresh: FreshVars,
    readonly columns: Places,
    readonly first: number,
    readonly count: number,
    readonly depth: number,
    /** Told of every element of B once. */
    readonly seen?: (element: Element) => void,
  ) {
    this.#chunk = fresh.of(count);
  }

  get #summed(): Var {
    return this.c.reduce.vars[0]!;
  }

  /** Runs `f` for every chunk, with its panel filled. */
  open(f: (chunk: FilledChunk) => void): void {
    const { c, ev, columns, depth } = this;
    const { b, k } = ev;
    const panels = c.b.map((side) => side.free.has(this.#summed) ? this.#panel(side) : undefined);
    const body = (isFirst: Instr) => {
      const start = k.affine([[this.#chunk, depth]], this.first);
      this.#fill(panels, start);
      const steps = new Steps(ev, this.fresh, this.#summed, start, depth);
      f(new FilledChunk(c, ev, columns, steps, panels, isFirst));
    };
    const chunk = this.#chunk;
    if (chunk.kind !== "var") return body(b.literal("bool", 1));
    b.for(b.int(0), b.int(this.count), 1, (counter) => {
      ev.with([[chunk, counter]], () => body(b.binary("eq", counter, b.int(0))));
    });
  }

  #panel(side: Value): ArrayDecl {
    return this.ev.b.array(
      "lane",
      wide(side.type, this.columns.width),
      this.depth * this.columns.count,
      true,
    );
  }

  /**
   * Loops of one store: an index into a private array that is not literal makes a store for every lane of it, which takes
   * drivers long to compile. It is done once for many rows, so B is not read by fours where that takes transposing.
   */
  #fill(panels: readonly (ArrayDecl | undefined)[], start: Value): void {
    const { c, ev, columns, depth } = this;
    const { b, k } = ev;
    loopOver(ev, this.fresh, depth, (turn, counter) => {
      const steps = new Steps(ev, this.fresh, this.#summed, k.affine([[start, 1], [turn, 1]]), 1);
      forColumns(ev, this.fresh, columns, (places, place, column) => {
        const sides = c.b.map((side) =>
          new Operand(ev, side, places, steps, columns.width === 4 ? "own" : "none").vector(place, 0)
        );
        const slot = b.add(b.mul(counter, columns.count), column);
        panels.forEach((panel, i) => panel && b.set(panel, slot, sides[i]!));
        this.seen?.({ places, place, column, steps, step: 0, sides });
      });
    });
  }
}

/** A chunk whose panel lies ready. */
export class FilledChunk {
  constructor(
    readonly c: Contraction,
    readonly ev: Evaluator,
    readonly columns: Places,
    readonly steps: Steps,
    readonly panels: readonly (ArrayDecl | undefined)[],
    /** The chunk is the first of its loop: there are no sums yet. */
    readonly isFirst: Instr,
  ) {}

  /** What neighbors along the innermost row variable share, ahead of the loop over it; undefined where they share none. */
  carry(tile: Tile, inner: Value): Carry | undefined {
    const fours = Array.from({ length: Math.floor(this.steps.count / 4) }, (_, i) => 4 * i);
    const byFours = this.#rowOperands(tile).filter((side) => side.along === "k");
    const values = byFours.flatMap((side) => fours.map((step) => side.four(step)));
    return inner.kind === "var" ? carryOf(this.ev, values, inner, this.steps.component) : undefined;
  }

  #rowOperands(tile: Tile): Operand[] {
    const { c, ev, steps } = this;
    const own = c.rows.at(-1);
    return c.a.map((side) => {
      const byFours = alongOf([side], own, steps.variable, steps.count) === "k" || steps.areContiguous(side);
      return new Operand(ev, side, tile.rows, steps, byFours ? "k" : "none");
    });
  }

  /** Column by column, so that few sums are alive at a time: from `start`, over the chunk, to `end`. */
  forColumns(tile: Tile, start: (column: number) => Instr, end: (column: number, sum: Instr) => void): void {
    const { c, ev, columns, steps, panels } = this;
    const { b } = ev;
    const a = this.#rowOperands(tile);
    const others = c.b.map((side) =>
      new Operand(ev, side, columns, steps, columns.width === 4 ? "own" : "none")
    );
    const left = Array.from({ length: steps.count }, (_, step) => a.map((side) => side.scalar(0, 0, step)));
    for (let column = 0; column < columns.count; column++) {
      let sum = start(column);
      for (let step = 0; step < steps.count; step++) {
        const right = panels.map((panel, i) =>
          panel ? b.read(panel, step * columns.count + column) : others[i]!.vector(column, step)
        );
        const product = productAt(tile, steps, firstRow, column, step, left[step]!, right);
        sum = stepOf(b, c.reduce.op, sum, product);
      }
      end(column, sum);
    }
  }
}
