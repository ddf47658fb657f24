/** The decision that compiler/README.md follows down to the line is the one that is made. */

import assert from "node:assert/strict";
import { compileGraph, policies } from "../../compiler/compile.ts";
import { softwareTarget } from "../../compiler/target.ts";
import { step } from "../../examples/gpt_step.ts";
import { explain } from "../../mod.ts";

const explained = (policy: "greedy" | "search") => {
  const options = { target: softwareTarget, sizes: { batch: 8 }, policy: policies[policy] };
  const list = explain(compileGraph(step.graph, options), "position/gather", "add");
  assert.equal(list.length, 1);
  return list[0]!;
};

Deno.test("greedy stores the GPT's position embedding for want of a buffer that it has in the end", () => {
  const { a, b, fused, rule, because, refusedBy, inPlace } = explained("greedy");
  assert.deepEqual([a.op, b.op, fused, rule], ["gather", "add", false, "binding limit"]);
  assert.match(a.lines[0]!, /examples\/gpt\.ts:\d+:\d+$/);
  assert.match(because, /needs 9 storage buffers, and the limit is 8/);
  assert.match(refusedBy!, /add.*square.*neg/);
  assert(inPlace && "kernels" in inPlace && inPlace.inPlaceMs < inPlace.storedMs, "it is legal in the end");
});

Deno.test("search computes the GPT's position embedding where it is read", () => {
  assert(explained("search").fused);
});
