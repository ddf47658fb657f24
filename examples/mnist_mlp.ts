/**
 * Reads handwritten digits with three linear layers: a whole training script.
 *
 *     deno run -A examples/mnist_mlp.ts --data FOLDER [--epochs 5] [--device cpu]
 */

import {
  adam,
  compile,
  crossEntropy,
  type Device,
  input,
  linear,
  model,
  openDevice,
  relu,
  trainStep,
} from "../mod.ts";
import { defaultsOf, oneOf, runProgram, text, whole } from "./command_line.ts";
import { type Digits, part, readMnist } from "./mnist.ts";

export const mlp = model({ x: input(["batch", 784], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
  const l1 = linear(784, 512), l2 = linear(512, 256), l3 = linear(256, 10);
  const logits = l3(relu(l2(relu(l1(x)))));
  return { logits, loss: crossEntropy(logits, y) };
});

/** A loss, unless it is none: parameters are NaN from then on. */
function numberOf(loss: number): number {
  if (Number.isFinite(loss)) return loss;
  throw new Error(
    `The loss is ${loss}: a label lies outside 0 … 9, an image is no number, or the rate is too high.`,
  );
}

/** Trains, and gives the part of the test digits that is read right. */
export async function trainDigits(
  device: Device,
  { training, test }: { readonly training: Digits; readonly test: Digits },
  { epochs = 5, batch = 128 }: { readonly epochs?: number; readonly batch?: number } = {},
): Promise<number> {
  const step = trainStep(mlp.only("loss"), adam({ rate: 1e-3 }));
  using trainer = await compile(step, { device, sizes: { batch } });
  for (let epoch = 1; epoch <= epochs; epoch++) {
    for (let at = 0; at + batch <= training.count; at += batch) {
      const { images, labels } = part(training, at, at + batch);
      const { loss } = trainer.run({ x: images, y: labels }); // asks for the step and doesn't wait
      const isLast = at + 2 * batch > training.count;
      if (at > 0 && !isLast) continue;
      const read = numberOf(await loss.item());
      if (at === 0) console.log(`epoch ${epoch}: loss ${read.toFixed(4)}`);
    }
  }
  // Another program with the same parameters, for all test digits at once.
  using reader = await compile(mlp.only("logits").without("y"), {
    device,
    sizes: { batch: test.count },
    state: trainer.state,
  });
  const logits = await reader.run({ x: test.images }).logits.read();
  const answers = Array.from(test.labels, (_, i) => {
    const row = logits.subarray(i * 10, (i + 1) * 10);
    return row.indexOf(Math.max(...row));
  });
  return answers.filter((answer, i) => answer === test.labels[i]).length / test.count;
}

const commandLine = {
  about: "Trains three linear layers on MNIST's digits, and says how many others they read right.",
  call: "deno run -A examples/mnist_mlp.ts",
  flags: {
    data: text("mnist", "FOLDER", "where MNIST's files are"),
    epochs: whole(5, 1, "passes over the training digits"),
    device: oneOf("auto", ["auto", "webgpu", "cpu"], "where to compute"),
  },
} as const;

if (import.meta.main) {
  Deno.exit(
    await runProgram(commandLine, Deno.args, async (said) => {
      const { data, epochs, device: kind } = { ...defaultsOf(commandLine), ...said };
      const digits = await readMnist(data);
      using device = await openDevice({ device: kind });
      const right = await trainDigits(device, digits, { epochs });
      console.log(`${(100 * right).toFixed(2)} % of ${digits.test.count} digits are read right`);
      return 0;
    }),
  );
}
