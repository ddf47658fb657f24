/**
 * A model's graph compiled for a bundle: one program per choice of sizes, once for each set of features that changes
 * anything, with one pool of kernels and one list of constants for all.
 *
 * States lie in the same place in all programs of a variant, so that a run in one size continues what a run in another
 * began: the first program decides, and the others are compiled for its layout.
 * @module
 */

import { createHash } from "node:crypto";
import { type Compiled, compileGraph, type CompileOptions } from "../compile.ts";
import { CompileError } from "../errors.ts";
import type { Group } from "../fuse/group.ts";
import { bindDim, showShape, type Sizes } from "../graph/dim.ts";
import type { DType } from "../graph/dtype.ts";
import type { Graph } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import type { Program } from "../program/program.ts";
import { layoutOf } from "../program/state_layout.ts";
import type { Target } from "../target.ts";
import { describeProgram, requiredLimits } from "./describe_program.ts";
import { asksSubgroup, bundleText, KernelPool, type ServedOp } from "./kernel_pool.ts";
import { type BundleKernel, type BundleProgram, isCopy, type Variant } from "./manifest.ts";
import { type OpenGrid, openGrids } from "./open_grid.ts";
import { subgroupProbe } from "./subgroup_probe.ts";

/** What a bundle may use of a device beyond WebGPU's core, by WebGPU's names. */
export type BundleFeature = "shader-f16" | "subgroups";

/** Contents of a constant region, in device form. */
export interface ConstantData {
  readonly dtype: DType;
  readonly data: Uint8Array<ArrayBuffer>;
}

export interface CompiledVariants {
  readonly variants: readonly Variant[];
  readonly kernels: readonly BundleKernel[];
  /** The text of each kernel. */
  readonly texts: readonly string[];
  /** Each contents once; programs refer to them by their index here, as the first of the stored tensors. */
  readonly constants: readonly ConstantData[];
  /** The programs of the plain variant, as Weft itself would run them. */
  readonly compiled: readonly Compiled[];
}

export interface VariantOptions {
  readonly name: string;
  /** What a device has without any feature: its limits, and the numbers that schedules ask for. */
  readonly target: Target;
  readonly features: readonly BundleFeature[];
  readonly sizes: readonly Sizes[];
  /** What a lock has decided, features too: there is one plan then. */
  readonly locked?: CompileOptions;
  /** A size that may be smaller, and the inputs with rows of it. */
  readonly open?: { readonly name: string; readonly inputs: ReadonlySet<string> } | undefined;
}

export function compileVariants(graph: Graph, options: VariantOptions): CompiledVariants {
  const { name, target, features, sizes, locked, open } = options;
  checkStates(graph, sizes);
  const pool = new KernelPool();
  const constants = new Constants();
  const variants = locked ? lockedVariants(graph, sizes, locked) : featureSets(features).flatMap((set) => {
    const f16 = set.includes("shader-f16");
    const subgroups = set.includes("subgroups");
    const handing = subgroups ? {} : { broadcast: 0, subgroup: 0 };
    const variant = variantOf(graph, sizes, {
      target: { ...target, features: { f16, subgroups }, ...handing },
    });
    // A feature that no kernel asks for makes no difference that a device would have to be asked for.
    return variant.set.length === set.length ? [variant] : [];
  });
  const described = variants.map(({ compiled, featured }) =>
    compiled.map((one, i) => {
      const grids = open ? openGrids(one, open.inputs, sizes[i]![open.name]!) : [];
      return describe(one, featured, pool, constants, grids);
    })
  );
  const subgroups = described.map((programs) => {
    const asked = stepsOf(programs).map((kernel) => pool.askedOf(kernel)).filter((asked) =>
      asked !== undefined
    );
    if (asked.length === 0) return {};
    const probes = new Map(asked.map((a) => [`subgroup probe ${a.lanes} of ${a.subgroup}`, a]));
    return {
      info: { subgroupMinSize: Math.max(...asked.map(({ subgroup }) => subgroup)) },
      probes: [...probes].map(([label, asked]) => pool.addText(subgroupProbe(asked), label)),
    };
  });
  const { kernels, texts } = pool.files(name);
  return {
    variants: variants.map(({ set }, i) => ({
      features: set,
      limits: requiredLimits(described[i]!, kernels),
      ...subgroups[i]!,
      programs: described[i]!,
    })),
    kernels,
    texts,
    constants: constants.all,
    compiled: variants.at(-1)!.compiled,
  };
}

const stepsOf = (programs: readonly BundleProgram[]): number[] =>
  programs.flatMap(({ steps }) => steps.flatMap((step) => isCopy(step) ? [] : [step.kernel]));

/** One plan; where it has lanes hand on what they have, the same kernels also with lanes that do not. */
function lockedVariants(graph: Graph, sizes: readonly Sizes[], locked: CompileOptions) {
  const variant = variantOf(graph, sizes, locked);
  if (!variant.set.includes("subgroups")) return [variant];
  const { featured } = variant;
  const plain = { ...featured, features: { ...featured.features, subgroups: false } };
  return [variant, { ...variant, set: variant.set.filter((name) => name !== "subgroups"), featured: plain }];
}

/** The programs for a target, with those of its features that some kernel asks for. */
function variantOf(graph: Graph, sizes: readonly Sizes[], options: CompileOptions) {
  const { target } = options;
  const compiled = compileAll(graph, sizes, options);
  const offered: readonly (readonly [BundleFeature, boolean])[] = [
    ["shader-f16", target.features.f16],
    ["subgroups", target.features.subgroups],
  ];
  const set = offered.flatMap(([feature, has]) =>
    has && compiled.some(({ program }) => enables(program, feature, target)) ? [feature] : []
  );
  return { set, featured: target, compiled };
}

function enables({ kernels }: Program, feature: BundleFeature, target: Target): boolean {
  const asks = feature === "subgroups" ? asksSubgroup : (text: string) => /^enable f16;/m.test(text);
  return kernels.some((kernel) => asks(bundleText(kernel, target)));
}

/** All sets of the wanted features, the largest first; the last is empty. */
function featureSets(features: readonly BundleFeature[]): BundleFeature[][] {
  const all = [...new Set(features)].sort();
  const sets = Array.from({ length: 2 ** all.length }, (_, bits) => all.filter((_, i) => bits & (1 << i)));
  return sets.sort((a, b) => b.length - a.length);
}

function compileAll(graph: Graph, sizes: readonly Sizes[], options: CompileOptions): readonly Compiled[] {
  const [first, ...others] = sizes;
  const leading = compileGraph(graph, { ...options, sizes: first! });
  const layout = layoutOf(leading.program);
  return [leading, ...others.map((size) => compileGraph(graph, { ...options, sizes: size, layout }))];
}

/** A state is one, whatever the sizes of a run; so its shape may depend on none that has several. */
function checkStates(graph: Graph, sizes: readonly Sizes[]): void {
  for (const { path, tensor, origin } of graph.states) {
    const shapes = new Set(sizes.map((size) => showShape(tensor.shape.map((dim) => bindDim(dim, size)))));
    if (shapes.size === 1) continue;
    throw new CompileError(
      `bundle: the state "${path}" of shape ${showShape(tensor.shape)} would be ${
        [...shapes].join(" and ")
      }. ` +
        "A state has one shape in all sizes of a bundle; build one bundle per size",
      { origin: origin?.origin },
    );
  }
}

function describe(
  compiled: Compiled,
  target: Target,
  pool: KernelPool,
  constants: Constants,
  open: readonly (OpenGrid | undefined)[],
): BundleProgram {
  const { program, graph, serves } = compiled;
  const known = new Map<string, number>();
  const kernels: number[] = [];
  for (const step of program.steps) {
    if (step.kind !== "dispatch") continue;
    const { kernel, label } = step.dispatch;
    const dispatch = kernels.length;
    const parts = open[dispatch]?.parts ?? 1;
    const key = `${kernel} ${parts}`;
    let number = known.get(key);
    if (number === undefined) {
      known.set(key, number = pool.add(program.kernels[kernel]!, target, parts));
    }
    kernels.push(number);
    pool.serve(number, label, servedOps(graph, serves[dispatch]!));
  }
  return describeProgram(program, {
    kernels,
    constants: program.constants.map(({ data }) => constants.add(data)),
    open,
  });
}

function servedOps(graph: Graph, groups: readonly Group[]): ServedOp[] {
  const nodes = new Set<Node>(groups.flatMap((group) => [...group.nodes]));
  return [...nodes].sort((a, b) => a.id - b.id)
    .filter(({ op }) => !op.view && op.name !== "constant" && op.name !== "sizeOf")
    .map((node) => ({ name: node.op.name, origins: graph.builder.originsOf(node) }));
}

class Constants {
  readonly all: ConstantData[] = [];
  readonly #byHash = new Map<string, number>();

  add(contents: Uint8Array<ArrayBuffer>): number {
    const data = new Uint8Array(Math.ceil(contents.length / 4) * 4);
    data.set(contents);
    const hash = createHash("sha256").update(data).digest("hex");
    let index = this.#byHash.get(hash);
    // In device form all types are words or pairs of halves; which, no host needs to know.
    if (index === undefined) this.#byHash.set(hash, index = this.all.push({ dtype: "u32", data }) - 1);
    return index;
  }
}
