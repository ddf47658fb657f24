/**
 * Every op of the table against its own statements: infer, reference, lower, gradient, error bound (DESIGN §6).
 *
 * An op gets these tests by being in the table.
 */

import assert from "node:assert/strict";
import { hasGradient } from "../../../runtime/check_op/finite_differences.ts";
import {
  checkGradients,
  checkLowering,
  checkSamples,
  lowersToValue,
} from "../../../runtime/check_op/statements.ts";
import { tableOps } from "../../support/compile_samples.ts";

let cases = 0;
const dropped: string[] = [];

for (const op of tableOps()) {
  Deno.test(`${op.name}: has samples, and infers the sizes that its reference fills`, () => checkSamples(op));

  if (lowersToValue(op)) {
    Deno.test(`${op.name}: lowers to what its reference computes, and an error of 1 % is noticed`, () => {
      const compared = checkLowering(op);
      cases += compared.cases;
      dropped.push(...compared.dropped);
    });
  }

  if (hasGradient(op)) {
    Deno.test(`${op.name}: its gradient agrees with finite differences`, () => {
      checkGradients(op);
    });
  }
}

Deno.test("hardly any case of the op table is dropped as undecidable", () => {
  assert.ok(dropped.length <= 0.02 * cases, `${dropped.length} of ${cases}:\n${dropped.join("\n")}`);
});
