/**
 * `--input x=x.npy` and `--state file`: what a command runs a model on.
 * @module
 */

import { Option } from "commander";
import { sameShape, showShape, type Sizes } from "../../compiler/graph/dim.ts";
import { bindSizes } from "../../compiler/graph/bind.ts";
import type { StoredArray } from "../../compiler/graph/dtype.ts";
import { inputName } from "../../compiler/graph/graph.ts";
import { showType } from "../../compiler/graph/node.ts";
import { npyAs, parseNpy } from "../npy.ts";
import type { LoadedModel } from "./load_model.ts";
import { given } from "./given.ts";
import { UsageError } from "./usage_error.ts";
import { osReason } from "../os_reason.ts";

/** `--input x=x.npy`, any number of times. */
export const inputOption = (): Option =>
  new Option("--input <name=file>", "a .npy file for an input; the others are made")
    .argParser((text, before: readonly string[]) => [...before, text]).default([], "all are made");

/**
 * The arrays of some inputs, from their files.
 *
 * @throws UsageError where a text is no name and file, the model has no such input, or the file doesn't fit it.
 */
export async function inputsFrom(
  texts: readonly string[],
  { name: own, model }: LoadedModel,
  sizes: Sizes,
): Promise<Readonly<Record<string, StoredArray>>> {
  const { inputs } = bindSizes(model.graph, sizes);
  const read: Record<string, StoredArray> = {};
  for (const text of texts) {
    const cut = text.indexOf("=");
    if (cut < 1) throw new UsageError(`--input ${text}: write a name and a file, such as x=x.npy.`);
    const [name, path] = [text.slice(0, cut), text.slice(cut + 1)];
    const input = inputs.find((t) => inputName(t) === name);
    if (input === undefined) {
      const there = inputs.map((t) => `"${inputName(t)}"`).join(", ") || "none";
      throw new UsageError(`--input ${text}: "${own}" has no input "${name}"; it has ${there}.`);
    }
    const bytes = await Deno.readFile(path).catch((cause) => {
      throw new UsageError(
        `--input ${text}: ${path} can't be read: ${osReason(cause)}.`,
        { cause },
      );
    });
    const npy = await given(`--input ${text}`, () => parseNpy(bytes, path));
    if (!sameShape(npy.shape, input.shape)) {
      throw new UsageError(
        `--input ${text}: the file has the shape ${showShape(npy.shape)}, and "${name}" is ${
          showType(input)
        }.`,
      );
    }
    read[name] = await given(`--input ${text}`, () => npyAs(npy, input.dtype, path));
  }
  return read;
}
