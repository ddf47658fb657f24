/**
 * "Size 0 is legal: no kernel, no binding" (SEMANTICS §3): every sample of every op with one axis of size 0, in one input
 * or in all. Either `infer` refuses it with a sentence, or the compiled op and its gradient are what the references say.
 */

import assert from "node:assert/strict";
import { ShapeError } from "../../compiler/errors.ts";
import type { Op, Sample, SampleInput } from "../../compiler/graph/op.ts";
import { CaseChecker, ways } from "../support/check_cases.ts";
import { caseOf, tableOps } from "../support/compile_samples.ts";
import { gradientGraph } from "../../runtime/check_op/finite_differences.ts";
import { graphOf, type SampleGraph } from "../../runtime/check_op/sample_graph.ts";

/** Ops that only other ops make, from operands that fit already: their sizes depend on each other. */
const internal = new Set(["attentionBackward", "sort"]);

const checker = new CaseChecker();
let compiled = 0;

for (const op of tableOps()) {
  if (internal.has(op.name)) continue;
  Deno.test(`${op.name}: with an axis of size 0 it is refused, or right with its gradient`, () => {
    for (const sample of op.samples) {
      for (const inputs of emptied(sample.inputs)) check(op, { ...sample, inputs });
    }
  });
}

Deno.test("most ops take tensors without elements", () => assert.ok(compiled > 1000, `${compiled} cases`));

function check<Attrs>(op: Op<Attrs>, sample: Sample<Attrs>): void {
  const text = `${op.name}, ${JSON.stringify(sample)}`;
  const graph = unlessRefused(() => graphOf(op, sample));
  if (!graph) return;
  const backward = "notDifferentiable" in op.gradient ? undefined : unlessRefused(() => gradientGraph(graph));
  for (const made of backward ? [graph, backward] : [graph]) {
    checker.check(caseOf(op.name, text, made), [ways.greedy]);
    compiled++;
  }
}

function unlessRefused(make: () => SampleGraph | undefined): SampleGraph | undefined {
  try {
    return make();
  } catch (error) {
    if (error instanceof ShapeError) return undefined;
    throw error;
  }
}

/** The inputs with one axis of size 0: of all of them, and of each alone. */
function* emptied(inputs: readonly SampleInput[]): Generator<SampleInput[]> {
  const rank = Math.max(0, ...inputs.map(({ shape }) => shape.length));
  for (let axis = 0; axis < rank; axis++) {
    const without = ({ values: _, ...input }: SampleInput): SampleInput => (
      { ...input, shape: input.shape.map((d, a) => a === axis ? 0 : d) }
    );
    yield inputs.map(without);
    if (inputs.length > 1) {
      for (const [i] of inputs.entries()) yield inputs.map((x, j) => i === j ? without(x) : x);
    }
  }
}
