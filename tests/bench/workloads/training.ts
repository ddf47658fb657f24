/** One optimizer's update, and whole training steps. */

import { adam, adamW, add, type Model, model, setState, state, trainStep } from "../../../mod.ts";
import { gpt } from "../../../examples/gpt.ts";
import { mlp } from "../../../examples/mnist_mlp.ts";
import type { Scalar } from "../../../ops/optim/optimizer.ts";
import { adamWByHand } from "../by_hand/adam_w.ts";
import { numbers } from "../numbers.ts";
import { type Floats, resident, type Workload } from "./workload.ts";

const parameters = 1_000_000;
const rule = { rate: 1e-3, betas: [0.9, 0.999] as const, epsilon: 1e-8, decay: 0.01 };

/** The first update of a million parameters, by a gradient that lies on the device. */
export function adamWUpdate(): Workload {
  const [first, second] = rule.betas;
  const tensors = {
    p: resident([parameters], 1),
    m: resident([parameters], 2, -0.1, 0.1),
    v: resident([parameters], 3, 0, 0.01),
    g: resident([parameters], 4),
    scales: {
      shape: [4],
      data: Float32Array.of(rule.rate / (1 - first), 1 / Math.sqrt(1 - second), 0, 0),
    },
  };
  const at = (name: "p" | "m" | "v" | "g", i: number) => tensors[name].data[i]!;
  const mean = (i: number) => first * at("m", i) + (1 - first) * at("g", i);
  const square = (i: number) => second * at("v", i) + (1 - second) * at("g", i) ** 2;
  return {
    bytes: parameters * 28,
    tensors,
    model: updateModel,
    byHand: () => adamWByHand(parameters, rule),
    elements: {
      p(i) {
        const root = Math.sqrt(square(i) / (1 - second)) + rule.epsilon;
        return at("p", i) * (1 - rule.rate * rule.decay) - rule.rate * mean(i) / (1 - first) / root;
      },
      m: mean,
      v: square,
    },
    advances: true,
  };

  function updateModel(): Model {
    return model({}, () => {
      const known = (name: "p" | "m" | "v" | "g") =>
        state(name, [parameters], () => tensors[name].data) as Floats;
      const [p, g, step] = [known("p"), known("g"), state("step", [], () => Float32Array.of(0))];
      const [next] = adamW({ ...rule, decays: () => true }).update({
        trained: [{ path: "p", parameter: p, gradient: g }],
        step: step as Scalar,
        slots(name) {
          const slot = known(name as "m" | "v");
          return { values: [slot], advance: ([value]) => setState(slot, value as Floats) };
        },
      });
      setState(p, next as Floats);
      const after = add(step, 1) as Scalar;
      setState(step as Scalar, after);
      return { after };
    });
  }
}

export function mlpStep(): Workload {
  return {
    peer: "mlp_train",
    tensors: {},
    model: () => trainStep(mlp.only("loss"), adam({ rate: 1e-3 })),
    sizes: { batch: 128 },
    feeds: {
      x: numbers(128 * 784, 7, 0, 1),
      y: Int32Array.from({ length: 128 }, (_, i) => (i * 7 + 3) % 10),
    },
  };
}

export function gptStep(): Workload {
  const tokens = Int32Array.from({ length: 512 }, (_, i) => {
    const [b, t] = [Math.floor(i / 64), i % 64];
    return (t * 7 + t * t % 13 + b * 11) % 96;
  });
  return {
    peer: "gpt_train",
    tensors: {},
    model: () =>
      trainStep(
        gpt({ layers: 4, heads: 4, width: 128, context: 64, symbols: 96 }).only("loss"),
        adamW({ rate: 1e-3 }),
      ),
    sizes: { batch: 8 },
    feeds: { tokens, targets: tokens },
  };
}
