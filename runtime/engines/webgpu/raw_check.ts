/**
 * A user's WGSL before it is used: what the device's compiler has against it becomes a sentence with the user's own line.
 *
 * The text is compiled as declared, inputs read-only: where inputs and outputs lie in one buffer the binding that runs
 * allows writing to both, and a kernel that wrote to its input would otherwise be refused in some programs only.
 * @module
 */

import { type RawModule, rawModule } from "../../../compiler/emit/wgsl_raw.ts";
import { CompileError } from "../../../compiler/errors.ts";
import { asDeclared, type RawKernel } from "../../../compiler/kernel/raw.ts";

/** @throws CompileError that names the kernel, the line and the complaint. */
export async function checkRaw(
  device: GPUDevice,
  kernel: RawKernel,
  features: { readonly f16: boolean },
): Promise<void> {
  const module = rawModule(asDeclared(kernel), features);
  device.pushErrorScope("validation");
  const shader = device.createShaderModule({ label: kernel.name, code: module.code });
  const [error, { messages }] = await Promise.all([device.popErrorScope(), shader.getCompilationInfo()]);
  const first = messages.find(({ type }) => type === "error");
  if (!first && !error) return;
  const place = first ? placeText(kernel, module, first.lineNum) : "";
  throw new CompileError(
    `customKernel(${kernel.name}): the GPU's compiler refuses its WGSL${place}: ` +
      complaintOf(first?.message ?? error!.message),
    { origin: kernel.origin },
  );
}

/** ` at line 3 of wgsl, "y[i] = 1u;"`. */
function placeText({ body, declarations }: RawKernel, { code, locate }: RawModule, line: number): string {
  const own = locate(line);
  if (own) {
    const text = { wgsl: body, declarations }[own.part].split("\n")[own.line - 1]!.trim();
    return ` at line ${own.line} of ${own.part}, "${text}"`;
  }
  const text = code.split("\n")[line - 1]?.trim();
  if (!text) return " at its end (is a brace missing?)";
  // What Weft writes is right by itself: a name of the signature, or a brace that the text leaves open, makes it wrong.
  return ` at "${text}", which Weft writes around it (is a brace missing, or is a name reserved in WGSL?)`;
}

/**
 * The complaint without the picture of the text that naga draws around it: its first line, what stands behind carets,
 * and its notes. That an entry point is invalid says nothing where a reason follows.
 */
export function complaintOf(message: string): string {
  const [first, ...rest] = message.trim().split("\n");
  const said = first!.replace(/^Shader (?:'.*?' parsing|validation) error: /, "").trim();
  const remarks = rest.filter((line) => !/^\s*\d+\s*│/.test(line)) // the text itself
    .map((line) => line.replace(/^[\s│┌^─=]+(?:note: )?/, "").trim())
    .filter((text) => /[a-z]/i.test(text) && !/:\d+:\d+$/.test(text) && !/^naga::|^: /.test(text));
  const more = [...new Set(remarks)].filter((text) => !said.includes(text));
  if (more.length === 0) return said;
  return /^Entry point .* is invalid$/.test(said) ? more.join("; ") : `${said} (${more.join("; ")})`;
}
