import assert from "node:assert/strict";
import { workOf } from "../../../compiler/schedule/attention/tile.ts";
import { gpuTarget, softwareTarget, type Target, testTarget } from "../../../compiler/target.ts";
import { attentionOp } from "../../../ops/nn/attention.ts";
import { attentionBackwardOp } from "../../../ops/nn/attention_backward.ts";
import { caseOf, check, plan } from "./attention_support.ts";

const oneLane: Target = { ...testTarget, name: "one lane", lanes: { map: 1, row: 1, contraction: 1 } };
const targets: readonly Target[] = [testTarget, softwareTarget, gpuTarget, oneLane];

for (const target of targets) {
  Deno.test(`attention equals its reference on ${target.name}`, () => {
    for (const sample of attentionOp.samples) {
      check(caseOf(attentionOp, sample), target, "javascript");
      check(caseOf(attentionOp, sample), target, "interpret");
    }
  });

  Deno.test(`attentionBackward equals its reference on ${target.name}`, () => {
    for (const sample of attentionBackwardOp.samples) {
      check(caseOf(attentionBackwardOp, sample), target, "javascript");
      check(caseOf(attentionBackwardOp, sample), target, "interpret");
    }
  });
}

Deno.test("attention on small targets stays within their statements", () => {
  for (const target of [testTarget, oneLane]) {
    for (const sample of attentionOp.samples) {
      for (const kernel of plan(caseOf(attentionOp, sample), target)) {
        assert.ok(workOf(kernel.kernel) <= target.statements, `${workOf(kernel.kernel)} on ${target.name}`);
      }
    }
  }
});
