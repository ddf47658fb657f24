/** Models that use many layers at once: compiled runs give what the references of the ops say, step after step. */

import assert from "node:assert/strict";
import {
  adamW,
  add,
  checkpoint,
  compile,
  crossEntropy,
  input,
  type Inputs,
  linear,
  maxPool,
  mean,
  type Model,
  model,
  named,
  nn,
  openDevice,
  type Outputs,
  relu,
  reshape,
  sgd,
  trainStep,
  warmupCosine,
} from "../../../mod.ts";
import { runByReference } from "../../support/run_by_reference.ts";

type Numbers = Readonly<Record<string, Float32Array | Int32Array>>;

/** Runs a few steps both ways; the losses must agree within what f32 loses. */
async function assertSteps<I extends Inputs, O extends Outputs>(
  step: Model<I, O>,
  feeds: Numbers,
  batch: number,
) {
  using device = await openDevice({ device: "cpu" });
  using executable = await compile(step as Model, { device, sizes: { batch } as never });
  let states: Readonly<Record<string, ArrayLike<number>>> = {};
  const losses: number[] = [];
  for (let i = 0; i < 3; i++) {
    const expected = runByReference(step.graph, feeds, { sizes: { batch }, states });
    states = expected.states;
    const [found] = await executable.run(feeds)["loss"]!.read();
    const want = expected.outputs["loss"]![0]!;
    assert.ok(
      Math.abs(found! - want) <= 1e-4 * Math.max(1, Math.abs(want)),
      `step ${i}: ${found}, not ${want}`,
    );
    losses.push(want);
  }
  assert.notEqual(losses[0], losses[1]);
}

const wave = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 1.7));
const classes = (n: number, of: number) => Int32Array.from({ length: n }, (_, i) => i * 7 % of);

Deno.test("an image classifier with norms, pooling, dropout and a checkpoint trains as its references say", async () => {
  const net = model({ x: input(["batch", 1, 8, 8], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
    const h = checkpoint(() => relu(nn.batchNorm(4)(nn.conv(1, 4, [3, 3], { padding: "same" })(x))));
    const flat = reshape(maxPool(nn.groupNorm(2, 4)(h), 2), ["batch", 64]);
    const d = nn.dropout(0.25)(relu(linear(64, 16)(flat)));
    return { loss: crossEntropy(linear(16, 5)(nn.layerNorm(16)(d)), y, { smoothing: 0.1 }) };
  });
  const rate = warmupCosine({ peak: 1e-2, warmup: 2, steps: 20 });
  await assertSteps(trainStep(net, adamW({ rate, clip: 1 })), { x: wave(6 * 64), y: classes(6, 5) }, 6);
});

Deno.test("a transformer of two blocks trains as its references say", async () => {
  const ids = input(["batch", 6], "i32");
  const net = model({ ids, next: ids }, ({ ids, next }) => {
    let x = nn.embedding(11, 8)(ids);
    for (const name of ["block0", "block1"]) {
      x = named(name, () => {
        const y = add(x, nn.selfAttention(8, 2, { causal: true })(nn.rmsNorm(8)(x)));
        return add(y, linear(16, 8)(relu(linear(8, 16)(nn.layerNorm(8)(y)))));
      });
    }
    return { loss: crossEntropy(linear(8, 11, { bias: false })(x), next, { ignoreIndex: 0 }) };
  });
  const feeds = { ids: classes(24, 11), next: classes(24, 5) };
  await assertSteps(trainStep(net, sgd({ rate: 0.1, momentum: 0.9, nesterov: true })), feeds, 4);
});

Deno.test("what is not trained runs too: inference of the same model needs no key and no labels", async () => {
  const net = model({ x: input(["batch", 4], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
    const logits = linear(4, 3)(nn.dropout(0.5)(nn.batchNorm(4)(x)));
    return { logits, loss: crossEntropy(logits, y), size: mean(logits) };
  });
  const inference = net.only("logits", "size").without("y");
  using device = await openDevice({ device: "cpu" });
  using executable = await compile(inference, { device, sizes: { batch: 2 } });
  const { size, logits } = executable.run({ x: wave(8) });
  const expected = runByReference(inference.graph, { x: wave(8) }, { sizes: { batch: 2 } });
  assert.ok(Math.abs(await size.item() - expected.outputs["size"]![0]!) < 1e-6);
  assert.equal((await logits.read()).length, 6);
});
