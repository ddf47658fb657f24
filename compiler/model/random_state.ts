/**
 * The random key as a state: a graph that draws numbers declares it, and every run advances it (SEMANTICS §5).
 *
 * Random ops read the key by its path; only here is it known whether the graph that is compiled has any.
 */

import { type Graph, makeGraph, type StateDecl } from "../graph/graph.ts";
import { type Node, Tensor } from "../graph/node.ts";
import { rewriteGraph } from "../graph/rewrite.ts";
import { stateOp } from "../../ops/leaves.ts";
import { advancedKey, randomKeyPath } from "../../ops/random/key.ts";

export function withRandomState(traced: Graph): Graph {
  const isKey = (node: Node) => node.op === stateOp && node.attrs.path === randomKeyPath;
  if (!traced.nodes.some(isKey) || traced.states.some((s) => s.path === randomKeyPath)) return traced;
  const graph = rewriteGraph(traced); // a builder of its own, so that the caller's graph stays as it is
  const key = graph.nodes.find(isKey)!;
  const tensor = new Tensor(key, 0) as Tensor<readonly [2], "u32">;
  const state: StateDecl = {
    tensor,
    path: randomKeyPath,
    role: "state",
    initializer: ({ seed }) => Uint32Array.of(seed >>> 0, 0),
    origin: undefined,
  };
  const value = graph.builder.use(() => graph.builder.at("random", () => advancedKey(tensor)));
  return makeGraph({
    ...graph,
    states: [...graph.states, state],
    writes: [...graph.writes, { state: tensor, value, origin: state.origin }],
  });
}
