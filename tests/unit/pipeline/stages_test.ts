/**
 * Every stage of a compile can be heard: timed, verified, and printed as text.
 *
 * After a change on purpose: `deno test -A tests/unit/pipeline/stages_test.ts -- --update`, and read the difference.
 */

import assert from "node:assert/strict";
import { compileGraph, policies } from "../../../compiler/compile.ts";
import type { FusionPolicy } from "../../../compiler/fuse/policy.ts";
import type { Graph } from "../../../compiler/graph/graph.ts";
import { testTarget } from "../../../compiler/target.ts";
import {
  input,
  linear,
  model,
  mse,
  PrintingTrace,
  sgd,
  softmax,
  TimingTrace,
  trainStep,
} from "../../../mod.ts";

const golden = new URL("../../golden/stages.txt", import.meta.url);

const stages = [
  "bind",
  "simplify",
  "isolate",
  "rematerialize",
  "fuse",
  "place",
  "pack",
  "schedule",
  "assemble",
];

const softmaxGraph = (): Graph => model({ x: input([2, 8], "f32") }, ({ x }) => ({ y: softmax(x) })).graph;

/** What stages print while a graph is compiled. */
function printed(graph: Graph, names?: readonly string[], policy: FusionPolicy = policies.greedy): string[] {
  const texts: string[] = [];
  const trace = new PrintingTrace(names, (text) => texts.push(text));
  compileGraph(graph, { target: testTarget, policy, trace });
  return texts;
}

Deno.test("a compile goes through its stages in order, each timed and each with a text", () => {
  const trace = new TimingTrace();
  compileGraph(softmaxGraph(), { target: testTarget, trace });
  assert.deepEqual([...trace.times.keys()], stages);
  const headings = printed(softmaxGraph()).map((text) => text.split("\n")[0]);
  assert.deepEqual(headings, stages.map((stage) => `--- ${stage}`));
});

Deno.test("the stages of a softmax and of a training step print as the golden file says", () => {
  const net = model({ x: input([2, 3], "f32"), t: input([2, 4], "f32") }, ({ x, t }) => {
    return { loss: mse(linear(3, 4)(x), t) };
  });
  const step = trainStep(net, sgd({ rate: 0.1, momentum: 0.9 })).graph;
  const text = [
    "# softmax of [2, 8]\n",
    ...printed(softmaxGraph(), ["simplify", "fuse", "schedule"]),
    "# a linear layer and SGD with momentum\n",
    ...printed(step, ["place", "pack", "assemble"]),
  ].join("\n");
  if (Deno.args.includes("--update")) Deno.writeTextFileSync(golden, text);
  assert.equal(text, Deno.readTextFileSync(golden));
});

Deno.test("a text is written before its stage is verified: it shows what is wrong", () => {
  const broken: FusionPolicy = { name: "broken", cover: () => ({ groups: [], decisions: [] }) };
  const texts: string[] = [];
  const trace = new PrintingTrace(["isolate", "fuse"], (text) => texts.push(text.split("\n")[0]!));
  assert.throws(() => compileGraph(softmaxGraph(), { target: testTarget, policy: broken, trace }), /broken/);
  assert.deepEqual(texts, ["--- isolate", "--- fuse"]);
});
