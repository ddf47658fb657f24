/**
 * Every op of the table against its own statements: infer, reference, lower, gradient, error bound (DESIGN §6).
 *
 * An op gets these tests by being in the table.
 */

import assert from "node:assert/strict";
import type { Op, Sample } from "../../../compiler/graph/op.ts";
import { isProgram } from "../../../compiler/graph/op.ts";
import { type HostArray, isFloat } from "../../../compiler/graph/dtype.ts";
import { tableOps } from "../../support/compile_samples.ts";
import { concreteTypes, evaluateGraph } from "../../support/evaluate.ts";
import { assertGradients, hasGradient, smoothSamples } from "../../support/finite_differences.ts";
import { evaluateLowering, graphOf } from "../../support/op_samples.ts";
import { type Expected, expectedOf, mismatches } from "../../support/tolerance.ts";

let cases = 0;
const dropped: string[] = [];

for (const op of tableOps()) {
  Deno.test(`${op.name}: has samples, and infers the sizes that its reference fills`, () => {
    assert.ok(op.samples.length > 0, "no samples: nothing of this op is tested");
    for (const sample of op.samples) {
      const graph = graphOf(op, sample);
      const { outputs } = concreteTypes(graph.node);
      evaluateGraph(graph.outputs, graph.feeds).forEach((result, i) => {
        assert.equal(
          result.length,
          outputs[i]!.shape.reduce((n, d) => n * d, 1),
          `result ${i} of ${show(sample)}`,
        );
      });
    }
  });

  if (!isProgram(op.lower)) {
    Deno.test(`${op.name}: lowers to what its reference computes, and an error of 1 % is noticed`, () => {
      let noticed = 0;
      for (const sample of op.samples) {
        const graph = graphOf(op, sample);
        const expected = expectedOf(graph.outputs, graph.feeds);
        for (const fused of [false, true]) {
          const got = evaluateLowering(graph, fused);
          expected.forEach((want, i) => {
            cases++;
            if (want.dropped) {
              dropped.push(`${op.name}, ${show(sample)}: ${want.dropped}`);
              return;
            }
            const [wrong] = mismatches(want, got[i]!);
            assert.ok(
              !wrong,
              `result ${i}[${wrong?.index}] is ${wrong?.got} and should be ${wrong?.want} ± ${wrong?.tolerance}, ` +
                `of ${show(sample)}${fused ? ", products fused with sums" : ""}`,
            );
            if (noticesPlantedError(want, got[i]!)) noticed++;
          });
        }
      }
      assert.ok(noticed > 0, "no sample can tell a result from one that is 1 % off");
    });
  }

  if (hasGradient(op)) {
    Deno.test(`${op.name}: its gradient agrees with finite differences`, () => {
      const smooth = smoothSamples(op);
      const { elements } = assertGradients(smooth.map((sample) => graphOf(op, sample)));
      assert.ok(elements > 0 || !smooth.some((sample) => hasSlope(op, sample)), "no element was compared");
    });
  }
}

Deno.test("hardly any case of the op table is dropped as undecidable", () => {
  assert.ok(dropped.length <= 0.02 * cases, `${dropped.length} of ${cases}:\n${dropped.join("\n")}`);
});

/** Whether a float result has a float input to flow to. */
function hasSlope<Attrs>(op: Op<Attrs>, sample: Sample<Attrs>): boolean {
  const { inputs, outputs } = graphOf(op, sample);
  return inputs.some((t) => isFloat(t.dtype) && !t.shape.includes(0)) &&
    outputs.some((t) => isFloat(t.dtype));
}

/** Whether the comparison would notice results that are 1 % off (floats) or another number (integers, bool). */
function noticesPlantedError(expected: Expected, got: HostArray): boolean {
  const off = Float64Array.from(
    got,
    (x) => isFloat(expected.dtype) ? x * 1.01 : expected.dtype === "bool" ? 1 - x : x + 1,
  );
  return mismatches(expected, off).length > 0;
}

const show = (sample: unknown): string => JSON.stringify(sample);
