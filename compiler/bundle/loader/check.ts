/**
 * What must hold of a manifest before anything is allocated for it.
 * @module
 */

import type { BundleProgram, Manifest, Range, Variant } from "../manifest.ts";
import { elementBytes, product, words } from "./elements.ts";
import { fail } from "./files.ts";

function outside(what: string): never {
  fail(`The manifest's bounds don't cover ${what}.`);
}

/** Throws where a step reaches beyond what it is given: then nothing of the bundle is run. */
export function check({ kernels, tensors, state }: Manifest, program: BundleProgram): void {
  const cover = (what: string, [arena, offset, bytes]: Range, least: number): void => {
    const size = program.arenas[arena]?.bytes ?? -1;
    const isInside = offset >= 0 && offset % 256 === 0 && bytes >= least && offset + words(bytes) <= size;
    if (bytes === 0 && least === 0 || isInside) return;
    outside(`${what}: bytes ${offset} … ${offset + bytes} of ${size}, for ${least}`);
  };
  for (const step of program.steps) {
    if ("from" in step) {
      cover("a copy", step.from, step.to[2]);
      cover("a copy", step.to, step.from[2]);
      continue;
    }
    const { grid: [x, y], bindings, uniforms, label } = step;
    const kernel = kernels[step.kernel];
    const isCovered = kernel && bindings.length === kernel.bindings.length &&
      uniforms.length * 4 === kernel.uniforms && x <= 65535 &&
      (y > 1 ? y <= 65535 && kernel.groups > 65535 && uniforms[0]! <= kernel.groups : x <= kernel.groups);
    if (!isCovered) outside(label);
    bindings.forEach((binding, i) => cover(label, binding, kernel.bindings[i]!.bytes));
  }
  for (const range of [...program.inputs, ...program.outputs]) cover("an input or output", range, 0);
  const fit = (index: number, range: Range, bytes: number) => {
    const { name, dtype, elements } = tensors[index]!;
    cover(name, range, elements * elementBytes(dtype));
    if (range[2] !== bytes) outside(name);
  };
  state.forEach(({ name, dtype, shape, tensor }, i) => {
    const range = program.state[i]!;
    const bytes = product(shape) * elementBytes(dtype);
    cover(name, range, bytes);
    if (tensor !== undefined) fit(tensor, range, bytes);
  });
  for (const { tensor, at } of program.constants) fit(tensor, at, at[2]);
}

/** What a device lacks for a variant, as part of a sentence; empty where nothing. */
export function lacking({ features, limits, info }: Variant, has: GPUAdapter | GPUDevice): string {
  // Whether there are subgroups a device must say: Deno's adapters don't list them (`subgroups.ts`).
  const lacks = features.filter((name) => name !== "subgroups" && !has.features.has(name as GPUFeatureName));
  for (const [name, least] of Object.entries({ ...limits, ...info })) {
    const limit = has.limits[name as "maxBufferSize"] ??
      ((has as GPUAdapter).info ?? (has as GPUDevice).adapterInfo)?.[name as "subgroupMinSize"];
    if (!(limit >= least)) lacks.push(`${name} of ${least} (it has ${limit})`);
  }
  return lacks.join(", ");
}
