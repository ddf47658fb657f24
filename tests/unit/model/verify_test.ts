/** The verifier blames the stage by name for each promise that is broken. */

import assert from "node:assert/strict";
import { add, init, input, model, mul, setState, state } from "../../../mod.ts";
import type { Graph } from "../../../compiler/graph/graph.ts";
import type { Node } from "../../../compiler/graph/node.ts";
import { verifyGraph } from "../../../compiler/graph/verify.ts";

const graph = (): Graph =>
  model({ x: input([3], "f32") }, ({ x }) => {
    const average = state("average", [3], init.zeros());
    setState(average, add(average, x));
    return { y: mul(x, average) };
  }).graph;

const fails = (broken: (g: Graph) => Graph, message: RegExp) => {
  assert.throws(() => verifyGraph(broken(graph()), "some stage"), (error: Error) => {
    assert.match(error.message, /^some stage: /);
    assert.match(error.message, message);
    return true;
  });
};

Deno.test("verifyGraph() passes what model() makes", () => verifyGraph(graph(), "model"));

Deno.test("verifyGraph() wants topological order and a builder's own nodes", () => {
  fails((g) => ({ ...g, nodes: g.nodes.toReversed() }), /out of order|not in the graph before it/);
  fails((g) => ({ ...g, nodes: g.nodes.slice(1) }), /not in the graph before it/);
  fails((g) => ({ ...g, builder: graph().builder }), /belongs to another builder/);
});

Deno.test("verifyGraph() infers every type again", () => {
  const wrong = (node: Node): Node => ({ ...node, types: [{ shape: [4], dtype: "f32" }] });
  fails((g) => {
    const last = g.nodes.at(-1)!;
    const changed = wrong(last);
    g.builder.nodes[last.id] = changed;
    return { ...g, nodes: [...g.nodes.slice(0, -1), changed], outputs: {}, writes: [] };
  }, /has the types f32\[4\], and infer says f32\[3\]/);
});

Deno.test("verifyGraph() wants one declaration and one write of a state", () => {
  fails((g) => ({ ...g, states: [...g.states, ...g.states] }), /declared twice/);
  fails((g) => ({ ...g, writes: [...g.writes, ...g.writes] }), /written twice/);
  fails((g) => ({ ...g, states: [] }), /is written and no state/);
});
