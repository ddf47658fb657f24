/** What nobody reads any more is not stored, and what was only needed for that is not computed. */

import assert from "node:assert/strict";
import type { Group } from "../../../compiler/fuse/group.ts";
import { pruned } from "../../../compiler/fuse/prune.ts";
import { verifyCover } from "../../../compiler/fuse/verify.ts";
import { demanded } from "../../../compiler/graph/graph.ts";
import type { Tensor } from "../../../compiler/graph/node.ts";
import { exp, input, model, neg, sin, topK } from "../../../mod.ts";

const group = (id: number, roots: readonly Tensor[], others: readonly Tensor[] = []): Group => ({
  id,
  roots,
  nodes: new Set([...others, ...roots].map((t) => t.node)),
});

const names = (groups: readonly Group[]) =>
  groups.map(({ roots, nodes }) =>
    [roots, [...nodes].map((node) => ({ node }))].map((list) => {
      return list.map(({ node }) => node.op.name).join(" ");
    })
  );

Deno.test("pruned() leaves out results that nobody reads, what is computed for them, and what only that had read", () => {
  let [a, b, c, d]: Tensor[] = [];
  const { graph } = model({ x: input([4], "f32") }, ({ x }) => {
    [a, b, c, d] = [exp(x), neg(exp(x)), sin(neg(exp(x))), sin(x)];
    return { c: c as typeof x, d: d as typeof x };
  });
  // The last group computes a and b for itself.
  const groups = [group(0, [a!]), group(1, [b!, d!]), group(2, [c!], [a!, b!])];
  const wanted = demanded(graph);
  const left = pruned(groups, wanted);
  assert.deepEqual(names(left), [["sin", "sin"], ["sin", "exp neg sin"]]);
  verifyCover(graph, { groups: left, decisions: [] }, "by hand");
  assert.equal(pruned(left, wanted), left);
});

Deno.test("pruned() keeps all results of a program or none", () => {
  let [values, indices, other]: Tensor[] = [];
  const { graph } = model({ x: input([4], "f32") }, ({ x }) => {
    const two = topK(x, 2);
    [values, indices, other] = [two.values, two.indices, topK(x, 3).values];
    return { values: two.values };
  });
  const groups = [group(0, [values!, indices!]), group(1, [other!])];
  assert.deepEqual(pruned(groups, demanded(graph)), [groups[0]]);
});
