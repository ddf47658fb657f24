/**
 * Whether a device computes what the bundle was built to compute. A file of its own in a bundle (`selftest.js`).
 * @module
 */

import type { ExpectedTensor, Manifest, SelfTest, Tolerance } from "../manifest.ts";
import { ARRAYS } from "./elements.ts";
import { folderOf, read, textOf, verified } from "./files.ts";
import { load } from "./load.ts";
import type { HostArray, Inputs, LoadOptions, StateName } from "./public.ts";

/** Loads the bundle afresh, runs it once, and compares with what it must give. Resolves to the mistakes: none is well. */
export async function selfTest(options: LoadOptions = {}): Promise<string[]> {
  const base = folderOf(options);
  const manifest = JSON.parse(textOf(await read(base, "manifest.json"))) as Manifest;
  const { selfTest, inputs: declared } = manifest;
  if (!selfTest) return ["The bundle was built without a self-test."];
  const { file, sha256 } = selfTest;
  const test = JSON.parse(textOf(await verified(await read(base, file), sha256, file))) as SelfTest;
  const bundle = await load(options);
  try {
    const inputs: Record<string, HostArray> = {};
    for (const { name, dtype } of declared) inputs[name] = ARRAYS[dtype].from(test.inputs[name]!);
    const outputs = await bundle.run(inputs as unknown as Inputs) as unknown as Record<string, HostArray>;
    const mistakes: string[] = [];
    const compare = (
      got: HostArray,
      { name, indices, values }: ExpectedTensor,
      tensors: Manifest["outputs" | "state"],
    ) => {
      const { absolute, relative } = tensors.find((tensor) => tensor.name === name)!.tolerance as Tolerance;
      indices.forEach((index, i) => {
        const want = values[i] === null ? NaN : Number(String(values[i]).replace("inf", "Infinity"));
        const x = got[index]!;
        const most = absolute + relative * Math.abs(want);
        if (Object.is(x, want) || Math.abs(x - want) <= most) return;
        mistakes.push(`${name}[${index}] is ${x}, and should be ${want} within ${most}`);
      });
    };
    for (const expected of test.outputs) compare(outputs[expected.name]!, expected, manifest.outputs);
    for (const expected of test.state) {
      compare(await bundle.state.read(expected.name as StateName), expected, manifest.state);
    }
    return mistakes;
  } finally {
    bundle.dispose();
  }
}
