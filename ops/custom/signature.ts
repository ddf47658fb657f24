/**
 * The signature of a custom kernel: what its tensors are called, and the pattern of their shapes. Names in it stand for
 * sizes that a call binds, the same everywhere; shapes of results are made of them.
 */

import { counted } from "../../compiler/counted.ts";
import { ShapeError } from "../../compiler/errors.ts";
import { bindDim, type Dim, namesOf, type Shape, showShape } from "../../compiler/graph/dim.ts";
import { showType, type TensorType } from "../../compiler/graph/node.ts";
import type { ElementForm } from "../../compiler/kernel/raw.ts";
import { checkDType, checkShape } from "../../compiler/model/input.ts";
import { nameProblem } from "./text_checks.ts";

/** One tensor of a signature. */
export interface Declared extends TensorType {
  readonly name: string;
  readonly form: ElementForm;
}

export interface KernelSignature {
  /** How messages call the kernel. */
  readonly label: string;
  readonly inputs: readonly Declared[];
  readonly outputs: readonly Declared[];
}

/** Elements of a tensor in one element of the array that the text sees. */
export const widthOf = (form: ElementForm): number => form === "vec4" ? 4 : form === "vec2" ? 2 : 1;

/** Names of the sizes that a call binds, in order of first appearance. */
export const boundNames = ({ inputs }: KernelSignature): readonly string[] => [
  ...new Set(inputs.flatMap(({ shape }) => shape.filter((d): d is string => typeof d === "string"))),
];

/** @throws ShapeError where the signature itself makes no sense. */
export function checkSignature(signature: KernelSignature): void {
  const { label, inputs, outputs } = signature;
  const fail = (message: string): never => {
    throw new ShapeError(`${label}: ${message}`);
  };
  if (outputs.length === 0) fail("has no outputs; a kernel is there for what it writes");
  for (const { name, shape, dtype } of inputs) {
    checkShape(`${label}, "${name}"`, shape);
    checkDType(`${label}, "${name}"`, dtype);
  }
  const sizes = boundNames(signature);
  const names = new Set<string>();
  for (const name of [...[...inputs, ...outputs].map((t) => t.name), ...sizes]) {
    const problem = nameProblem(name);
    if (problem) fail(`"${name}" ${problem}`);
    if (names.has(name)) fail(`"${name}" is two things; tensors and sizes need names of their own in WGSL`);
    names.add(name);
  }
  for (const { name, shape, dtype } of outputs) {
    checkDType(`${label}, "${name}"`, dtype);
    if (!Array.isArray(shape)) fail(`the shape of "${name}" is an array such as ["n"]`);
    for (const dim of shape) {
      if (typeof dim === "number") checkShape(`${label}, "${name}"`, [dim]);
      const unknown = namesOf(dim).find((n) => !sizes.includes(n));
      if (unknown === undefined) continue;
      fail(
        `the output "${name}" has the size ${unknown}, which no input has; its sizes are ` +
          `${sizes.join(", ") || "none"}. Use a number, or give the kernel an input of that size`,
      );
    }
  }
  checkForms(signature, fail);
}

function checkForms({ inputs, outputs }: KernelSignature, fail: (message: string) => never): void {
  for (const { name, form, dtype } of [...inputs, ...outputs]) {
    if (!["scalar", "vec2", "vec4", "atomic"].includes(form)) {
      fail(`"${name}" is read as ${JSON.stringify(form)}; \`as\` is "vec2", "vec4" or "atomic"`);
    }
    if (form !== "atomic") continue;
    if (inputs.some((t) => t.name === name)) fail(`the input "${name}" is only read, so it cannot be atomic`);
    if (dtype !== "i32" && dtype !== "u32") {
      fail(`"${name}" is ${dtype}, and WGSL has atomics for i32 and u32 only`);
    }
  }
}

/** The sizes that a call binds. */
export function bindCall(
  { label, inputs }: KernelSignature,
  given: readonly TensorType[],
): Record<string, Dim> {
  const sizes: Record<string, Dim> = {};
  const places = new Map<string, string>();
  given.forEach((type, i) => {
    const { name, shape, dtype, form } = inputs[i]!;
    const pattern = showType({ shape, dtype });
    if (type.dtype !== dtype) {
      throw new ShapeError(
        `${label}: ${name} is ${
          showType(type)
        }, and its signature says ${pattern}. Weft never converts silently: ` +
          `use cast(${name}, "${dtype}")`,
      );
    }
    if (type.shape.length !== shape.length) {
      throw new ShapeError(
        `${label}: ${name} is ${showType(type)} of ${axes(type.shape)}, and its signature says ${pattern}, ` +
          `${axes(shape)}. Use reshape or expandDims`,
      );
    }
    type.shape.forEach((size, axis) => {
      const wanted = shape[axis]!;
      const place = `axis ${axis} of ${name} ${showType(type)}`;
      if (typeof wanted === "number") {
        if (size === wanted) return;
        throw new ShapeError(`${label}: ${place} is ${size}, and its signature says ${wanted}: ${pattern}`);
      }
      if (!Object.hasOwn(sizes, wanted)) {
        sizes[wanted] = size;
        places.set(wanted, place);
      } else if (sizes[wanted] !== size) {
        throw new ShapeError(
          `${label}: ${wanted} is ${sizes[wanted]} (${
            places.get(wanted)
          }) and ${size} (${place}); the signature ` +
            "gives them one name, so they must be equal",
        );
      }
    });
    checkWidth(label, name, form, type);
  });
  return sizes;
}

/** The types of the results for the sizes of a call. */
export function resultsOfCall(
  { label, outputs }: KernelSignature,
  sizes: Readonly<Record<string, Dim>>,
): readonly TensorType[] {
  return outputs.map(({ name, shape, dtype, form }) => {
    const bound = shape.map((dim) => bindDim(dim, sizes));
    const negative = bound.find((d) => typeof d === "number" && d < 0);
    if (negative !== undefined) {
      throw new ShapeError(
        `${label}: ${name} ${showShape(shape)} would be ${showShape(bound)}, and no size is below 0`,
      );
    }
    const type = { shape: bound, dtype };
    checkWidth(label, name, form, type);
    return type;
  });
}

/** Vectors must fill the tensor: what lies behind it belongs to others. Open sizes are looked at once they are bound. */
function checkWidth(label: string, name: string, form: ElementForm, type: TensorType): void {
  const width = widthOf(form);
  let elements = 1;
  for (const dim of type.shape) {
    if (typeof dim !== "number") return;
    elements *= dim;
  }
  if (elements % width === 0) return;
  throw new ShapeError(
    `${label}: ${name} ${showType(type)} has ${
      counted(elements, "element")
    }, and as ${form} their number must be a multiple of ` +
      `${width}. Use pad, or leave out \`as\``,
  );
}

const axes = (shape: Shape): string => counted(shape.length, "axis", "axes");
