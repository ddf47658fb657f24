/** Mistakes that users make with what is compiled: devices, feeds, results, states and checkpoints. */

import {
  compile,
  crossEntropy,
  type Device,
  input,
  linear,
  model,
  type ModelExecutable,
  openDevice,
  passes,
  trainStep,
  withoutPasses,
} from "../../mod.ts";
import { adam } from "../../ops/optim/adam.ts";

// deno-lint-ignore no-explicit-any -- typed as nothing, so that the type checker lets mistakes through.
type Loose = any;

const net = (classes = 3) =>
  model({ x: input(["batch", 4], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
    const logits = linear(4, classes)(x);
    return { logits, loss: crossEntropy(logits, y as never) };
  });

const right = { x: new Float32Array(8), y: new Int32Array(2) };

async function onDevice(f: (device: Device) => unknown): Promise<void> {
  using device = await openDevice({ device: "cpu" });
  await f(device);
}

/** A mistake with a compiled model for a batch of 2. */
const withRun = (f: (run: Loose, device: Device) => unknown) => () =>
  onDevice(async (device) => {
    using run = await compile(net(), { device, sizes: { batch: 2 } });
    await f(run, device);
  });

/** A mistake with a compiled model whose sizes are open. */
const withOpen = (f: (run: Loose) => unknown) => () =>
  onDevice(async (device) => {
    using run = await compile(net(), { device });
    await f(run);
  });

/** The states of a model with three classes as a file, for another model. */
async function saved(f: (path: string) => unknown): Promise<void> {
  const path = `${await Deno.makeTempDir()}/three.safetensors`;
  await onDevice(async (device) => {
    using run: ModelExecutable<Loose, Loose> = await compile(net(), { device, sizes: { batch: 2 } });
    await run.state.save(path);
  });
  await f(path);
}

const loaded = (what: () => Loose) => () =>
  saved((path) =>
    onDevice(async (device) => {
      using run: Loose = await compile(what(), { device, sizes: { batch: 2 } } as Loose);
      await run.state.load(path);
    })
  );

export const runMistakes: Readonly<Record<string, () => unknown>> = {
  "a device that is none": () => openDevice({ device: "gpu" as never }),
  "a device by its name alone": () => openDevice("cpu" as never),
  "a device not awaited": () => compile(net(), { device: openDevice({ device: "cpu" }) as never }),
  "compiling without a device": () => compile(net(), undefined as never),
  "compiling what is no model": () => onDevice((device) => compile(net as never, { device })),
  "a device that was disposed": async () => {
    const device = await openDevice({ device: "cpu" });
    device.dispose();
    await compile(net(), { device, sizes: { batch: 2 } });
  },
  "a size that is not the model's": () =>
    onDevice((device) => compile(net(), { device, sizes: { seq: 2 } as never })),

  "a seed that is no whole number": () =>
    onDevice((device) => compile(net(), { device, seed: NaN, sizes: { batch: 2 } })),
  "a pass by its name": () =>
    onDevice((device) => compile(net(), { device, passes: ["pack"] as never, sizes: { batch: 2 } })),
  "a pass that there is none of": () =>
    onDevice((device) =>
      compile(net(), { device, passes: withoutPasses(passes, "packing"), sizes: { batch: 2 } })
    ),
  "a policy by its name": () =>
    onDevice((device) => compile(net(), { device, policy: "none" as never, sizes: { batch: 2 } })),
  "an arithmetic that is none": () =>
    onDevice((device) => compile(net(), { device, arithmetic: "bf16" as never, sizes: { batch: 2 } })),
  "arithmetic of halves where there is none": () =>
    onDevice((device) => {
      const target = { ...device.target, features: { ...device.target.features, f16: false } };
      const without: Device = Object.create(device, { target: { value: target } });
      return compile(net(), { device: without, arithmetic: "f16", sizes: { batch: 2 } });
    }),
  "more than a kernel can bind": () =>
    onDevice((device) => compile(net(), { device, sizes: { batch: 2 ** 30 } })),
  "feeding nothing": withRun((run) => run.run()),
  "feeding another dtype": withRun((run) => run.run({ ...right, x: new Int32Array(8) })),
  "feeding doubles": withRun((run) => run.run({ ...right, x: new Float64Array(8) })),
  "feeding a plain array": withRun((run) => run.run({ ...right, y: [0, 1] })),
  "feeding too few elements": withRun((run) => run.run({ ...right, x: new Float32Array(4) })),
  "leaving an input out": withRun((run) => run.run({ x: right.x })),
  "feeding what is no input": withRun((run) => run.run({ ...right, labels: right.y })),
  "feeding a promise": withRun((run) => run.run({ ...right, x: run.run(right).logits.read() })),
  "feeding a tensor of another shape": withRun((run) => run.run({ ...right, x: run.run(right).logits })),
  "feeding a tensor of another device": withRun((run) =>
    onDevice(async (other) => {
      using there: Loose = await compile(net(4), { device: other, sizes: { batch: 2 } });
      run.run({ ...right, x: there.run(right).logits });
    })
  ),

  "feeding nothing where sizes are open": withOpen((run) => run.run()),
  "elements that fit no size": withOpen((run) => run.run({ ...right, x: new Float32Array(7) })),
  "two feeds of different sizes": withOpen((run) => run.run({ ...right, x: new Float32Array(12) })),
  "the state before any run": withOpen((run) => run.state),

  "one number of many": withRun((run) => run.run(right).logits.item()),
  "a result of long ago": withRun(async (run) => {
    const { logits } = run.run(right);
    for (let i = 0; i < 20; i++) run.run(right);
    await logits.read();
  }),
  "a result after its program": withRun(async (run) => {
    const { logits } = run.run(right);
    run.dispose();
    await logits.read();
  }),
  "a run after the end": withRun((run) => {
    run.dispose();
    run.run(right);
  }),

  "a state that is not there": withRun((run) => run.state.read("linear/weights")),
  "a state written with too few elements": withRun((run) =>
    run.state.write("linear/weight", new Float32Array(5))
  ),
  "a checkpoint of another size": loaded(() => net(5)),
  "a checkpoint that lacks states": loaded(() => trainStep(net().only("loss"), adam({ rate: 1 }))),
  "metadata that is no text": withRun((run) => run.state.save("/tmp/unwritten.safetensors", { step: 3 })),
  "a checkpoint where no folder is": withRun((run) => run.state.save("/nowhere/model.safetensors")),
  "a checkpoint that is a folder": withRun((run) => run.state.load("/")),
  "a checkpoint that is not there": withRun((run) => run.state.load("/nowhere/model.safetensors")),
};
