/**
 * `weft build`: a model becomes a folder that runs on WebGPU without Weft.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { basename, resolve } from "node:path";
import { Command, Option } from "commander";
import type { DType } from "../../compiler/graph/dtype.ts";
import type { Model } from "../../compiler/model/model.ts";
import {
  buildBundle,
  type BuiltBundle,
  type BundleOptions,
  isBundleName,
  nameRule,
} from "../bundle/build.ts";
import { checkSizes } from "../bundle/check_sizes.ts";
import { bundleLimits, type LimitNumbers } from "../bundle/limits.ts";
import { bundlePlace, writeBundle } from "../bundle/write.ts";
import { osReason } from "../os_reason.ts";
import { sizesOfLock } from "../lock/replay.ts";
import { readLock } from "../lock/read.ts";
import { SafetensorsReader } from "../safetensors.ts";
import type { InitialState } from "../state.ts";
import { given } from "./given.ts";
import { seedOption } from "./options.ts";
import { progressBar, whenSlow } from "./progress_bar.ts";
import { loadModel, sizesFrom } from "./load_model.ts";
import { choiceOfSizes } from "./sizes.ts";
import { UsageError } from "./usage_error.ts";

interface BuildFlags {
  readonly export?: string;
  readonly size: readonly string[];
  readonly out: string;
  readonly name?: string;
  readonly limits?: string;
  readonly features?: string;
  readonly weights: "f32" | "f16";
  readonly state?: string;
  readonly seed: number;
  readonly tune?: "gpu" | "software";
  readonly lock?: string;
  readonly selfTest: boolean;
  readonly format: "module" | "json";
}

const featureNames = { f16: "shader-f16", subgroups: "subgroups" } as const;

export function buildCommand(): Command {
  return new Command("build")
    .description("Compile a model into a standalone bundle: WGSL kernels, a manifest, weights and a loader")
    .argument("<model.ts>", "the module that exports the model")
    .option("--export <name>", "which model, where the module exports several")
    .option(
      "--size <sizes>",
      "a number for each named size, such as batch=1; several times for several choices; batch=..64 for any up to 64",
      (text: string, before: readonly string[]) => [...before, text],
      [],
    )
    .requiredOption("--out <folder>", "where the bundle goes")
    .option("--name <name>", "what the bundle is called (default: the folder's name)")
    .option(
      "--limits <default|file>",
      "WebGPU's default limits (the default), or a JSON file with a device's",
    )
    .option("--features <list>", "f16, subgroups or both: used where a device has them")
    .addOption(
      new Option("--weights <type>", "how f32 parameters are stored").choices(["f32", "f16"]).default("f32"),
    )
    .option("--state <file>", "a checkpoint (safetensors) that parameters and states begin with")
    .addOption(seedOption())
    .addOption(
      new Option("--tune <kind>", "what schedules are made for: gpu (the default) or software").choices([
        "gpu",
        "software",
      ]),
    )
    .option("--lock <file>", "the plan that `weft lock` wrote: its sizes, limits, fusion and tuning")
    .option("--no-self-test", "leave out the run that tests a device; computing it is slow for large models")
    .addOption(
      new Option("--format <format>", "json: data only, for hosts in other languages").choices([
        "module",
        "json",
      ])
        .default("module"),
    )
    .action(async (path: string, flags: BuildFlags) => console.log(await build(path, flags)));
}

async function build(path: string, flags: BuildFlags): Promise<string> {
  const lock = flags.lock === undefined ? undefined : await given("--lock", () => readLock(flags.lock!));
  const loaded = await loadModel(path, flags.export ?? lock?.model.export);
  const { model } = loaded;
  if (flags.size.length === 0 && !lock) sizesFrom([], loaded);
  const sizes = flags.size.map((text) => choiceOfSizes(text.replaceAll("=..", "=")));
  for (const choice of sizes) {
    const texts = Object.entries(choice).map(([name, size]) => `${name}=${size}`);
    sizesFrom(texts, loaded);
    await given(`--size ${texts.join(",")}`, () => checkSizes(model.graph, choice));
  }
  if (lock) {
    await given("--lock", () => checkSizes(model.graph, lock.model.sizes));
    for (const choice of sizes) {
      await given("--lock", () => sizesOfLock(lock, choice, flags.lock!));
    }
  }
  if (lock && flags.tune !== undefined) {
    throw new UsageError(
      "--tune is given beside a lock, whose schedules are decided; leave out one of the two.",
    );
  }
  const opened = [
    ...new Set(flags.size.flatMap((text) => [...text.matchAll(/(\w+)\s*=\.\./g)].map(([, name]) => name!))),
  ];
  if (opened.length > 1) {
    throw new UsageError(`--size: ${opened.join(" and ")} are to be open, and one size of a bundle can be.`);
  }
  const name = flags.name ?? basename(resolve(flags.out));
  if (!isBundleName(name)) {
    throw new UsageError(
      `--name: a bundle can't be called ${JSON.stringify(name)}; say --name with ${nameRule}.`,
    );
  }
  await given("--out", () => bundlePlace(flags.out));
  const options: BundleOptions = {
    name,
    ...sizes.length > 0 && { sizes },
    ...opened.length > 0 && { open: opened[0]! },
    ...flags.limits !== undefined &&
      { limits: flags.limits === "default" ? "default" : await readLimits(flags.limits) },
    ...flags.features !== undefined && { features: parseFeatures(flags.features) },
    weights: flags.weights,
    ...flags.tune !== undefined && { tune: flags.tune },
    ...lock && { lock },
    seed: flags.seed,
    selfTest: flags.selfTest,
    format: flags.format,
    ...flags.state !== undefined &&
      {
        state: await given(`--state ${flags.state}`, () =>
          checkpointState(
            flags.state!,
            new Map(model.graph.states.map(({ path, tensor }) => [path, tensor.dtype])),
          )),
      },
  };
  const built = await buildShowing(model, options);
  await writeBundle(flags.out, built);
  const { manifest, files } = built;
  const bytes = [...files.values()].flat().reduce((sum, part) => sum + part.length, 0);
  const asked = options.features ?? [];
  const unused = asked.filter((name) => !manifest.variants.some(({ features }) => features.includes(name)));
  return [
    `${flags.out}: ${counted(manifest.kernels.length, "kernel")}, ` +
    `${counted(manifest.variants.length, "variant")}, ${bytes.toLocaleString("en")} bytes in ${
      counted(files.size, "file")
    }`,
    ...unused.map((name) => `No kernel of this model is better with ${name}, so nothing asks for it.`),
    ...drawn(flags, model),
  ].join("\n");
}

/** Builds, and says how far the self-test is where it takes long. */
async function buildShowing(model: Model, options: BundleOptions): Promise<BuiltBundle> {
  using bar = progressBar();
  const show = (part: number) => bar.show(part, "self-test by plain loops (--no-self-test leaves it out)");
  return await buildBundle(model, { ...options, onProgress: whenSlow(show) });
}

/** What weights a bundle has that was given none. */
function drawn({ state, seed }: BuildFlags, { graph }: Model): string[] {
  if (state !== undefined || !graph.states.some(({ role }) => role === "parameter")) return [];
  return [
    `The weights are drawn from the seed ${seed}: --state FILE gives trained ones, as \`state.save("FILE")\` writes them.`,
  ];
}

function parseFeatures(text: string): (typeof featureNames)[keyof typeof featureNames][] {
  return [...new Set(text.split(","))].map((name) => {
    const key = name.trim();
    if (Object.hasOwn(featureNames, key)) return featureNames[key as keyof typeof featureNames];
    throw new UsageError(
      `--features ${text}: there is no feature "${key}"; there are ${Object.keys(featureNames).join(", ")}.`,
    );
  });
}

async function readLimits(path: string): Promise<LimitNumbers> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    const because = error instanceof SyntaxError ? "it is no JSON" : osReason(error);
    throw new UsageError(`--limits ${path} can't be read: ${because}.`, { cause: error });
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new UsageError(`--limits ${path}: it is no JSON object of limits by WebGPU's names.`);
  }
  await given(`--limits ${path}`, () => bundleLimits(parsed as LimitNumbers));
  return parsed as LimitNumbers;
}

/** States from a checkpoint: all parameters must be in it. What else it lacks begins as the model says. */
async function checkpointState(path: string, known: ReadonlyMap<string, DType>): Promise<InitialState> {
  using file = await SafetensorsReader.open(path);
  const extra = [...file.tensors.keys()].filter((name) => !known.has(name));
  if (extra.length === file.tensors.size) {
    throw new UsageError(
      `--state ${path}: none of its tensors is a state of the model, whose states are ${
        [...known.keys()].slice(0, 5).join(", ")
      }.`,
    );
  }
  const values = new Map<string, Awaited<ReturnType<typeof file.read>>>();
  for (const [name, dtype] of known) {
    if (file.tensors.has(name)) values.set(name, await file.read(name, dtype));
  }
  return (name, shape, dtype, role) => {
    const tensor = values.get(name);
    if (tensor === undefined) {
      if (role !== "parameter") return undefined;
      throw new UsageError(`--state ${path}: it lacks the parameter "${name}".`);
    }
    if (tensor.dtype === dtype && String(tensor.shape) === String(shape)) return tensor.data;
    throw new UsageError(
      `--state ${path}: "${name}" is ${tensor.dtype} [${tensor.shape}], and the model has it as ${dtype} [${shape}].`,
    );
  };
}
