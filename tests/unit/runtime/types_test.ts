/** What the type checker knows of runs; `deno check` is the test, and nothing here is executed. */

import type { DeviceTensor } from "../../../runtime/device_tensor.ts";
import type { Executable } from "../../../runtime/executable.ts";

type Inputs = {
  x: { shape: readonly ["batch", 784]; dtype: "f32" };
  y: { shape: readonly ["batch"]; dtype: "i32" };
};
type Outputs = {
  loss: { shape: readonly []; dtype: "f32" };
  hits: { shape: readonly ["batch"]; dtype: "bool" };
};

export async function typed(executable: Executable<Inputs, Outputs>): Promise<void> {
  const x = new Float32Array(784);
  const y = new Int32Array(1);
  const { loss, hits } = executable.run({ x, y });

  const read: Float32Array = await loss.read();
  const flags: Uint8Array = await hits.read();
  const size: number = hits.shape[0];
  const number: number = await loss.item();
  const kept: DeviceTensor<readonly [], "f32"> = loss.keep();
  executable.run({ x: kept, y });
  void [read, flags, size, number];

  // @ts-expect-error An i32 input takes no floats.
  executable.run({ x, y: x });
  // @ts-expect-error Every input has to be fed.
  executable.run({ x });
  // @ts-expect-error There is no such input.
  executable.run({ x, y, z: x });
  // @ts-expect-error A tensor of booleans is no input of floats.
  executable.run({ x: hits, y });
  // @ts-expect-error Only a scalar has an item.
  await hits.item();
}

export async function untyped(executable: Executable): Promise<void> {
  const results = executable.run({ anything: new Float32Array(1) });
  const tensor: DeviceTensor | undefined = results["loss"];
  const sizes: readonly number[] | undefined = tensor?.shape;
  void [sizes, await tensor?.item()];
}
