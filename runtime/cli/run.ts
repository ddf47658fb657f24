/**
 * `weft run`: one run, or several, of a bundle on this machine's device, or its self-test. The bundle's own script is never
 * executed.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { join } from "node:path";
import { Command, Option } from "commander";
import type { BundleTensor, Manifest } from "../../compiler/bundle/manifest.ts";
import type { HostArray, Inputs } from "../../compiler/bundle/loader/public.ts";
import { bindDim, showShape, type Sizes } from "../../compiler/graph/dim.ts";
import type { StoredArray } from "../../compiler/graph/dtype.ts";
import { folderSource, readBundle } from "../bundle/read.ts";
import { openBundle } from "../bundle/open.ts";
import { runSelfTest } from "../bundle/self_test.ts";
import { makeFolder, writeWhole } from "../write_whole.ts";
import { given } from "./given.ts";
import { checkBundleFolder, checkFolder, checkFolderOf, whole } from "./options.ts";
import { UsageError } from "./usage_error.ts";
import { encodeNpy, npyAs, parseNpy } from "../npy.ts";
import { osReason } from "../os_reason.ts";

interface RunFlags {
  readonly input: readonly string[];
  readonly output?: string;
  readonly state?: string;
  readonly saveState?: string;
  readonly times: number;
  readonly selfTest?: true;
}

export function runCommand(): Command {
  return new Command("run")
    .description("Run a bundle on this machine's WebGPU device")
    .argument("<folder>", "the bundle")
    .option(
      "--input <name=file>",
      "a .npy file for an input; once per input",
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .option("--output <folder>", "where outputs go, as NAME.npy; without it their first elements are printed")
    .option("--state <file>", "a state (safetensors) to begin with")
    .option("--save-state <file>", "where the state goes in the end")
    .addOption(
      new Option("--times <count>", "how often to run, with the same inputs").argParser(whole).default(1),
    )
    .addOption(
      new Option(
        "--self-test",
        "run what selftest.json has instead, and compare within the manifest's tolerance",
      )
        .conflicts(["input", "output", "state", "saveState", "times"]),
    )
    .action(async (folder: string, flags: RunFlags) => {
      checkBundleFolder(folder);
      console.log(flags.selfTest ? await test(folder) : await run(folder, flags));
    });
}

/** The mistakes, of which a few are shown. */
async function test(folder: string): Promise<string> {
  const { manifest, compared, mistakes } = await runSelfTest(folder);
  if (mistakes.length === 0) {
    return `${manifest.name}: ${counted(compared, "element")} compared, all within the manifest's tolerance.`;
  }
  Deno.exitCode = 1;
  const more = mistakes.length > mostShown ? [`… and ${mistakes.length - mostShown} more`] : [];
  return [
    `${manifest.name}: ${mistakes.length} of ${counted(compared, "element")} ${
      mistakes.length === 1 ? "is" : "are"
    } beyond the manifest's tolerance.`,
    ...mistakes.slice(0, mostShown),
    ...more,
  ].join("\n");
}

const mostShown = 20;

async function run(folder: string, flags: RunFlags): Promise<string> {
  const { times } = flags;
  checkFolderOf(flags.saveState);
  if (flags.output !== undefined) checkFolder(flags.output);
  // What is wrong with the call is said before a device is asked for.
  const checked = await readBundle(folderSource(folder));
  const { manifest } = checked;
  const { arrays, sizes } = await readInputs(manifest, flags.input);
  const state = flags.state === undefined ? undefined : await Deno.readFile(flags.state).catch((cause) => {
    throw new UsageError(`--state ${flags.state} can't be read: ${osReason(cause)}.`, { cause });
  });
  using opened = await openBundle(folder, {}, checked);
  const { bundle } = opened;
  if (state) await given(`--state ${flags.state}`, () => bundle.state.load(state));
  let outputs: Readonly<Record<string, HostArray>> = {};
  for (let i = 1; i <= times; i++) {
    outputs = await bundle.run(arrays as Inputs, i < times ? { outputs: [] } : {});
  }
  if (flags.saveState !== undefined) {
    await writeWhole(flags.saveState, (await bundle.state.save()).stream());
  }
  const lines: string[] = [];
  for (const tensor of manifest.outputs) {
    const array = outputs[tensor.name]!;
    const shape = boundShape(tensor, sizes);
    if (flags.output === undefined) {
      const shown = [...array.subarray(0, 8)].join(", ");
      lines.push(
        `${tensor.name}: ${tensor.dtype} ${showShape(shape)}  ${shown}${array.length > 8 ? ", …" : ""}`,
      );
      continue;
    }
    await makeFolder(flags.output);
    const path = join(flags.output, `${tensor.name.replace(/[^\w.-]/g, "_")}.npy`);
    await writeWhole(path, encodeNpy(tensor.dtype, shape, array as StoredArray));
    lines.push(path);
  }
  return lines.join("\n");
}

/** The inputs from their files; their shapes must be those of one choice of sizes. */
async function readInputs(
  { inputs, sizes, open }: Manifest,
  texts: readonly string[],
): Promise<{ readonly arrays: Readonly<Record<string, StoredArray>>; readonly sizes: Sizes }> {
  const paths = new Map<string, string>();
  for (const text of texts) {
    const cut = text.indexOf("=");
    if (cut < 1) throw new UsageError(`--input ${text}: write a name and a file, such as x=x.npy.`);
    const name = text.slice(0, cut);
    if (paths.has(name)) throw new UsageError(`--input ${text}: "${name}" is ${paths.get(name)} already.`);
    paths.set(name, text.slice(cut + 1));
  }
  const known = inputs.map(({ name }) => name);
  const unknown = [...paths.keys()].find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new UsageError(
      `--input ${unknown}: the bundle has no such input; it has ${known.join(", ") || "none"}.`,
    );
  }
  const files = await Promise.all(inputs.map(async (tensor) => {
    const path = paths.get(tensor.name);
    if (path === undefined) {
      throw new UsageError(
        `The input "${tensor.name}", ${tensor.dtype} ${
          showShape(tensor.shape)
        }, is not given: --input ${tensor.name}=FILE.npy`,
      );
    }
    const bytes = await Deno.readFile(path).catch((cause) => {
      throw new UsageError(`--input ${tensor.name}=${path}: ${path} can't be read: ${osReason(cause)}.`, {
        cause,
      });
    });
    return await given(`--input ${tensor.name}=${path}`, () => {
      const npy = parseNpy(bytes, path);
      return { tensor, shape: npy.shape, array: npyAs(npy, tensor.dtype, path) };
    });
  }));
  /** The sizes as the files have them, where they may be smaller than stated. */
  const opened = (size: Sizes): Sizes => {
    const told = files.find(({ tensor }) => tensor.open)?.shape[0];
    return open === undefined || !(told! > 0 && told! <= size[open]!) ? size : { ...size, [open]: told! };
  };
  const program = sizes.findIndex((size) =>
    files.every(({ tensor, shape }) => String(boundShape(tensor, opened(size))) === String(shape))
  );
  if (program < 0) {
    const wanted = sizes.map((size) =>
      inputs.map((t) => `${t.name} ${showShape(boundShape(t, size))}`).join(", ")
    );
    const got = files.map(({ tensor, shape }) => `${tensor.name} ${showShape(shape)}`).join(", ");
    const upTo = open === undefined ? "" : `, ${open} as stated or smaller`;
    throw new UsageError(`The inputs are ${got}, and the bundle takes ${wanted.join("; or ")}${upTo}.`);
  }
  const arrays = Object.fromEntries(files.map(({ tensor, array }) => [tensor.name, array]));
  return { arrays, sizes: opened(sizes[program]!) };
}

const boundShape = ({ shape }: BundleTensor, sizes: Sizes): number[] =>
  shape.map((dim) => Number(bindDim(dim, sizes)));
