/** `customKernel`: a user's WGSL with a typed signature, as a function over tensors. */

import { callerOrigin, ShapeError } from "../../compiler/errors.ts";
import { applyAll, GraphBuilder } from "../../compiler/graph/build.ts";
import { noTensor } from "../../compiler/graph/check_tensor.ts";
import { isDimName } from "../../compiler/graph/dim.ts";
import { Tensor } from "../../compiler/graph/node.ts";
import type { Extent } from "../../compiler/kernel/raw.ts";
import type {
  CotangentsOf,
  CustomResults,
  Fitting,
  Operands,
  ReferenceArrays,
  TensorsOf,
} from "../../compiler/model/custom_types.ts";
import type { InputSpec, SizesOf } from "../../compiler/model/input.ts";
import { attrsOf, type Definition, opOf } from "./definition.ts";
import { checkSignature, type Declared } from "./signature.ts";
import { textProblem } from "./text_checks.ts";

/** A tensor that a kernel reads: a pattern of its shape, and how the text sees its elements. */
export interface KernelInput extends InputSpec {
  /** `x[i]` is a vector of 2 or 4 neighbors; the number of elements must be a multiple. Default: one element. */
  readonly as?: "vec2" | "vec4";
}

/** A tensor that a kernel writes. Sizes in its shape are numbers, names of the inputs' sizes, or sums of these. */
export interface KernelOutput extends InputSpec {
  /** Also `"atomic"`, for i32 and u32: `atomicAdd(&y[i], 1u)`. */
  readonly as?: "vec2" | "vec4" | "atomic";
}

type Inputs = Readonly<Record<string, KernelInput>>;
type Outputs = Readonly<Record<string, KernelOutput>>;

/** A number for each named size of a signature. */
type SizeNumbers<I extends Inputs> = { readonly [N in SizesOf<I>]: number };

/** Along x, y and z; what is left out is 1. */
type Along = number | readonly [number] | readonly [number, number] | readonly [number, number, number];

/** What `customKernel` is made of. */
export interface CustomKernelOptions<Name extends string, I extends Inputs, O extends Outputs> {
  /** What it is called in reports, messages and labels. */
  readonly name: Name;
  /** What it reads, by the names that the text uses. A name in a shape stands for any size, the same everywhere. */
  readonly inputs: I;
  /** What it writes. */
  readonly outputs: O;
  /** The statements that each invocation runs. */
  readonly wgsl: string;
  /** What stands outside the entry point: functions, structures, constants, `var<workgroup>`. */
  readonly declarations?: string;
  /** Invocations of one workgroup. Default 64. */
  readonly workgroupSize?: Along;
  /** Workgroups, given the sizes. Default: enough for one invocation, along x, per element of the first output. */
  readonly workgroups?: (sizes: SizeNumbers<I>) => Along;
  /** The kernel writes every element of every output, so they need not be zeros when it begins. Default false. */
  readonly writesAll?: boolean;
  /**
   * The cotangents of inputs, in ops, by name; what is left out or null has none. The cotangent of a result that nothing
   * flows into is null. Without it no gradient passes the kernel.
   */
  readonly gradient?: (site: {
    readonly inputs: TensorsOf<I>;
    readonly outputs: TensorsOf<O>;
    readonly cotangents: CotangentsOf<O>;
  }) => { readonly [K in keyof I]?: Tensor | null };
  /**
   * The same in plain loops: fills the outputs, which begin as zeros. What the device `cpu` computes with, and what tests
   * can compare with. Arrays are dense and row-major, floats in f64.
   */
  readonly reference?: (arrays: ReferenceArrays<I & O>, sizes: SizeNumbers<I>) => void;
}

/** A custom kernel: tensors in, tensors out, by the names of its signature. */
export type CustomKernel<Name extends string, I extends Inputs, O extends Outputs> = <A extends Operands<I>>(
  inputs: A & Fitting<Name, I, A>,
) => CustomResults<I, O, A>;

/**
 * A function over tensors whose kernel is your own WGSL.
 *
 * You write what one invocation does, as the body of an entry point; Weft writes the rest of the module from the
 * signature, so that the two cannot disagree, and so that it can bind, place and fold as it does for its own kernels:
 *
 * - each tensor is an array of its own name, dense and row-major: `x[row * k + column]`, and `x[0]` for a scalar. `bool`
 *   is u32, 0 or 1. Inputs are read-only;
 * - each name in a shape is a `const` of type u32, for index arithmetic and array lengths. Bound long loops by `sizes.n`,
 *   the same number from a uniform block: drivers unroll loops to a constant, which may take seconds;
 * - WGSL's builtin values have their own names: `global_invocation_id`, `local_invocation_id`,
 *   `local_invocation_index`, `workgroup_id`, `num_workgroups`. A grid may have more than 65,535 workgroups along an axis;
 * - outputs are zeros when the kernel begins, so an element that it leaves out is 0 and never what some other tensor
 *   left there. A kernel that writes all of them says so (`writesAll`) and saves that write.
 *
 * Nothing is fused into it: what it reads is stored first, views too. Indices are not checked: WGSL itself keeps an index
 * that is outside its array from touching anything else, and what it reads or writes then is not defined. Nobody ends a
 * loop that never ends, and Deno, other than browsers, takes a barrier that some invocations do not reach. The text is
 * compiled where a program is loaded, and what the compiler has against it names the line.
 *
 * @throws ShapeError where the signature or the text is not as above, and, when called, where tensors do not fit it.
 * @example Scaling by a learned factor
 * ```ts
 * import { compile, customKernel, init, input, model, mul, openDevice, parameter, sum } from "@weft/weft";
 *
 * const scale = customKernel({
 *   name: "scale",
 *   inputs: { x: { shape: ["n"], dtype: "f32" }, factor: { shape: [], dtype: "f32" } },
 *   outputs: { y: { shape: ["n"], dtype: "f32" } },
 *   wgsl: `
 *     let i = global_invocation_id.x;
 *     if (i < n) { y[i] = factor[0] * x[i]; }
 *   `,
 *   writesAll: true,
 *   gradient: ({ inputs: { x, factor }, cotangents: { y: g } }) => ({
 *     x: mul(g, factor),
 *     factor: sum(mul(g, x)),
 *   }),
 *   reference({ x, factor, y }, { n }) {
 *     for (let i = 0; i < n; i++) y[i] = factor[0]! * x[i]!;
 *   },
 * });
 *
 * const net = model({ x: input(["batch"], "f32") }, ({ x }) => {
 *   const { y } = scale({ x, factor: parameter("factor", [], init.ones()) }); // y: Tensor<readonly ["batch"], "f32">
 *   return { y };
 * });
 * using device = await openDevice({ device: "cpu" });
 * using run = await compile(net, { device, sizes: { batch: 3 } });
 * console.log(await run.run({ x: new Float32Array([1, 2, 3]) }).y.read());
 * ```
 * @example A histogram, with atomics
 * ```ts
 * import { customKernel } from "@weft/weft";
 *
 * const histogram = customKernel({
 *   name: "histogram",
 *   inputs: { values: { shape: ["n"], dtype: "u32" } },
 *   outputs: { counts: { shape: [256], dtype: "u32", as: "atomic" } },
 *   workgroups: ({ n }) => Math.ceil(n / 64),
 *   wgsl: `
 *     let i = global_invocation_id.x;
 *     if (i < n) { atomicAdd(&counts[values[i] & 255u], 1u); }
 *   `,
 * });
 * ```
 */
export function customKernel<
  const Name extends string,
  const I extends Inputs,
  const O extends Outputs,
>(options: CustomKernelOptions<Name, I, O>): CustomKernel<Name, I, O> {
  const definition = definitionOf(options as unknown as Loose);
  const op = opOf(definition);
  const attrs = attrsOf(definition);
  const call = (given: Readonly<Record<string, unknown>>) => {
    const results = applyAll(op, operandsOf(definition, given), attrs);
    return Object.fromEntries(definition.outputs.map(({ name }, i) => [name, results[i]!]));
  };
  return call as CustomKernel<Name, I, O>;
}

/** The options without their types, as JavaScript may pass them. */
type Loose =
  & Omit<CustomKernelOptions<string, Inputs, Outputs>, "gradient" | "reference">
  & Pick<Definition, "gradient" | "reference">;

function definitionOf(options: Loose): Definition {
  const { name, inputs, outputs, wgsl, declarations = "", writesAll = false, reference } = options;
  if (typeof name !== "string" || !isDimName(name)) {
    throw new ShapeError(
      `customKernel: the name ${
        JSON.stringify(name)
      } must be one word of letters, digits and _; it labels kernels`,
    );
  }
  const label = `customKernel(${name})`;
  const signature = { label, inputs: declared(inputs), outputs: declared(outputs) };
  checkSignature(signature);
  if (typeof wgsl !== "string" || typeof declarations !== "string") {
    throw new ShapeError(`${label}: \`wgsl\` and \`declarations\` are texts`);
  }
  const problem = textProblem({ wgsl, declarations });
  if (problem) throw new ShapeError(`${label}: ${problem}`);
  return {
    ...signature,
    name,
    wgsl,
    declarations,
    workgroupSize: workgroupSizeOf(label, options),
    workgroups: options.workgroups as Definition["workgroups"],
    writesAll,
    gradient: options.gradient,
    reference,
    origin: callerOrigin(),
  };
}

const declared = (tensors: Inputs | Outputs): Declared[] =>
  Object.entries(tensors ?? {}).map(([name, { shape, dtype, as }]) => ({
    name,
    shape,
    dtype,
    form: as ?? "scalar",
  }));

function workgroupSizeOf(label: string, { workgroupSize = 64, workgroups }: Loose): Extent {
  const [x, y = 1, z = 1] = typeof workgroupSize === "number" ? [workgroupSize] : workgroupSize;
  if (![x, y, z].every((n) => Number.isSafeInteger(n) && n! >= 1)) {
    throw new ShapeError(
      `${label}: workgroupSize is ${
        JSON.stringify(workgroupSize)
      }; give a whole number from 1 up, or up to three of ` +
        "them, such as [8, 8]",
    );
  }
  if (y * z > 1 && !workgroups) {
    throw new ShapeError(
      `${label}: a workgroup of ${x} × ${y} × ${z} has no grid by itself; say \`workgroups: (sizes) => [x, y, z]\``,
    );
  }
  return [x!, y, z];
}

function operandsOf({ label, inputs }: Definition, given: Readonly<Record<string, unknown>>): Tensor[] {
  GraphBuilder.current(label);
  const names = inputs.map(({ name }) => name);
  const fail = (message: string): never => {
    throw new ShapeError(`${label}: ${message}; it is called with { ${names.join(", ")} }`);
  };
  if (typeof given !== "object" || given === null) fail(`takes its inputs by name, got ${given}`);
  const unknown = Object.keys(given).find((name) => !names.includes(name));
  if (unknown !== undefined) fail(`has no input "${unknown}"`);
  return names.map((name) => {
    const tensor = given[name];
    return tensor instanceof Tensor ? tensor : fail(`the input "${name}" is ${noTensor(tensor)}`);
  });
}
