/**
 * A training step of a small GPT, for whatever looks at a model's file from a shell:
 *
 *     deno run -A cli.ts explain examples/gpt_step.ts --size batch=8
 *     deno run -A cli.ts tune examples/gpt_step.ts --size batch=8
 */

import { adamW, trainStep } from "../mod.ts";
import { gpt } from "./gpt.ts";

const net = gpt({ layers: 4, heads: 4, width: 128, context: 64, symbols: 96 });

/** Four layers, 128 wide, on `batch` texts of 64 tokens. */
export const step = trainStep(net.only("loss"), adamW({ rate: 1e-3 }));
