/**
 * The models of the pages beside this file, each of which is a bundle and a few lines of HTML. digits.html, train.html
 * and text.html load these:
 *
 *     deno run -A cli.ts build examples/pages/models.ts --export digits --size batch=1 \
 *       --state examples/pages/digits.safetensors --out examples/pages/dist/digits
 *
 *     deno run -A cli.ts build examples/pages/models.ts --export curveStep --size batch=64 \
 *       --out examples/pages/dist/train
 *
 *     deno run -A cli.ts build examples/pages/models.ts --export text \
 *       --state examples/pages/text.safetensors --weights f16 --out examples/pages/dist/text
 *
 * train_digits.ts and train_text.ts make those files. Any web server of this folder shows the pages.
 */

import {
  crossEntropy,
  input,
  linear,
  model,
  mse,
  nn,
  relu,
  reshape,
  sgd,
  softmax,
  tanh,
  trainStep,
} from "../../mod.ts";
import { gptDecoder } from "../gpt_decode.ts";
import textModel from "./text.json" with { type: "json" };

/** Reads a handwritten digit: two convolutions and two linear layers. */
export const digitReader = model(
  { image: input(["batch", 1, 28, 28], "f32"), label: input(["batch"], "i32") },
  ({ image, label }) => {
    const first = nn.conv(1, 8, [5, 5], { stride: 2, padding: "same" });
    const second = nn.conv(8, 16, [5, 5], { stride: 2, padding: "same" });
    const hidden = linear(16 * 7 * 7, 64), out = linear(64, 10);
    const features = relu(second(relu(first(image))));
    const logits = out(relu(hidden(reshape(features, [image.shape[0], 16 * 7 * 7]))));
    return { probabilities: softmax(logits), loss: crossEntropy(logits, label) };
  },
);

/** What the page that reads digits runs. */
export const digits = digitReader.only("probabilities").without("label");

const curve = model({ x: input(["batch", 1], "f32"), y: input(["batch", 1], "f32") }, ({ x, y }) => {
  const first = linear(1, 32), second = linear(32, 32), out = linear(32, 1);
  const prediction = out(tanh(second(tanh(first(x)))));
  return { prediction, loss: mse(prediction, y) };
});

/** What the page that trains runs: a step that fits a curve, and gives what it fitted before. */
export const curveStep = trainStep(curve, sgd({ rate: 0.05, momentum: 0.9 }));

/** What the page that writes text runs, a character per run. */
export const text = gptDecoder(textModel.shape);
