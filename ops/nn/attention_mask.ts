/**
 * Masks that are known while compiling: whether one is the causal mask is found out by evaluating it, not by how it is
 * spelled. A kernel skips what causality hides; a mask that it has to load hides nothing from it.
 */

import type { HostArray } from "../../compiler/graph/dtype.ts";
import type { Dim } from "../../compiler/graph/dim.ts";
import type { Node, Tensor } from "../../compiler/graph/node.ts";
import type { ConcreteType } from "../../compiler/kernel/value.ts";
import { isProgram } from "../../compiler/graph/op.ts";
import { count } from "../views/walk.ts";

/** A mask with more elements is left alone: evaluating it would take longer than it saves. */
const mostElements = 2 ** 20;

/**
 * "causal" where the mask hides exactly the keys after a query, counted from the end; "nothing" where it hides none.
 *
 * @param mask bool (true: visible), or numbers of which 0 shows and −∞ hides.
 * @param inverted True hides.
 */
export function causalPart(
  mask: Tensor,
  { queries, keys }: { readonly queries: Dim; readonly keys: Dim },
  inverted: boolean,
): "causal" | "nothing" | undefined {
  if (typeof queries !== "number" || typeof keys !== "number" || queries * keys > mostElements) {
    return undefined;
  }
  // One mask for all heads and batches.
  if (!mask.shape.slice(0, -2).every((d) => d === 1)) return undefined;
  const values = valuesOf(mask, new Map());
  if (!values) return undefined;
  const [rows, columns] = [mask.shape.at(-2) ?? 1, mask.shape.at(-1) ?? 1];
  let causal = true;
  let nothing = true;
  for (let i = 0; i < queries; i++) {
    for (let j = 0; j < keys; j++) {
      const value = values[(rows === 1 ? 0 : i) * (columns as number) + (columns === 1 ? 0 : j)]!;
      const shows = mask.dtype === "bool" ? (value !== 0) !== inverted : value === 0;
      if (!shows && mask.dtype !== "bool" && value !== -Infinity) return undefined;
      if (!shows) nothing = false;
      if (shows !== j <= i + keys - queries) causal = false;
    }
  }
  return nothing ? "nothing" : causal ? "causal" : undefined;
}

const concrete = ({ shape, dtype }: Pick<Tensor, "shape" | "dtype">): ConcreteType | undefined =>
  shape.every((d) => typeof d === "number") ? { shape: shape as readonly number[], dtype } : undefined;

/** A tensor's contents, where nothing that is fed or random goes into it. */
function valuesOf(t: Tensor, known: Map<Node, readonly HostArray[] | undefined>): HostArray | undefined {
  const { node } = t;
  if (!known.has(node)) known.set(node, resultsOf(node, known));
  return known.get(node)?.[t.result];
}

function resultsOf(
  node: Node,
  known: Map<Node, readonly HostArray[] | undefined>,
): readonly HostArray[] | undefined {
  const { op, attrs, inputs, types } = node;
  if (op.name === "input" || op.name === "state" || attrs.stream !== undefined || isProgram(op.lower)) {
    return undefined;
  }
  const outputs = types.map(concrete);
  const inputTypes = inputs.map(concrete);
  const all = [...outputs, ...inputTypes];
  if (all.some((type) => type === undefined || count(type.shape) > mostElements)) return undefined;
  const values: HostArray[] = [];
  for (const input of inputs) {
    const found = valuesOf(input, known);
    if (!found) return undefined;
    values.push(found);
  }
  return op.reference(values, attrs, {
    inputs: inputTypes as readonly ConcreteType[],
    outputs: outputs as readonly ConcreteType[],
  });
}
