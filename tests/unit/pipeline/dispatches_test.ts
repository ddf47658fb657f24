import assert from "node:assert/strict";
import { countsOf, gptStep, mlpStep } from "../../bench/dispatches.ts";

Deno.test("a step of the MLP takes at most 14 dispatches and no copy", () => {
  const { dispatches, fromSplitting, copies } = countsOf(mlpStep());
  assert(dispatches <= 14, `${dispatches}`);
  assert.deepEqual([fromSplitting, copies], [0, 0]);
});

Deno.test("a step of the GPT takes at most 104 dispatches of 36 shaders, with one AdamW for all parameters", () => {
  const compiled = gptStep();
  const { dispatches, fromSplitting, shaders, copies } = countsOf(compiled);
  assert(dispatches <= 104, `${dispatches}`);
  assert(shaders <= 36, `${shaders}`);
  assert.deepEqual([fromSplitting, copies], [0, 0]);
  assert.equal(
    compiled.kernels.filter((k) => k.label.startsWith("adamW") && /\d+ times/.test(k.label)).length,
    1,
  );
});

Deno.test("the GPT step's temporaries take at most 15 MB, within 5 % of the lower bound of the order", () => {
  const { temporaries, bound } = countsOf(gptStep());
  assert(temporaries <= 15e6, `${temporaries}`);
  assert(temporaries <= 1.05 * bound, `${temporaries} against ${bound}`);
});
