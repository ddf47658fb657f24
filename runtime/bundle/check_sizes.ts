/**
 * Whether a bundle for these sizes can do anything.
 *
 * Tensors without elements are legal, also as some of a bundle's inputs or outputs (a cache that is empty at first). A
 * bundle whose inputs all are, or that changes nothing and gives nothing, is a mistake: its self-test would compare
 * nothing, and hold.
 * @module
 */

import { RunError } from "../../compiler/errors.ts";
import { bindDim, type Sizes } from "../../compiler/graph/dim.ts";
import { type Graph, inputName } from "../../compiler/graph/graph.ts";
import type { Tensor } from "../../compiler/graph/node.ts";

/**
 * @throws RunError where nothing can be fed to a bundle with these sizes, or nothing comes of it.
 * @example
 * ```ts
 * import { input, model, relu } from "@weft/weft";
 * import { checkSizes } from "./check_sizes.ts";
 *
 * const net = model({ x: input(["batch", 4], "f32") }, ({ x }) => ({ y: relu(x) }));
 * checkSizes(net.graph, { batch: 1 }); // and of { batch: 0 } it says that nothing can be fed
 * ```
 */
export function checkSizes({ inputs, outputs, writes }: Graph, sizes: Sizes): void {
  const isEmpty = ({ shape }: Tensor) => shape.some((dim) => bindDim(dim, sizes) === 0);
  const results = [...Object.values(outputs), ...writes.map(({ value }) => value)];
  const what = inputs.length > 0 && inputs.every(isEmpty)
    ? `no input has an element (${inputs.map(inputName).join(", ")}), so nothing can be fed to it`
    : results.every(isEmpty)
    ? `no output has an element (${Object.keys(outputs).join(", ")}), so it gives nothing`
    : undefined;
  if (what === undefined) return;
  const zeros = Object.keys(sizes).filter((name) => sizes[name] === 0).map((name) => `${name} = 0`);
  const where = zeros.length === 0 ? "" : ` with ${zeros.join(", ")}`;
  throw new RunError(
    `A bundle${where} can do nothing: ${what}. Give sizes from 1 up; \`batch=..8\` takes any up to 8.`,
  );
}
