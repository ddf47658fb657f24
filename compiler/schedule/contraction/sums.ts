/**
 * Where the panel keeps its sums between two chunks of k: in memory, at places that only one lane touches.
 *
 * That is the result's own buffer where a result has the sum's type, is stored by whole vectors, and is read by nobody in
 * the kernel (a state updated in place is); what is stored behind the sum overwrites it at the end. Else it is a scratch
 * buffer of one slot per lane. Private memory would do as well, but drivers take seconds to clear what is that large.
 */

import type { IrBuilder } from "../../kernel/build.ts";
import type { Instr } from "../../kernel/ir.ts";
import { type Evaluator } from "../../kernel/lower.ts";
import { isContiguous } from "../../kernel/stride.ts";
import { type BufferRef, type Value, type Var, walk } from "../../kernel/value.ts";
import { extentOf } from "./extent.ts";
import type { Contraction, Store } from "./problem.ts";
import { at, type Row, type Tile } from "./product.ts";
import type { Tiling } from "./tiling.ts";

/** One sum's place, where the cursor stands. */
export interface Slot {
  readonly buffer: BufferRef;
  readonly index: Instr;
}

export interface Sums {
  /**
   * @param row The row's number within the workgroup.
   * @param place The place among the tile's columns.
   * @param column The number of that column within the lane.
   */
  slot(tile: Tile, row: Instr, place: number, column: Instr): Slot;
  /** What has to be declared as scratch. */
  readonly scratch: readonly BufferRef[];
  /** The sum is all that is stored, and it is in place. */
  readonly done: boolean;
}

/** The store whose buffer can hold the sums meanwhile. */
function hostOf(c: Contraction, { grid, columns }: Tiling): Store | undefined {
  if (c.end) return undefined;
  const vector = c.columns.at(-1)!;
  const units = extentOf(c.columns) / c.width;
  if (units % (grid[1] * columns) !== 0) return undefined;
  const read = new Set<string>();
  walk([...c.stores, ...c.riders.map((r) => r.store)].map((s) => s.value), (v) => {
    if (v.kind === "load") read.add(v.buffer.name);
  });
  return c.stores.find(({ buffer, index }) =>
    buffer.dtype === c.reduce.type && !read.has(buffer.name) &&
    (c.width === 1 || (isContiguous(index, vector) && buffer.size % 4 === 0))
  );
}

const first: Row = { place: 0, component: 0 };

export function sumsOf(c: Contraction, tiling: Tiling, groups: number, b: IrBuilder, ev: Evaluator): Sums {
  const host = hostOf(c, tiling);
  if (host) {
    const slot = (tile: Tile, _: Instr, place: number): Slot => {
      const index = ev.k.substitute(host.index, new Map<Value, Value>(at(tile, first, place)));
      // Of four neighbors the first.
      const along = tile.columns.component;
      return {
        buffer: host.buffer,
        index: ev.eval(ev.k.substitute(index, new Map([[along as Var, ev.k.int(0)]]))),
      };
    };
    return { slot, scratch: [], done: c.stores.length === 1 && host.value === c.reduce };
  }
  const { rows, columns } = tiling;
  const perColumn = tiling.grid[0] * tiling.grid[1] * c.width;
  const perGroup = rows * columns * perColumn;
  const type = c.reduce.type === "bool" ? "u32" : c.reduce.type;
  const buffer: BufferRef = {
    name: `${c.stores[0]!.buffer.name}:sums`,
    dtype: type,
    size: groups * perGroup,
  };
  const slot = (_: Tile, row: Instr, __: number, column: Instr): Slot => {
    const start = b.add(b.mul(b.group, perGroup), b.mul(row, columns * perColumn));
    return { buffer, index: b.add(b.add(start, b.mul(b.lane, c.width)), b.mul(column, perColumn)) };
  };
  return { slot, scratch: [buffer], done: false };
}
