/**
 * An op by its name and attributes: exactly one node, whatever the functions of `ops/` would make of the same call.
 * @module
 */

import { ShapeError } from "../compiler/errors.ts";
import { applyAll } from "../compiler/graph/build.ts";
import type { Tensor } from "../compiler/graph/node.ts";
import { opTable } from "./define_op.ts";

/**
 * The results of an op in the current graph, by the op's name and its attributes as `printGraph` shows them.
 *
 * Models are written with the functions of ops. This is for graphs that a program writes (a reproduction of a bug, an
 * importer): some nodes are made by passes and gradients only, and no function gives exactly them.
 *
 * @param name The op's name, such as `"sumOfSquares"`.
 * @param attrs Plain data, each attribute under its name.
 * @returns One tensor per result.
 * @throws ShapeError where there is no such op, or the op refuses its inputs.
 * @example
 * ```ts
 * import { applyNamed, input, model } from "@weft/weft";
 *
 * const net = model({ x: input([4, 8], "f32") }, ({ x }) => {
 *   const [y] = applyNamed("sum", [x], { axes: [1] });
 *   return { y: y! };
 * });
 * ```
 */
export function applyNamed(
  name: string,
  inputs: readonly Tensor[],
  attrs: Readonly<Record<string, unknown>> = {},
): readonly Tensor[] {
  const op = opTable.get(name);
  if (op) return applyAll(op, inputs, attrs);
  const near = [...opTable.keys()].filter((known) => known.toLowerCase() === String(name).toLowerCase());
  throw new ShapeError(
    `applyNamed: there is no op "${name}"` + (near.length > 0 ? `; there is "${near[0]}"` : ""),
  );
}
