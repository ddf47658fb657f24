/**
 * What must hold of a manifest before anything is allocated for it.
 * @module
 */

import type { BundleProgram, Manifest, Range } from "../manifest.ts";
import { type DType, elementBytes, product } from "./elements.ts";
import { fail } from "./files.ts";

/** Throws where a step reaches beyond what it is given: then nothing of the bundle is run. */
export function check({ kernels, tensors, state }: Manifest, program: BundleProgram): void {
  const inside = ([arena, offset, bytes]: Range, least: number): void => {
    const size = program.arenas[arena]?.bytes ?? -1;
    if (offset >= 0 && offset % 256 === 0 && bytes >= least && offset + bytes <= size) return;
    fail(`The manifest binds bytes ${offset} … ${offset + bytes} of ${size}, where ${least} are needed.`);
  };
  for (const step of program.steps) {
    if ("from" in step) {
      inside(step.from, 0);
      inside(step.to, step.from[2]);
      continue;
    }
    const { grid: [x, y], bindings, uniforms, label } = step;
    const kernel = kernels[step.kernel] ?? fail(`"${label}" runs a kernel that there is not.`);
    const isCovered = x <= 65535 && y <= 65535 && bindings.length === kernel.bindings.length &&
      uniforms.length * 4 === kernel.uniforms &&
      x >= 0 && y >= 0 &&
      (y > 1 ? kernel.groups > 65535 && uniforms[0]! <= kernel.groups : x <= kernel.groups);
    if (!isCovered) fail(`The manifest's bounds don't cover "${label}".`);
    bindings.forEach((binding, i) => inside(binding, kernel.bindings[i]!.bytes));
  }
  const deviceBytes = ({ dtype }: { readonly dtype: DType }, elements: number) =>
    elements * elementBytes(dtype);
  for (const range of [...program.inputs, ...program.outputs]) if (range[2] > 0) inside(range, 1);
  const fits = (range: Range, bytes: number, name: string) => {
    if (range[2] !== bytes) fail(`"${name}" has ${bytes} bytes, and its place ${range[2]}.`);
    if (bytes > 0) inside(range, bytes);
  };
  state.forEach((slot, i) => {
    fits(program.state[i]!, deviceBytes(slot, product(slot.shape)), slot.name);
    if (slot.tensor !== undefined) {
      const tensor = tensors[slot.tensor]!;
      fits(program.state[i]!, deviceBytes(slot, tensor.elements), tensor.name);
    }
  });
  for (const { tensor, at } of program.constants) {
    fits(at, deviceBytes(tensors[tensor]!, tensors[tensor]!.elements), tensors[tensor]!.name);
  }
}

/** What a device lacks for a variant, as part of a sentence; empty where nothing. */
export function lacking(
  { features, limits }: Manifest["variants"][number],
  has: GPUAdapter | GPUDevice,
): string {
  const lacks = features.filter((name) => !has.features.has(name as GPUFeatureName)).map((name) =>
    `the feature ${name}`
  );
  for (const [name, least] of Object.entries(limits)) {
    const limit = has.limits[name as keyof GPUSupportedLimits] as number;
    if (!(limit >= least)) lacks.push(`${name} of ${least} (it has ${limit})`);
  }
  return lacks.join(", ");
}
