/** The gradient of every op's gradient agrees with finite differences: Hessian-vector products rest on it. */

import { opTable } from "../../ops/define_op.ts";
import "../../ops/mod.ts";
import { assertGradients, gradientGraph, hasGradient, smoothSamples } from "../support/finite_differences.ts";
import { graphOf } from "../support/op_samples.ts";

/** Ops whose contents, or rule, are given by the user and not stated by the op. */
const given = new Set(["input", "state", "customGradient"]);

for (const op of [...opTable.values()].filter((op) => !given.has(op.name) && hasGradient(op))) {
  const [first] = smoothSamples(op);
  const graph = first && gradientGraph(graphOf(op, first));
  if (!graph) continue;
  Deno.test(`${op.name}: the gradient of its gradient agrees with finite differences`, () => {
    assertGradients([graph]);
  });
}
