/**
 * Every fourth program of the fusion set as one model, so that their kernels are timed in the same rounds:
 *
 *     deno run -A cli.ts costmodel tests/bench/fusion_set/together.ts
 *
 * @module
 */

import { model, named, type Tensor } from "../../../mod.ts";
import { families } from "./programs.ts";

export const together = model({}, () => {
  const outputs: Record<string, Tensor> = {};
  for (const [family, programs] of Object.entries(families)) {
    for (const [i, program] of programs.entries()) {
      if (i % 4 !== 0) continue;
      const scope = `${family}${i}`;
      const made = named(scope, () => program.trace(program.full));
      for (const [name, tensor] of Object.entries(made)) outputs[`${scope}_${name}`] = tensor;
    }
  }
  return outputs;
});
