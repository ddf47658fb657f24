/**
 * Tapes of random graphs, as fast-check draws and shrinks them.
 * @module
 */

import fc from "fast-check";
import { drawnSizes, type Tape } from "./random_graph.ts";
import { steps } from "./random_steps.ts";

/**
 * Tapes; `dims` fixes the sizes, so that many graphs share kernels.
 *
 * @param longest Steps of the longest.
 * @param choices How many different steps there are to choose from.
 */
export function tapes(
  longest = 14,
  dims?: readonly number[],
  choices: number = steps.length,
): fc.Arbitrary<Tape> {
  const small = fc.nat(63);
  return fc.record({
    dims: dims ? fc.constant(dims) : fc.tuple(...[0, 1, 2].map(() => fc.nat(drawnSizes - 1))),
    inputs: fc.array(fc.nat(255), { minLength: 1, maxLength: 3 }),
    steps: fc.array(fc.tuple(fc.nat(choices - 1), small, small, small), {
      minLength: 1,
      maxLength: longest,
    }),
    writes: fc.array(fc.tuple(small, fc.boolean()), { maxLength: 3 }),
    outputs: fc.array(small, { maxLength: 3 }),
  });
}
