/**
 * What a training step runs, kernel by kernel: the MLP 784-512-256-10 with Adam on 128 images, and the GPT of four layers,
 * 128 wide, 4 heads, 8 × 64 tokens of 96 symbols, with AdamW. Compiled for the software target without split sums.
 *
 *     deno run -A tests/bench/dispatches.ts [--json]
 *
 * @module
 */

import { type Compiled, compileGraph } from "../../compiler/compile.ts";
import { softwareTarget, type Target } from "../../compiler/target.ts";
import { gpt } from "../../examples/gpt.ts";
import { adam, adamW, crossEntropy, input, linear, model, relu, trainStep } from "../../mod.ts";

const target: Target = {
  ...softwareTarget,
  contraction: { ...softwareTarget.contraction, splitK: false },
  row: { ...softwareTarget.row, perChunk: 1 << 30 },
};

export function mlpStep(): Compiled {
  const net = model({ x: input(["batch", 784], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
    const first = linear(784, 512), second = linear(512, 256), last = linear(256, 10);
    return { loss: crossEntropy(last(relu(second(relu(first(x))))), y) };
  });
  return compileGraph(trainStep(net, adam({ rate: 1e-3 })).graph, { target, sizes: { batch: 128 } });
}

export function gptStep(): Compiled {
  const net = gpt({ layers: 4, heads: 4, width: 128, context: 64, symbols: 96 });
  const step = trainStep(net.only("loss"), adamW({ rate: 1e-3 }));
  return compileGraph(step.graph, { target, sizes: { batch: 8 } });
}

/** The counts that bars are set for; bytes of temporaries at their peak, beside the lower bound for the order used. */
export interface StepCounts {
  readonly dispatches: number;
  readonly fromSplitting: number;
  readonly shaders: number;
  readonly copies: number;
  readonly temporaries: number;
  readonly bound: number;
}

export function countsOf({ program, kernels }: Compiled): StepCounts {
  return {
    dispatches: kernels.length,
    fromSplitting: kernels.filter((k) => k.split).length,
    shaders: program.kernels.length,
    copies: program.steps.filter((s) => s.kind === "copy").length,
    temporaries: program.memory.peak,
    bound: program.memory.bound,
  };
}

if (import.meta.main) {
  const steps = { "MLP step": mlpStep(), "GPT step": gptStep() };
  for (const [name, compiled] of Object.entries(steps)) {
    const counts = countsOf(compiled);
    if (Deno.args.includes("--json")) {
      console.log(JSON.stringify({ name, ...counts }));
      continue;
    }
    console.log(name);
    compiled.kernels.forEach((k, i) => {
      console.log(
        `${String(i + 1).padStart(4)}  ${k.schedule.padEnd(12)} ${String(k.groups).padStart(6)}  ${k.label}`,
      );
    });
    console.log(
      Object.entries(counts).map(([what, n]) => `${n.toLocaleString("en")} ${what}`).join(", "),
      "\n",
    );
  }
}
