/**
 * The panel: B in private memory, rows of A as broadcasts, long loops per lane. What a CPU behind Vulkan likes.
 *
 *     for chunks of k, `depth` steps each:
 *         a small loop fills the lane's panel: B at its columns, `depth` steps
 *         for the workgroup's rows: A at the row (the same for all lanes);
 *             per column: sum += combine(a, panel), over the chunk (chunk.ts)
 *     for the rows: results from the sums, stored
 *
 * B is read once per workgroup, A is one uniform load for all lanes, and the inner body is straight-line multiply-adds,
 * few enough to compile quickly. Between chunks the sums lie in memory (sums.ts); where one chunk holds all of k they need
 * none. A chunk that k does not fill is peeled.
 */

import { type BuiltKernel, IrBuilder } from "../../kernel/build.ts";
import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { wide } from "../../kernel/ir.ts";
import { Evaluator } from "../../kernel/lower.ts";
import { identityOf, stepOf } from "../../kernel/reducers.ts";
import type { BufferRef, Value, Var } from "../../kernel/value.ts";
import { Chunk, type Element, type FilledChunk, firstRow, forColumns } from "./chunk.ts";
import { decode, FreshVars, layPlaces, type Places, tileExtents, tilesOf } from "./places.ts";
import { extentOf } from "./extent.ts";
import type { Contraction } from "./problem.ts";
import {
  alongOf,
  at,
  productAt,
  readBesideSum,
  storeResults,
  storeRider,
  type Tile,
  updatesInPlace,
} from "./product.ts";
import { takenBy } from "./lane_tile.ts";
import { type Slot, sumsOf } from "./sums.ts";
import type { Tiling } from "./tiling.ts";

export const panelGroups = (c: Contraction, { grid, rows, columns }: Tiling): number =>
  extentOf(c.batch) * Math.ceil(extentOf(c.rows) / (rows * grid[0])) *
  tilesOf(c.columns, c.width, grid[1], columns);

/** @param c With one summed variable. */
export function panelKernel(
  c: Contraction,
  tiling: Tiling,
): BuiltKernel & { readonly scratch: readonly BufferRef[] } {
  const b = new IrBuilder(tiling.grid[0] * tiling.grid[1]);
  const ev = new Evaluator(c.k, b);
  const fresh = new FreshVars(c.k, takenBy(c));
  let scratch: readonly BufferRef[] = [];
  b.phase(() => scratch = new Panel(c, tiling, ev, fresh).write());
  return { ...b.finish(panelGroups(c, tiling)), scratch };
}

class Panel {
  readonly #c: Contraction;
  readonly #ev: Evaluator;
  readonly #fresh: FreshVars;
  readonly #tiling: Tiling;
  readonly #summed: Var;
  readonly #columns: Places;
  /** The variables of a row; bound by the loops over rows. */
  readonly #row: readonly Value[];
  readonly #firstRow: Instr;
  readonly #rowCount: Instr;
  /** Whether the lane has the first rows; undefined where there is one share of them. */
  readonly #isFirst: Instr | undefined;
  readonly #groups: number;
  /** Per rider, a sum per column. */
  readonly #riding: readonly ArrayDecl[];

  constructor(c: Contraction, tiling: Tiling, ev: Evaluator, fresh: FreshVars) {
    [this.#c, this.#ev, this.#fresh, this.#tiling] = [c, ev, fresh, tiling];
    this.#groups = panelGroups(c, tiling);
    const { b } = ev;
    const rowExtent = extentOf(c.rows);
    const [rowLanes, lanes] = tiling.grid;
    const rowTiles = Math.ceil(rowExtent / (tiling.rows * rowLanes));
    const columnTiles = tileExtents(c.columns, c.width, tiling.grid[1] * tiling.columns);
    const index = decode(b, b.group, [...c.batch.map((v) => v.extent), rowTiles, ...columnTiles]);
    c.batch.forEach((v, i) => ev.bind(v, index[i]!));
    const tile = index.slice(c.batch.length + 1);
    this.#summed = c.reduce.vars[0]!;
    const [along, across] = decode(b, b.lane, tiling.grid) as [Instr, Instr];
    this.#columns = layPlaces(ev, fresh, c.columns, c.width, tile, across, lanes, tiling.columns);
    this.#row = c.rows.map((v) => fresh.of(v.extent));
    // Each lane's share of the rows lies together.
    const share = rowLanes === 1
      ? index[c.batch.length]!
      : b.add(b.mul(index[c.batch.length]!, rowLanes), along);
    this.#firstRow = b.mul(share, tiling.rows);
    const left = b.sub(b.int(rowExtent), this.#firstRow);
    this.#isFirst = rowTiles * rowLanes > 1 && c.riders.length > 0 ? b.lt(share, 1) : undefined;
    this.#riding = c.riders.map((r) => b.array("lane", wide(r.reduce.type, c.width), tiling.columns, true));
    this.#rowCount = rowExtent % (tiling.rows * rowLanes) === 0
      ? b.int(tiling.rows)
      : b.min(left, tiling.rows);
  }

  /** Writes the loops; returns the scratch buffers they need. */
  write(): readonly BufferRef[] {
    const { b } = this.#ev;
    const { riders, width } = this.#c;
    riders.forEach(({ reduce }, i) => {
      const zero = b.widen(b.literal(reduce.type, identityOf(reduce.op, reduce.type)), width);
      for (let column = 0; column < this.#tiling.columns; column++) b.set(this.#riding[i]!, column, zero);
    });
    const scratch = this.#products();
    riders.forEach((rider, i) => {
      for (let column = 0; column < this.#tiling.columns; column++) {
        storeRider(this.#tile(this.#columns), column, rider, b.read(this.#riding[i]!, column), this.#isFirst);
      }
    });
    return scratch;
  }

  /** Adds an element of B to the riders. */
  #ride({ places, place, column, steps, step, sides }: Element): void {
    const { b } = this.#ev;
    const add = () =>
      this.#c.riders.forEach(({ reduce }, i) => {
        const product = productAt(this.#tile(places), steps, firstRow, place, step, [], sides, reduce);
        const riding = this.#riding[i]!;
        b.set(riding, column, stepOf(b, reduce.op, b.read(riding, column), product));
      });
    if (this.#isFirst) b.if(this.#isFirst, add);
    else add();
  }

  /** The sums of products and what they become. */
  #products(): readonly BufferRef[] {
    const { depth, columns } = this.#tiling;
    const { b } = this.#ev;
    const extent = this.#summed.extent;
    const chunks = Math.floor(extent / depth);
    const rest = extent - chunks * depth;
    const { op, body } = this.#c.reduce;
    const zero = b.widen(b.literal(body.type, identityOf(op, body.type)), this.#c.width);
    if (chunks + (rest > 0 ? 1 : 0) === 1) {
      const chunk = this.#chunk(0, 1, extent);
      chunk.open((panel) => {
        for (let column = 0; column < columns; column++) this.#readAhead(this.#columns, column);
        this.#forRows((_, tile) => {
          for (let column = 0; column < columns; column++) readBesideSum(tile, firstRow, column);
          panel.forColumns(tile, () => zero, (column, sum) => storeResults(tile, firstRow, column, sum));
        }, panel);
      });
      return [];
    }
    const sums = sumsOf(this.#c, this.#tiling, this.#groups, b, this.#ev);
    const load = ({ buffer, index }: Slot) => b.load(buffer, index, this.#c.width, true);
    const accumulate = (first: number, count: number, depth: number) =>
      this.#chunk(first, count, depth).open((panel) => {
        this.#forRows((row, tile) => {
          const slots = Array.from(
            { length: columns },
            (_, column) => sums.slot(tile, row, column, b.int(column)),
          );
          panel.forColumns(
            tile,
            (column) =>
              first > 0 ? load(slots[column]!) : b.select(panel.isFirst, zero, load(slots[column]!)),
            (column, sum) => b.store(slots[column]!.buffer, slots[column]!.index, sum),
          );
        }, panel);
      });
    accumulate(0, chunks, depth);
    if (rest > 0) accumulate(chunks * depth, 1, rest);
    if (sums.done) return sums.scratch;
    forColumns(this.#ev, this.#fresh, this.#columns, (columns, place, column) => {
      this.#readAhead(columns, place);
      this.#forRows((row, tile) => {
        const here = { ...tile, columns };
        storeResults(here, firstRow, place, load(sums.slot(here, row, place, column)));
      });
    });
    return sums.scratch;
  }

  /** Evaluates, ahead of the rows, what results need of a column alone (a bias). */
  #readAhead(columns: Places, place: number): void {
    const { reduce, stores, width } = this.#c;
    const { k } = this.#ev;
    if (updatesInPlace(stores)) return;
    const here = new Map<Value, Value>(at(this.#tile(columns), firstRow, place));
    for (const { value } of stores) {
      const beside = k.substitute(value, new Map([[reduce, k.const(0, reduce.type)]]));
      this.#ev.hoist(k.substitute(beside, here), this.#row, width, alongOf(columns));
    }
  }

  #chunk(first: number, count: number, depth: number): Chunk {
    const ride = this.#c.riders.length > 0 ? (element: Element) => this.#ride(element) : undefined;
    return new Chunk(this.#c, this.#ev, this.#fresh, this.#columns, first, count, depth, ride);
  }

  /** The row that the loop over rows is at, and some columns. */
  #tile(columns: Places): Tile {
    const rows: Places = {
      count: 1,
      width: 1,
      component: this.#ev.k.int(0),
      at: () => this.#c.rows.map((v, i) => [v, this.#row[i]!] as const),
      inside: () => undefined,
    };
    return { c: this.#c, ev: this.#ev, rows, columns };
  }

  /** One turn per row of the workgroup; where rows slide, along the lines of the innermost variable. */
  #forRows(f: (row: Instr, tile: Tile) => void, panel?: FilledChunk): void {
    const { b } = this.#ev;
    const { rows, windows } = this.#c;
    const tile = this.#tile(this.#columns);
    if (rows.length === 0) return f(b.int(0), tile);
    const bindings = (indices: readonly Instr[]) => indices.map((at, i) => [this.#row[i]!, at] as const);
    if (!windows) {
      b.for(b.int(0), this.#rowCount, 1, (row) => {
        const indices = decode(b, b.add(this.#firstRow, row), rows.map((v) => v.extent));
        this.#ev.with(bindings(indices), () => f(row, tile));
      });
      return;
    }
    const length = rows.at(-1)!.extent;
    const inner = this.#row.at(-1)!;
    b.for(b.int(0), b.div(this.#rowCount, length), 1, (line) => {
      const at = b.add(b.div(this.#firstRow, length), line);
      this.#ev.with(bindings(decode(b, at, rows.slice(0, -1).map((v) => v.extent))), () => {
        const carry = panel?.carry(tile, inner);
        b.for(b.int(0), b.int(length), 1, (counter) => {
          const row = () => f(b.add(b.mul(line, length), counter), tile);
          this.#ev.with([[inner, counter]], () => carry ? carry.turn(row) : row());
        });
      });
    });
  }
}
