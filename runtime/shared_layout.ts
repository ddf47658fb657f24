/**
 * Which states a program takes over from another, and where they lie.
 * @module
 */

import { RunError } from "../compiler/errors.ts";
import { bindDim, sameShape, showShape, type Sizes } from "../compiler/graph/dim.ts";
import type { Graph } from "../compiler/graph/graph.ts";
import type { StateSlot } from "../compiler/program/program.ts";
import type { StateLayout } from "../compiler/program/state_layout.ts";
import { randomKeyPath } from "../ops/random/key.ts";
import { ProgramState, type State } from "./state.ts";

/**
 * The layout that a graph is compiled for.
 *
 * @param mine Whether the state is of the same model in other sizes. Then states that depend on a size are left out, and
 * the random key is shared.
 */
export function layoutFor(graph: Graph, sizes: Sizes, state: State, mine: boolean): StateLayout {
  if (!(state instanceof ProgramState)) {
    throw new RunError(
      "compile(): `state` takes the `state` of another executable, or a function of first values.",
    );
  }
  const slots = new Map<string, StateSlot>();
  const lacking: string[] = [];
  for (const { path, role, tensor } of graph.states) {
    const slot = state.layout.slots.get(path);
    if (slot === undefined) {
      if (role === "parameter") lacking.push(`"${path}"`);
      continue;
    }
    if (path === randomKeyPath && !mine) continue;
    const shape = tensor.shape.map((dim) => bindDim(dim, sizes));
    if (sameShape(shape, slot.shape) && tensor.dtype === slot.dtype) slots.set(path, slot);
    else if (!mine) {
      throw new RunError(
        `compile(): "${path}" is ${tensor.dtype} of shape ${
          showShape(shape)
        }, and the state that is to be shared has ` +
          `it as ${slot.dtype} of shape ${showShape(slot.shape)}.`,
      );
    }
  }
  if (lacking.length > 0) {
    throw new RunError(
      `compile(): the state that is to be shared lacks the parameters ${lacking.slice(0, 5).join(", ")}` +
        `${
          lacking.length > 5 ? ` and ${lacking.length - 5} more` : ""
        }. Give a function of first values, then use ` +
        "`state.copyFrom()` for what both have.",
    );
  }
  return { arenas: state.layout.arenas, slots };
}
