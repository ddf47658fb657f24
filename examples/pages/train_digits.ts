/**
 * Makes the weights of the page that reads digits, stored as halves.
 *
 *     deno run -A examples/pages/train_digits.ts --data FOLDER [--epochs 12] [--out examples/pages/digits.safetensors]
 *
 * People draw where they like: each digit is shown a few pixels beside where MNIST has it, elsewhere in each epoch.
 */

import { adam, compile, type Device, openDevice, trainStep } from "../../mod.ts";
import { writeSafetensors } from "../../runtime/safetensors.ts";
import { defaultsOf, runProgram, text, whole } from "../command_line.ts";
import { type Digits, part, readMnist } from "../mnist.ts";
import { digitReader } from "./models.ts";

const side = 28;
const batch = 64;
/** Pixels that a digit may be moved by, each way. */
const reach = 3;

/** The images, each moved by another small step that its number and the epoch decide. */
function moved({ images, count }: Digits, epoch: number): Float32Array {
  const out = new Float32Array(images.length);
  const steps = 2 * reach + 1;
  for (let n = 0; n < count; n++) {
    const hash = Math.imul(n + 1, 0x9e3779b1) + Math.imul(epoch + 1, 0x85ebca6b) >>> 8;
    const [down, right] = [hash % steps - reach, Math.floor(hash / steps) % steps - reach];
    for (let y = Math.max(0, down); y < Math.min(side, side + down); y++) {
      for (let x = Math.max(0, right); x < Math.min(side, side + right); x++) {
        out[(n * side + y) * side + x] = images[(n * side + y - down) * side + x - right]!;
      }
    }
  }
  return out;
}

async function train(
  device: Device,
  { training, test }: { readonly training: Digits; readonly test: Digits },
  { epochs, out }: { readonly epochs: number; readonly out: string },
): Promise<void> {
  using trainer = await compile(trainStep(digitReader.only("loss"), adam({ rate: 2e-3 })), {
    device,
    sizes: { batch },
  });
  for (let epoch = 0; epoch < epochs; epoch++) {
    const images = moved(training, epoch);
    for (let at = 0; at + batch <= training.count; at += batch) {
      const { labels } = part(training, at, at + batch);
      const { loss } = trainer.run({
        image: images.subarray(at * side * side, (at + batch) * side * side),
        label: labels,
      });
      if (at === 0) console.log(`epoch ${epoch + 1}: loss ${(await loss.item()).toFixed(4)}`);
    }
  }
  const parameters = digitReader.graph.states.filter(({ role }) => role === "parameter");
  await writeSafetensors(
    out,
    await Promise.all(parameters.map(async ({ path, tensor }) => ({
      name: path,
      shape: tensor.shape as readonly number[],
      dtype: "f16" as const,
      data: await trainer.state.read(path) as Float32Array,
    }))),
  );
  using reader = await compile(digitReader.only("probabilities").without("label"), {
    device,
    sizes: { batch: test.count },
    state: trainer.state,
  });
  const probabilities = await reader.run({ image: test.images }).probabilities.read();
  let right = 0;
  for (let n = 0; n < test.count; n++) {
    const row = probabilities.subarray(n * 10, (n + 1) * 10);
    if (row.indexOf(Math.max(...row)) === test.labels[n]) right++;
  }
  console.log(
    `${(100 * right / test.count).toFixed(2)} % of ${test.count} digits are read right; ${out} is written`,
  );
}

const commandLine = {
  about: "Trains the network of the page that reads digits, and writes its weights as halves.",
  call: "deno run -A examples/pages/train_digits.ts",
  flags: {
    data: text("mnist", "FOLDER", "where MNIST's files are"),
    epochs: whole(12, 1, "passes over the training digits"),
    out: text("examples/pages/digits.safetensors", "FILE", "where the weights are written"),
  },
} as const;

if (import.meta.main) {
  Deno.exit(
    await runProgram(commandLine, Deno.args, async (said) => {
      const { data, epochs, out } = { ...defaultsOf(commandLine), ...said };
      const digits = await readMnist(data);
      using device = await openDevice();
      await train(device, digits, { epochs, out });
      return 0;
    }),
  );
}
