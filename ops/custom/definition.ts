/**
 * A custom kernel as an op. Each definition is an op of its own, since its gradient and its reference are the user's; it
 * is in no table, for nobody but its user can call it. Its attributes are its text, which with the inputs make up the
 * key that equal nodes share.
 */

import { CompileError, type Origin, ShapeError } from "../../compiler/errors.ts";
import { hostArray } from "../../compiler/graph/dtype.ts";
import { noTensor } from "../../compiler/graph/check_tensor.ts";
import { sameShape } from "../../compiler/graph/dim.ts";
import { showType, Tensor } from "../../compiler/graph/node.ts";
import type { GradientSite, Op } from "../../compiler/graph/op.ts";
import type { Extent, RawReference } from "../../compiler/kernel/raw.ts";
import { planRaw } from "../../compiler/schedule/raw.ts";
import { bindCall, boundNames, type KernelSignature, resultsOfCall, widthOf } from "./signature.ts";
import { sizesRead } from "./text_checks.ts";
import { workgroupBytes } from "./workgroup_memory.ts";

type Numbers = Readonly<Record<string, number>>;
export type Tensors = Readonly<Record<string, Tensor>>;

export interface Definition extends KernelSignature {
  readonly name: string;
  readonly wgsl: string;
  readonly declarations: string;
  readonly workgroupSize: Extent;
  readonly workgroups: ((sizes: Numbers) => number | readonly number[]) | undefined;
  readonly writesAll: boolean;
  readonly gradient:
    | ((
      site: { inputs: Tensors; outputs: Tensors; cotangents: Readonly<Record<string, Tensor | null>> },
    ) => Readonly<Record<string, unknown>>)
    | undefined;
  readonly reference: RawReference | undefined;
  readonly origin: Origin | undefined;
}

/** What a node holds of its definition: a text for keys and for printing. */
interface Attrs {
  readonly kernel: { toJSON(): unknown };
}

export const attrsOf = (definition: Definition): Attrs => {
  const { inputs, outputs, wgsl, declarations, workgroupSize, writesAll } = definition;
  const functions = [definition.workgroups, definition.gradient, definition.reference].map(numberOf);
  const text = { inputs, outputs, workgroupSize, writesAll, functions, declarations, wgsl };
  return { kernel: { toJSON: () => text } };
};

/** Functions have no content to intern by: each has a number of its own, and none has 0. */
const numbers = new WeakMap<object, number>();
let met = 0;

function numberOf(f: object | undefined): number {
  if (!f) return 0;
  let number = numbers.get(f);
  if (number === undefined) numbers.set(f, number = ++met);
  return number;
}

export function opOf(definition: Definition): Op<Attrs> {
  const { label, outputs, reference } = definition;
  const bind = (given: Parameters<typeof bindCall>[1]) => bindCall(definition, given);
  return {
    name: label,
    infer: (inputs) => resultsOfCall(definition, bind(inputs)),
    gradient: definition.gradient ? (site) => gradientOf(definition, site) : {
      notDifferentiable: "WGSL is not differentiated. Give customKernel " +
        "`gradient: ({ inputs, outputs, cotangents }) => ({ … })`, a tensor for each input that has one, or keep " +
        "gradients out with stopGradient",
    },
    reference(inputs, _attrs, { inputs: types, outputs: results }) {
      if (!reference) {
        throw new CompileError(
          `${label}: has no reference to compute by; give customKernel \`reference: (arrays, sizes) => …\``,
          { origin: definition.origin },
        );
      }
      const made = results.map(({ shape, dtype }) => hostArray(dtype, shape.reduce((n, d) => n * d, 1)));
      const arrays = [...inputs.map((x) => x.slice()), ...made];
      const named = [...definition.inputs, ...outputs].map(({ name }, i) => [name, arrays[i]!]);
      reference(Object.fromEntries(named), bind(types) as Numbers);
      return made;
    },
    lower: {
      inlines: "all",
      plan(site) {
        const sizes = bind(site.inputs) as Numbers;
        const read = sizesRead(definition);
        return planRaw(site, {
          ...definition,
          body: definition.wgsl,
          tensors: [...definition.inputs, ...outputs],
          sizes,
          uniforms: boundNames(definition).filter((name) => read.has(name)),
          workgroupBytes: workgroupBytes(definition.declarations, sizes),
          workgroups: workgroupsOf(definition, sizes, site.outputs[0]!.shape),
        });
      },
    },
    samples: [],
  };
}

/** Checks what the user's rule gives: its tensors go into sums that have no line of the user's to point at. */
function gradientOf(definition: Definition, site: GradientSite<Attrs>): readonly (Tensor | null)[] {
  const { label, inputs, outputs, origin } = definition;
  const record = <T>(names: readonly { readonly name: string }[], values: readonly T[]): Record<string, T> =>
    Object.fromEntries(names.map(({ name }, i) => [name, values[i]!]));
  const given = definition.gradient!({
    inputs: record(inputs, site.inputs),
    outputs: record(outputs, site.outputs),
    cotangents: record(outputs, site.cotangents),
  });
  const fail = (message: string): never => {
    throw new ShapeError(`${label}: its gradient ${message}`, { origin });
  };
  if (typeof given !== "object" || given === null || given instanceof Tensor) {
    fail(`must give a record of tensors by the names of inputs: ${names(inputs)}`);
  }
  const unknown = Object.keys(given).find((name) => !inputs.some((t) => t.name === name));
  if (unknown !== undefined) fail(`gives "${unknown}", which is no input; the inputs are ${names(inputs)}`);
  return inputs.map(({ name }, i) => {
    const g = given[name] ?? null;
    if (g === null) return null;
    const x = site.inputs[i]!;
    if (!(g instanceof Tensor)) return fail(`gives for "${name}" ${noTensor(g)}`);
    if (g.dtype !== x.dtype || !sameShape(g.shape, x.shape)) {
      fail(`gives ${showType(g)} for "${name}", which is ${showType(x)}; the two must be equal`);
    }
    return g;
  });
}

const names = (list: readonly { readonly name: string }[]): string => list.map(({ name }) => name).join(", ");

/** The grid for given sizes. Left out: as many workgroups as give each element of the first output an invocation. */
function workgroupsOf(definition: Definition, sizes: Numbers, first: readonly number[]): Extent {
  const { label, workgroups, workgroupSize, outputs, origin } = definition;
  if (!workgroups) {
    const elements = first.reduce((n, d) => n * d, 1) / widthOf(outputs[0]!.form);
    return [Math.ceil(elements / workgroupSize[0]), 1, 1];
  }
  const asked = workgroups(sizes);
  const extent = typeof asked === "number" ? [asked] : [...asked];
  if (extent.length < 1 || extent.length > 3 || extent.some((n) => !Number.isSafeInteger(n) || n < 0)) {
    throw new CompileError(
      `${label}: workgroups gave ${JSON.stringify(asked)} for the sizes ${
        JSON.stringify(sizes)
      }; give a whole ` +
        "number, or up to three of them along x, y and z, such as Math.ceil(n / 64)",
      { origin },
    );
  }
  return [extent[0]!, extent[1] ?? 1, extent[2] ?? 1];
}
