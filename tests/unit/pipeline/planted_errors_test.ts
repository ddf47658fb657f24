/**
 * A wrong lowering of any op is noticed by the comparison that all tests of compiled graphs use: floats 1 % off, integers
 * one more, bools flipped, in any of the op's results.
 */

import assert from "node:assert/strict";
import type { Op } from "../../../compiler/graph/op.ts";
import { ways } from "../../support/check_cases.ts";
import { caseOf, compileCase, complaintOf, tableOps } from "../../support/compile_samples.ts";
import { graphOf } from "../../../runtime/check_op/sample_graph.ts";
import { withError } from "../../support/plant_error.ts";
import { HostRun } from "../../support/run_program.ts";

/** Ops that are gone before anything is lowered: sizes are bound first. */
const isBound = (op: Op<unknown>): boolean => op.name === "sizeOf";

for (const op of tableOps().filter((op) => !isBound(op))) {
  Deno.test(`${op.name}: a planted error is noticed in each of its results`, () => {
    const unnoticed = resultsOf(op).filter((result) => !isNoticed(op, result));
    assert.deepEqual(unnoticed, [], "results in which no sample shows the error");
  });
}

/** Numbers of the results that some sample of the op has. */
function resultsOf<Attrs>(op: Op<Attrs>): number[] {
  const most = Math.max(...op.samples.map((sample) => graphOf(op, sample).outputs.length));
  return Array.from({ length: most }, (_, i) => i);
}

function isNoticed<Attrs>(op: Op<Attrs>, result: number): boolean {
  const wrong = withError(op, result);
  return op.samples.some((sample) => {
    const right = caseOf(op.name, "", graphOf(op, sample));
    const planted = caseOf(op.name, "", graphOf(wrong, sample));
    const { program } = compileCase(planted, ways.greedy);
    return complaintOf(right, new HostRun(program).run(right.feeds)) !== undefined;
  });
}
