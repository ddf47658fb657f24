/** The fusion set, family by family. */

import type { FusionProgram } from "./program.ts";
import { attentions } from "./programs/attention.ts";
import { convolutions } from "./programs/conv.ts";
import { gemm } from "./programs/gemm.ts";
import { losses } from "./programs/losses.ts";
import { mlp } from "./programs/mlp.ts";
import { norms } from "./programs/norms.ts";
import { optimizers } from "./programs/optimizers.ts";
import { pointwise } from "./programs/pointwise.ts";

export const families: Readonly<Record<string, readonly FusionProgram[]>> = {
  gemm,
  mlp,
  conv: convolutions,
  norm: norms,
  attention: attentions,
  loss: losses,
  optimizer: optimizers,
  pointwise,
};

export const fusionSet: readonly FusionProgram[] = Object.values(families).flat();
