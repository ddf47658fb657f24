/**
 * The panel: B in private memory, rows of A as broadcasts, long loops per lane. What a CPU behind Vulkan likes.
 *
 *     for chunks of k, `depth` steps each:
 *         a small loop fills the lane's panel: B at its columns, `depth` steps
 *         for the workgroup's rows: A at the row (the same for all lanes);
 *             per column: sum += combine(a, panel), over the chunk
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
import { alongOf, Operand, Steps } from "./operand.ts";
import { decode, FreshVars, layPlaces, type Places, tileExtents, tilesOf } from "./places.ts";
import { type Contraction, extentOf } from "./problem.ts";
import { productAt, storeResults, type Tile } from "./product.ts";
import { takenBy } from "./register.ts";
import { cutSides } from "./sides.ts";
import { type Slot, sumsOf } from "./sums.ts";
import type { Tiling } from "./tiling.ts";

/** The same contraction over one summed variable, which the others are decoded from. */
export function flattenSummed(c: Contraction): Contraction {
  const { k, reduce } = c;
  if (reduce.vars.length === 1) return c;
  const flat = k.fresh(extentOf(reduce.vars), takenBy(c));
  const map = new Map<Value, Value>();
  let rest = flat;
  for (const v of [...reduce.vars].reverse()) {
    map.set(v, k.imod(rest, v.extent));
    rest = k.idiv(rest, v.extent);
  }
  const flattened = k.reduceOver(reduce.op, [flat], k.substitute(reduce.body, map));
  if (flattened.kind !== "reduce") return c;
  const stores = c.stores.map((s) => ({
    ...s,
    value: k.substitute(s.value, new Map([[reduce, flattened]])),
  }));
  return { ...c, reduce: flattened, stores, ...cutSides(flattened.body, c) };
}

export const panelGroups = (c: Contraction, { grid, rows, columns }: Tiling): number =>
  extentOf(c.batch) * Math.ceil(extentOf(c.rows) / rows) * tilesOf(c.columns, c.width, grid[1], columns);

/** @param c With one summed variable. */
export function panelKernel(
  c: Contraction,
  tiling: Tiling,
): BuiltKernel & { readonly scratch: readonly BufferRef[] } {
  const b = new IrBuilder(tiling.grid[1]);
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
  readonly #groups: number;

  constructor(c: Contraction, tiling: Tiling, ev: Evaluator, fresh: FreshVars) {
    [this.#c, this.#ev, this.#fresh, this.#tiling] = [c, ev, fresh, tiling];
    this.#groups = panelGroups(c, tiling);
    const { b } = ev;
    const rowExtent = extentOf(c.rows);
    const rowTiles = Math.ceil(rowExtent / tiling.rows);
    const columnTiles = tileExtents(c.columns, c.width, tiling.grid[1] * tiling.columns);
    const index = decode(b, b.group, [...c.batch.map((v) => v.extent), rowTiles, ...columnTiles]);
    c.batch.forEach((v, i) => ev.bind(v, index[i]!));
    const tile = index.slice(c.batch.length + 1);
    this.#summed = c.reduce.vars[0]!;
    this.#columns = layPlaces(ev, fresh, c.columns, c.width, tile, b.lane, tiling.grid[1], tiling.columns);
    this.#row = c.rows.map((v) => fresh.of(v.extent));
    this.#firstRow = b.mul(index[c.batch.length]!, tiling.rows);
    const left = b.sub(b.int(rowExtent), this.#firstRow);
    this.#rowCount = rowExtent % tiling.rows === 0 ? b.int(tiling.rows) : b.min(left, tiling.rows);
  }

  /** Writes the loops; returns the scratch buffers they need. */
  write(): readonly BufferRef[] {
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
        this.#forRows((_, tile) => {
          panel.forColumns(tile, () => zero, (column, sum) => storeResults(tile, firstRow, column, sum));
        });
      });
      return [];
    }
    const sums = sumsOf(this.#c, this.#tiling, this.#groups, b, this.#ev);
    const load = ({ buffer, index }: Slot) => b.load(buffer, index, this.#c.width, true);
    const accumulate = (first: number, count: number, depth: number) =>
      this.#chunk(first, count, depth).open((panel) => {
        this.#forRows((row, tile) => {
          const slots = Array.from({ length: columns }, (_, column) => sums.slot(tile, row, column));
          panel.forColumns(
            tile,
            (column) =>
              first > 0 ? load(slots[column]!) : b.select(panel.isFirst, zero, load(slots[column]!)),
            (column, sum) => b.store(slots[column]!.buffer, slots[column]!.index, sum),
          );
        });
      });
    accumulate(0, chunks, depth);
    if (rest > 0) accumulate(chunks * depth, 1, rest);
    if (sums.done) return sums.scratch;
    this.#forRows((row, tile) => {
      for (let column = 0; column < columns; column++) {
        storeResults(tile, firstRow, column, load(sums.slot(tile, row, column)));
      }
    });
    return sums.scratch;
  }

  #chunk(first: number, count: number, depth: number): Chunk {
    return new Chunk(this.#c, this.#ev, this.#fresh, this.#columns, first, count, depth);
  }

  /** One turn per row of the workgroup. */
  #forRows(f: (row: Instr, tile: Tile) => void): void {
    const { b } = this.#ev;
    const { rows } = this.#c;
    const places: Places = {
      count: 1,
      width: 1,
      component: this.#ev.k.int(0),
      at: () => rows.map((v, i) => [v, this.#row[i]!] as const),
      inside: () => undefined,
    };
    const tile: Tile = { c: this.#c, ev: this.#ev, rows: places, columns: this.#columns };
    if (rows.length === 0) return f(b.int(0), tile);
    b.for(b.int(0), this.#rowCount, 1, (row) => {
      const indices = decode(b, b.add(this.#firstRow, row), rows.map((v) => v.extent));
      this.#ev.with(this.#row.map((v, i) => [v, indices[i]!] as const), () => f(row, tile));
    });
  }
}

const firstRow = { place: 0, component: 0 };

/** Some chunks of k of one depth: the panel of B that belongs to each, and the products with it. */
class Chunk {
  readonly #chunk: Value;

  constructor(
    readonly c: Contraction,
    readonly ev: Evaluator,
    readonly fresh: FreshVars,
    readonly columns: Places,
    readonly first: number,
    readonly count: number,
    readonly depth: number,
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

  /** Loops of few statements; by fours where B is contiguous in k, and transposed. */
  #fill(panels: readonly (ArrayDecl | undefined)[], start: Value): void {
    const { c, ev, columns, depth } = this;
    const { b, k } = ev;
    const own = c.columns.at(-1);
    const byFours = depth % 4 === 0 && c.b.some((side) => alongOf([side], own, this.#summed, depth) === "k");
    const per = byFours ? 4 : 1;
    this.#loop(depth / per, (turn, counter) => {
      const steps = new Steps(ev, this.fresh, this.#summed, k.affine([[start, 1], [turn, per]]), per);
      const fill = (places: Places, place: number, column: Instr) =>
        panels.forEach((panel, i) => {
          if (!panel) return;
          const best = alongOf([c.b[i]!], own, this.#summed, per) === "k" ? "k" : undefined;
          const operand = new Operand(
            ev,
            c.b[i]!,
            places,
            steps,
            best ?? (columns.width === 4 ? "own" : "none"),
          );
          for (let step = 0; step < per; step++) {
            const slot = b.add(b.add(b.mul(counter, per * columns.count), step * columns.count), column);
            b.set(panel, slot, operand.vector(place, step));
          }
        });
      if (columns.only) {
        const { only } = columns;
        this.#loop(columns.count, (place, column) => fill(only(place), 0, column));
      } else for (let p = 0; p < columns.count; p++) fill(columns, p, b.int(p));
    });
  }

  /** A loop over a new variable. */
  #loop(count: number, body: (variable: Value, counter: Instr) => void): void {
    const { ev, fresh } = this;
    const variable = fresh.of(count);
    if (variable.kind !== "var") return body(variable, ev.b.int(0));
    ev.b.for(
      ev.b.int(0),
      ev.b.int(count),
      1,
      (counter) => ev.with([[variable, counter]], () => body(variable, counter)),
    );
  }
}

/** A chunk whose panel lies ready. */
class FilledChunk {
  constructor(
    readonly c: Contraction,
    readonly ev: Evaluator,
    readonly columns: Places,
    readonly steps: Steps,
    readonly panels: readonly (ArrayDecl | undefined)[],
    /** The chunk is the first of its loop: there are no sums yet. */
    readonly isFirst: Instr,
  ) {}

  /** Column by column, so that few sums are alive at a time: from `start`, over the chunk, to `end`. */
  forColumns(tile: Tile, start: (column: number) => Instr, end: (column: number, sum: Instr) => void): void {
    const { c, ev, columns, steps, panels } = this;
    const { b } = ev;
    const ownRow = c.rows.at(-1);
    const a = c.a.map((side) => {
      const along = alongOf([side], ownRow, steps.variable, steps.count) === "k" ? "k" : "none";
      return new Operand(ev, side, tile.rows, steps, along);
    });
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
