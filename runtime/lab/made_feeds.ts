/**
 * Feeds for a program that nobody has data for: numbers as tuning draws them, indices below the bounds that
 * the kernels themselves compare them with.
 * @module
 */

import type { Compiled } from "../../compiler/compile.ts";
import { inputName } from "../../compiler/graph/graph.ts";
import type { StoredArray } from "../../compiler/graph/dtype.ts";
import { elementsOf } from "../feeds.ts";
import { contentsFor } from "../tune/inputs.ts";

/** An array for each input of a program; equal programs get equal ones. */
export function madeFeeds(
  { graph, placement, kernels, program }: Pick<Compiled, "graph" | "placement" | "kernels" | "program">,
): Readonly<Record<string, StoredArray>> {
  const refs = new Map(graph.inputs.map((tensor) => [inputName(tensor), placement.storage(tensor).buffer]));
  const contents = contentsFor([...refs.values()], kernels, "signed");
  return Object.fromEntries(program.inputs.map(({ name, shape }) => {
    return [name, contents.get(refs.get(name)!.name)!.slice(0, elementsOf(shape))];
  }));
}
