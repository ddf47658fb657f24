/**
 * A kernel's text against what the manifest says of it: the buffers that it declares, and its workgroup. What lies
 * inside the text the device's own compiler judges.
 * @module
 */

import { type BundleKernel, isCopy, type Manifest } from "../../compiler/bundle/manifest.ts";
import { RunError } from "../../compiler/errors.ts";

const scalarBytes: Readonly<Record<string, number>> = { f32: 4, i32: 4, u32: 4, f16: 2 };

const storage =
  /@group\(0\)\s*@binding\((\d+)\)\s*var<storage,\s*(read|read_write)>\s*\w+\s*:\s*array<(?:(?:vec([24])|atomic)<)?(f32|i32|u32|f16)>?,\s*(\d+)>/g;

/** The text without its comments. */
const codeOf = (text: string): string => text.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, " ");

/** @throws RunError where the text asks its subgroup for something, and a variant that runs it has no probe for that. */
export function checkSubgroups(text: string, index: number, { kernels, variants }: Manifest): void {
  if (!/\bsubgroup/.test(codeOf(text))) return;
  const { file, workgroup } = kernels[index]!;
  for (const { probes = [], programs } of variants) {
    const runs = programs.some(({ steps }) => steps.some((step) => !isCopy(step) && step.kernel === index));
    if (!runs || probes.some((probe) => String(kernels[probe]!.workgroup) === String(workgroup))) continue;
    throw new RunError(
      `${file}: lanes ask their subgroup, and a variant that runs it has no probe with workgroups of ${
        workgroup.join(" × ")
      }.`,
    );
  }
}

/** @throws RunError where the text asks for other bindings, or for a larger range, than the manifest covers. */
export function checkKernelText(text: string, { file, bindings, workgroup, uniforms }: BundleKernel): void {
  const fail = (message: string): never => {
    throw new RunError(`${file}: ${message}, and the manifest says otherwise.`);
  };
  const code = codeOf(text);
  const found = [...code.matchAll(storage)];
  const declared = code.match(/@binding\(/g)?.length ?? 0;
  if (found.length !== bindings.length) fail(`it declares ${found.length} storage buffers`);
  if (declared !== bindings.length + (uniforms > 0 ? 1 : 0)) fail(`it declares ${declared} bindings`);
  for (const [, binding, access, width, scalar, count] of found) {
    const known = bindings[Number(binding)] ?? fail(`it declares binding ${binding}`);
    const bytes = Number(count) * Number(width ?? 1) * scalarBytes[scalar!]!;
    if (access !== known.access) fail(`it declares binding ${binding} ${access}`);
    if (bytes > known.bytes) fail(`it declares ${bytes} bytes at binding ${binding}`);
  }
  const size = /@workgroup_size\(([^)]*)\)/.exec(code)?.[1]?.split(",").map(Number) ?? [];
  if (workgroup.some((n, i) => n !== (size[i] ?? 1))) {
    fail(`its workgroups are ${size.join(" × ") || "not stated"}`);
  }
}
