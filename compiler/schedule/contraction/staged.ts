/**
 * The staged tile: the lanes of a workgroup fetch A and B together and share them (SCHEDULES §6.3). What a graphics
 * processor likes.
 *
 *     for chunks of k, `depth` steps each:
 *         phase: the lanes evaluate A at the workgroup's rows and B at its columns, once per element, into shared arrays
 *         phase: every lane reads its rows and columns from there; sum[row][column] += combine(a, b)
 *     phase: results from the sums, stored
 *
 * A shared array is [step][unit], a unit being a row place or a column place, so that a lane reads whole vectors and its
 * neighbors read the neighboring ones. Sides that do not depend on k stay with the lanes.
 */

import { type BuiltKernel, IrBuilder } from "../../kernel/build.ts";
import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { wide } from "../../kernel/ir.ts";
import { Evaluator } from "../../kernel/lower.ts";
import type { Value, Var } from "../../kernel/value.ts";
import {
  bindGroup,
  groupsOf,
  lanePlace,
  LaneSums,
  layTile,
  type SidesAt,
  takenBy,
  type TileIndex,
} from "./lane_tile.ts";
import { alongOf, Operand, operandsOf, Steps } from "./operand.ts";
import { decode, FreshVars, layPlaces } from "./places.ts";
import type { Contraction } from "./problem.ts";
import type { Tile } from "./product.ts";
import type { Tiling } from "./tiling.ts";

/** Shared bytes that a staged tile takes. */
export const stagedBytes = (c: Contraction, { grid, rows, rowWidth, columns, depth }: Tiling): number =>
  4 * depth * (c.a.length * grid[0] * rows * rowWidth + c.b.length * grid[1] * columns * c.width);

/** @param c With one summed variable. */
export function stagedKernel(c: Contraction, tiling: Tiling): BuiltKernel {
  const b = new IrBuilder(tiling.grid[0] * tiling.grid[1]);
  const ev = new Evaluator(c.k, b);
  const fresh = new FreshVars(c.k, takenBy(c));
  const index = b.uniform(() => bindGroup(c, ev, tiling));
  const sums = new LaneSums(c, b, tiling);
  b.phase(() => sums.reset());
  const summed = c.reduce.vars[0]!;
  const depth = Math.min(tiling.depth, summed.extent);
  const chunks = Math.floor(summed.extent / depth);
  const rest = summed.extent - chunks * depth;
  const stage = new Stage(c, tiling, ev, fresh, index, depth);
  stage.walk(sums, 0, chunks, depth);
  if (rest > 0) stage.walk(sums, chunks * depth, 1, rest);
  b.phase(() => sums.store(layTile(c, ev, fresh, tiling, index), index));
  return b.finish(groupsOf(c, tiling));
}

/** One side in shared memory. */
interface Shelf {
  readonly side: Value;
  /** Undefined where the side does not depend on k. */
  readonly array: ArrayDecl | undefined;
  /** Units of a step. */
  readonly units: number;
}

class Stage {
  readonly #a: readonly Shelf[];
  readonly #b: readonly Shelf[];

  constructor(
    readonly c: Contraction,
    readonly tiling: Tiling,
    readonly ev: Evaluator,
    readonly fresh: FreshVars,
    readonly index: TileIndex,
    depth: number,
  ) {
    const shelf = (side: Value, units: number, width: 1 | 4): Shelf => {
      const staged = side.free.has(this.#summed);
      return {
        side,
        units,
        array: staged ? ev.b.array("shared", wide(side.type, width), units * depth) : undefined,
      };
    };
    this.#a = c.a.map((side) => shelf(side, tiling.grid[0] * tiling.rows, tiling.rowWidth));
    this.#b = c.b.map((side) => shelf(side, tiling.grid[1] * tiling.columns, c.width));
  }

  get #summed(): Var {
    return this.c.reduce.vars[0]!;
  }

  /** `count` chunks of `depth` steps, from step `first` on. */
  walk(sums: LaneSums, first: number, count: number, depth: number): void {
    const { c, ev, tiling } = this;
    const { b, k } = ev;
    const chunk = this.fresh.of(count);
    const start = k.affine([[chunk, depth]], first);
    const body = () => {
      b.phase(() => {
        for (const shelf of this.#a) {
          this.#fill(shelf, c.rows, tiling.rowWidth, this.index.rows, start, depth);
        }
        for (const shelf of this.#b) this.#fill(shelf, c.columns, c.width, this.index.columns, start, depth);
      });
      b.phase(() => {
        const tile = layTile(c, ev, this.fresh, tiling, this.index);
        const steps = new Steps(ev, this.fresh, this.#summed, start, depth);
        sums.add(tile, steps, this.#readers(tile, steps));
      });
    };
    if (chunk.kind !== "var") return body();
    b.loop(b.int(0), b.int(count), 1, (counter) => ev.with([[chunk, counter]], body));
  }

  /** The lanes take turns: units next to each other, or where the side is contiguous in k, steps. */
  #fill(
    { side, array, units }: Shelf,
    vars: readonly Var[],
    width: 1 | 4,
    tile: readonly Instr[],
    start: Value,
    depth: number,
  ): void {
    if (!array) return;
    const { ev, fresh } = this;
    const { b, k } = ev;
    const byFours = depth % 4 === 0 && alongOf([side], vars.at(-1), this.#summed, depth) === "k";
    const per = byFours ? 4 : 1;
    const items = units * depth / per;
    const fill = (item: Instr) => {
      const [unit, part] = byFours
        ? decode(b, item, [units, depth / per])
        : decode(b, item, [depth, units]).reverse();
      const turn = fresh.of(depth / per);
      const place = layPlaces(ev, fresh, vars, width, tile, unit!, units, 1);
      const steps = new Steps(ev, fresh, this.#summed, k.affine([[start, 1], [turn, per]]), per);
      const along = byFours ? "k" : width === 4 ? "own" : "none";
      const write = () => {
        const operand = new Operand(ev, side, place, steps, along);
        for (let step = 0; step < per; step++) {
          const slot = b.add(b.mul(b.add(b.mul(part!, per), step), units), unit!);
          b.set(array, slot, operand.vector(0, step));
        }
      };
      if (turn.kind === "var") ev.with([[turn, part!]], write);
      else write();
    };
    for (let first = 0; first < items; first += b.lanes) {
      const item = b.add(b.lane, first);
      if (first + b.lanes <= items) fill(item);
      else b.if(b.lt(item, items), () => fill(item));
    }
  }

  /** Reads the lane's rows and columns from the shared arrays, each once per step. */
  #readers(tile: Tile, steps: Steps): SidesAt {
    const { c, ev, tiling } = this;
    const { b } = ev;
    const lane = lanePlace(b, tiling);
    const once = new Map<string, Instr>();
    const own = {
      a: operandsOf(ev, c.a, tile.rows, undefined, steps),
      b: operandsOf(ev, c.b, tile.columns, undefined, steps),
    };
    const read = (
      name: string,
      { array, units }: Shelf,
      lanes: number,
      at: Instr,
      place: number,
      step: number,
    ) => {
      const key = `${name} ${place} ${step}`;
      let value = once.get(key);
      if (!value) once.set(key, value = b.read(array!, b.add(at, step * units + place * lanes)));
      return value;
    };
    return (row, column, step) => ({
      a: this.#a.map((shelf, i) =>
        shelf.array
          ? b.component(
            read(`a${i}`, shelf, tiling.grid[0], lane[0]!, row.place, step),
            row.component as 0 | 1 | 2 | 3,
          )
          : own.a[i]!.scalar(row.place, row.component, step)
      ),
      b: this.#b.map((shelf, i) =>
        shelf.array
          ? read(`b${i}`, shelf, tiling.grid[1], lane[1]!, column, step)
          : own.b[i]!.vector(column, step)
      ),
    });
  }
}
