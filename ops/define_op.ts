/**
 * The op table. `defineOp` is the one way into it, and tests, docs and importers iterate it: there is no second list.
 */

import { ShapeError } from "../compiler/errors.ts";
import type { Op } from "../compiler/graph/op.ts";

// deno-lint-ignore no-explicit-any -- the table holds ops of every attribute type.
const table = new Map<string, Op<any>>();

/**
 * Registers an op and returns it. Its name is its identity in graphs, files and messages.
 *
 * @throws ShapeError where there is an op of this name already.
 */
export function defineOp<Attrs>(op: Op<Attrs>): Op<Attrs> {
  if (table.has(op.name)) {
    throw new ShapeError(
      `defineOp: there is an op "${op.name}" already; give yours a name of its own, such as "my_${op.name}"`,
    );
  }
  table.set(op.name, op);
  return op;
}

/** Every op, by name. Import `ops/mod.ts` first: it is what loads them all. */
// deno-lint-ignore no-explicit-any -- see `table`.
export const opTable: ReadonlyMap<string, Op<any>> = table;
