/** The gradient of every op's gradient agrees with finite differences: Hessian-vector products rest on it. */

import { tableOps } from "../support/compile_samples.ts";
import {
  assertGradients,
  gradientGraph,
  hasGradient,
  smoothSamples,
} from "../../runtime/check_op/finite_differences.ts";
import { graphOf } from "../../runtime/check_op/sample_graph.ts";

for (const op of tableOps().filter(hasGradient)) {
  const [first] = smoothSamples(op);
  const graph = first && gradientGraph(graphOf(op, first));
  if (!graph) continue;
  Deno.test(`${op.name}: the gradient of its gradient agrees with finite differences`, () => {
    assertGradients([graph]);
  });
}
