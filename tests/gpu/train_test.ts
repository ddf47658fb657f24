/** The training program on the machine's adapter. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { openCheckpoint, resumedOptions } from "../../examples/train_gpt/checkpoint.ts";
import { withDefaults } from "../../examples/train_gpt/options.ts";
import { train } from "../../examples/train_gpt/train.ts";
import { never, runFolder, stopAfter, tinyOptions } from "../support/examples.ts";

Deno.test("train() lowers the loss, judges, writes and leaves its files", async () => {
  using folder = runFolder();
  const options = tinyOptions(folder, { device: "webgpu", eval: 20 });
  const { losses, validation, text, step } = await train(options, undefined, never);
  assert.equal(step, 40);
  const training = losses.flatMap(({ training }) => training === undefined ? [] : [training]);
  assert.equal(training.length, 40);
  assert(training.at(-1)! < training[0]! - 0.5, `${training[0]} → ${training.at(-1)}`);
  assert(validation! < training[0]! - 0.5);
  assert.deepEqual(losses.filter(({ validation }) => validation !== undefined).map(({ step }) => step), [
    20,
    40,
  ]);
  assert.equal(text!.length, 21);
  for (const file of ["checkpoint.safetensors", "losses.csv", "loss.svg", "sample.txt"]) {
    assert(existsSync(join(options.out, file)), file);
  }
});

Deno.test("a resumed run computes bit for bit what an uninterrupted one does", async () => {
  using folder = runFolder();
  const said = { device: "webgpu", dropout: 0.2, steps: 100, seed: 5 } as const;
  const whole = await train(tinyOptions(folder, said), undefined, stopAfter(14));
  const out = join(folder.path, "halves");
  await train(tinyOptions(folder, { ...said, out }), undefined, stopAfter(6));
  const checkpoint = await openCheckpoint(out);
  assert.equal(checkpoint.step, 6);
  const again = await train(withDefaults(resumedOptions(checkpoint, {})), checkpoint, stopAfter(8));
  assert.deepEqual(again.losses, whole.losses);
  const bytes = (folder: string) => Deno.readFile(join(folder, "checkpoint.safetensors"));
  const tensors = (file: Uint8Array) =>
    file.slice(8 + Number(new DataView(file.buffer).getBigUint64(0, true)));
  assert.deepEqual(tensors(await bytes(out)), tensors(await bytes(join(folder.path, "out"))));
});
