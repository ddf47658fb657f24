/**
 * A model becomes a bundle: files that run on WebGPU and need nothing of Weft.
 *
 * Nothing here needs a GPU, a clock or the machine's own arithmetic, so the same sources give the same bytes.
 * @module
 */

import { createHash } from "node:crypto";
import config from "../../deno.json" with { type: "json" };
import {
  type BundleFeature,
  type CompiledVariants,
  compileVariants,
} from "../../compiler/bundle/compile_variants.ts";
import {
  type BundleState,
  type BundleTensor,
  type Manifest,
  manifestVersion,
} from "../../compiler/bundle/manifest.ts";
import schema from "../../compiler/bundle/manifest.schema.json" with { type: "json" };
import { checkOpenSize } from "../../compiler/bundle/open_size.ts";
import { readmeText } from "../../compiler/bundle/readme.ts";
import { makeSelfTest } from "../../compiler/bundle/self_test.ts";
import { CompileError, RunError } from "../../compiler/errors.ts";
import { bindSizes } from "../../compiler/graph/bind.ts";
import { bindDim, namesOf, type Sizes } from "../../compiler/graph/dim.ts";
import { roundTo, type StoredArray } from "../../compiler/graph/dtype.ts";
import type { Graph } from "../../compiler/graph/graph.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { programDifferences } from "../../compiler/lock/compare.ts";
import type { PlanLock } from "../../compiler/lock/lock.ts";
import { following, lockedOptions, type OwnParts } from "../../compiler/lock/locked.ts";
import type { Inputs } from "../../compiler/model/input.ts";
import { Model, type Outputs } from "../../compiler/model/model.ts";
import { defaultLimits, gpuTarget, softwareTarget, type Target } from "../../compiler/target.ts";
import { arrayText, described, isStored } from "../host_form.ts";
import { sizesOfLock } from "../lock/replay.ts";
import type { InitialState } from "../state.ts";
import { checkSizes } from "./check_sizes.ts";
import { bundleLimits, type LimitNumbers } from "./limits.ts";
import { constantWeights, isZero, type Weight, weightFiles, widestFirst } from "./weights.ts";

/** Options of `buildBundle`. */
export interface BundleOptions {
  /** What the bundle is called. */
  readonly name: string;
  /** A number for every named size, or several choices. */
  readonly sizes?: Sizes | readonly Sizes[];
  /**
   * A named size that may also be smaller than `sizes` says, down to 1: one bundle for every batch up to a maximum. The
   * rows of that size must have nothing to do with each other, which is checked.
   */
  readonly open?: string;
  /** What a device must have: WebGPU's default limits (the default), or a stated device's, by WebGPU's names. */
  readonly limits?: "default" | LimitNumbers;
  /** What schedules are made for: graphics processors (the default), or adapters that compute on the CPU. */
  readonly tune?: "gpu" | "software";
  /** What to use where a device has it. A device that lacks it runs a plain variant. */
  readonly features?: readonly BundleFeature[];
  /** How f32 parameters are stored. Default `f32`. */
  readonly weights?: "f32" | "f16";
  /** Seed of the initializers and of random numbers. Default 0. */
  readonly seed?: number;
  /** First values of states by path; where it gives undefined, the model's initializer does. */
  readonly state?: InitialState;
  /** Whether to compute what a run must give, by plain loops: slow for large models. Default true. */
  readonly selfTest?: boolean;
  /** Hears how much of the self-test is computed, 0 … 1: of a large model's build it is the longest part. */
  readonly onProgress?: (part: number) => void;
  /** `json`: without the loader, for hosts in other languages. Default `module`. */
  readonly format?: "module" | "json";
  /** Most bytes of one weight file. Default 2 GiB. */
  readonly shardBytes?: number;
  /**
   * The plan to build, as `readLock` and `lockOf` give it: sizes, limits, features, fusion and tuning are the lock's.
   * Without one no tuning is used, since a bundle runs on devices that nobody has measured.
   */
  readonly lock?: PlanLock;
  /** Passes and schedules of your own that the lock names. */
  readonly own?: OwnParts;
}

/** A bundle in memory. */
export interface BuiltBundle {
  readonly manifest: Manifest;
  /** The contents of each file, in parts, by its path in the folder. */
  readonly files: ReadonlyMap<string, readonly Uint8Array<ArrayBufferLike>[]>;
  /** The programs of the plain variant, as Weft itself would run them. */
  readonly compiled: CompiledVariants["compiled"];
}

/**
 * Builds a bundle of a model.
 *
 * @throws CompileError or ShapeError where the model can't be compiled as asked; RunError where a state doesn't fit, or
 * where the sizes leave nothing to compute.
 * @example
 * ```ts
 * import { buildBundle, input, linear, model } from "@weft/weft";
 *
 * const net = model({ x: input(["batch", 2], "f32") }, ({ x }) => ({ y: linear(2, 3)(x) }));
 * const { manifest, files } = await buildBundle(net, { name: "net", sizes: { batch: 1 } });
 * console.log(manifest.kernels.length, [...files.keys()]);
 * ```
 */
export async function buildBundle<I extends Inputs, O extends Outputs>(
  model: Model<I, O>,
  options: BundleOptions,
): Promise<BuiltBundle> {
  if (!(model instanceof Model)) {
    throw new RunError(
      `buildBundle(): takes a model, as model(…) and trainStep(…) make it, not ${described(model)}.`,
    );
  }
  const { name, features = [], selfTest = true, format = "module", shardBytes, lock } = options;
  if (!isBundleName(name)) {
    throw new RunError(`buildBundle(): the name is ${JSON.stringify(name)}; use ${nameRule}.`);
  }
  const sizes = lock ? await sizesToBuild(lock, options) : options.sizes ?? {};
  const choices: readonly Sizes[] = Array.isArray(sizes) ? sizes : [sizes as Sizes];
  if (choices.length === 0) {
    throw new RunError("buildBundle(): there is no choice of sizes; give at least one.");
  }
  const texts = choices.map(sizesText);
  const twice = texts.find((text, i) => texts.indexOf(text) !== i);
  if (twice !== undefined) {
    throw new RunError(`buildBundle(): the sizes ${twice || "{}"} are there twice; give each choice once.`);
  }
  const { graph } = model;
  for (const choice of choices) checkSizes(graph, choice);
  const { open } = options;
  if (open !== undefined) checkOpen(graph, choices, open);
  const target = targetOf(options);
  const inputs = graph.inputs.map((tensor) => bundleTensor(tensor.node.attrs.name, tensor, open));
  const opened = new Set(inputs.filter((input) => input.open).map((input) => input.name));
  const locked = lock && lockedOptions(lock, options.own);
  const variants = {
    name,
    target,
    features,
    sizes: choices,
    open: open === undefined ? undefined : { name: open, inputs: opened },
    ...locked && { locked },
  };
  const made = locked ? following(() => compileVariants(graph, variants)) : compileVariants(graph, variants);
  const [differs] = lock ? programDifferences(lock, made.compiled[0]!) : [];
  if (differs !== undefined) {
    throw new CompileError(
      `buildBundle(): the lock can't be followed: ${differs}. Make a new one with \`weft lock\``,
    );
  }
  const states = firstStates(graph, choices[0]!, options);
  const stored = widestFirst(states.filter(({ data }) => !isZero(data)));
  const all = [...constantWeights(made.constants), ...stored];
  const { weights, tensors, contents } = weightFiles(all, shardBytes);
  const files = new Map<string, readonly Uint8Array<ArrayBufferLike>[]>();
  const put = (path: string, text: string) => files.set(path, [new TextEncoder().encode(text)]);

  const test = selfTest
    ? makeSelfTest(graph, {
      sizes: choices[0]!,
      program: 0,
      states: new Map(states.map(({ name, data }) => [name, data])),
      onProgress: options.onProgress,
    })
    : undefined;
  const testText = test && `${JSON.stringify(test.test)}\n`;
  const firstStored = made.constants.length;
  const manifest: Manifest = {
    $schema: "./manifest.schema.json",
    format: "weft-bundle",
    version: manifestVersion,
    name,
    generator: `weft ${config.version}`,
    kind: graph.writes.some(({ state }) => state.node.attrs.role === "parameter") ? "training" : "inference",
    sizes: choices.map((size) => Object.fromEntries(Object.entries(size).sort(([a], [b]) => a < b ? -1 : 1))),
    ...open !== undefined && { open },
    inputs,
    outputs: Object.entries(graph.outputs).map(([name, tensor]) => ({
      ...bundleTensor(name, tensor, open),
      ...test && { tolerance: test.outputs[name]! },
    })),
    state: made.compiled[0]!.program.state.map(({ name, dtype, shape, role }): BundleState => {
      const tensor = stored.findIndex((weight) => weight.name === name);
      const tolerance = test?.state[name];
      return {
        name,
        dtype,
        shape,
        role,
        ...tensor >= 0 && { tensor: firstStored + tensor },
        ...tolerance !== undefined && { tolerance },
      };
    }),
    weights,
    tensors,
    kernels: made.kernels,
    variants: made.variants,
    ...testText !== undefined && { selfTest: { file: "selftest.json", sha256: hashOf(testText) } },
  };
  const text = `${JSON.stringify(manifest)}\n`;
  put("manifest.json", text);
  put("manifest.schema.json", `${JSON.stringify(schema, null, 2)}\n`);
  put("README.md", readmeText(manifest, format));
  if (testText !== undefined) put("selftest.json", testText);
  made.kernels.forEach(({ file }, i) => put(file, made.texts[i]!));
  weights.forEach(({ file }, i) => files.set(file, contents[i]!));
  if (format === "module") {
    // Made with ts-morph and terser, which whoever builds no bundle need not load.
    const { loaderFiles } = await import("../../compiler/bundle/loader_files.ts");
    for (const [path, script] of await loaderFiles(manifest, hashOf(text))) put(path, script);
  }
  return { manifest, files, compiled: made.compiled };
}

/** What a bundle may be called. */
export const nameRule = 'up to 100 of the letters A to Z, digits, spaces, "_", "-" and "."';
export const isBundleName = (name: unknown): boolean =>
  typeof name === "string" && /^[\w .-]{1,100}$/.test(name);

const sizesText = (sizes: Sizes): string =>
  Object.entries(sizes).map(([name, size]) => `${name} = ${size}`).sort().join(", ");

/** The sizes of a lock, which must be those that are asked for, if any are. */
async function sizesToBuild(lock: PlanLock, options: BundleOptions): Promise<Sizes> {
  const what = "buildBundle()";
  const { checkLock } = await import("../lock/check.ts");
  checkLock(lock, `${what}: the lock`);
  const given = (["limits", "tune", "features"] as const).find((key) => options[key] !== undefined);
  if (given !== undefined) {
    throw new RunError(
      `${what}: ${given} is given beside a lock, which has decided that. Leave out one of the two.`,
    );
  }
  const { sizes } = options;
  if (!Array.isArray(sizes)) return sizesOfLock(lock, sizes as Sizes | undefined, what);
  if (sizes.length !== 1) {
    throw new RunError(
      `${what}: ${sizes.length} choices of sizes, and a lock is for one. Build one bundle per lock.`,
    );
  }
  return sizesOfLock(lock, sizes[0], what);
}

/** Whether a size may be left open, in each choice of the others. */
function checkOpen(graph: Graph, choices: readonly Sizes[], open: string): void {
  for (const choice of choices) {
    const { [open]: most, ...others } = choice;
    if (most === undefined || !(most > 0)) {
      throw new RunError(
        `buildBundle(): the size "${open}" is to be open, and \`sizes\` says no maximum for it.`,
      );
    }
    checkOpenSize(bindSizes(graph, others, [open]), open);
  }
}

function bundleTensor(name: string, { shape, dtype }: Tensor, open: string | undefined): BundleTensor {
  const isOpen = open !== undefined && shape.some((dim) => namesOf(dim).includes(open));
  return { name, dtype, shape, ...isOpen && { open: true } };
}

/**
 * Lanes that hand one another values, in the variant for subgroups: a processor's workgroups are as large as its vectors of
 * floats; on graphics processors loads come to all lanes at once, and 32 is the least subgroup of most of them.
 */
const subgroupsOf = {
  software: { broadcast: softwareTarget.lanes.contraction, subgroup: softwareTarget.lanes.row },
  gpu: { broadcast: 0, subgroup: 32 },
} as const;

/** What bundles are compiled for. */
function targetOf({ limits = "default", tune = "gpu" }: BundleOptions): Target {
  const base = tune === "software" ? softwareTarget : gpuTarget;
  return {
    ...base,
    name: "bundle",
    limits: limits === "default" ? defaultLimits : bundleLimits(limits),
    ...subgroupsOf[tune],
  };
}

/** The states as they begin, in the form that is stored. */
function firstStates(graph: Graph, sizes: Sizes, options: BundleOptions): Weight[] {
  const { seed = 0, state, weights = "f32" } = options;
  return graph.states.map(({ path, tensor, initializer, role }): Weight => {
    const shape = tensor.shape.map((dim) => bindDim(dim, sizes) as number);
    const { dtype } = tensor;
    const data = state?.(path, shape, dtype, role) ?? initializer({ shape, dtype, seed, path });
    const elements = shape.reduce((n, size) => n * size, 1);
    if (!isStored(dtype, data) || data.length !== elements) {
      throw new RunError(
        `buildBundle(): the state "${path}" wants ${arrayText(dtype, elements)}, not ${described(data)}.`,
      );
    }
    const isHalved = weights === "f16" && dtype === "f32" && role === "parameter";
    if (!isHalved) return { name: path, shape, dtype, stored: dtype, data };
    const rounded: StoredArray = Float32Array.from(data, (x) => roundTo("f16", x));
    const beyond = rounded.findIndex((x, i) => Number.isFinite(data[i]!) && !Number.isFinite(x));
    if (beyond >= 0) {
      throw new RunError(
        `buildBundle(): element ${beyond} of the parameter "${path}" is ${
          data[beyond]
        }, which f16 can't hold (its ` +
          "largest number is 65504). Store the weights as f32.",
      );
    }
    return { name: path, shape, dtype, stored: "f16", data: rounded };
  });
}

const hashOf = (text: string): string => createHash("sha256").update(text).digest("hex");
