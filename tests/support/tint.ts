/**
 * Tint's opinion of WGSL: Dawn's validation, on its null backend, which needs no driver.
 *
 * Deno's own WebGPU compiles with naga, browsers with Tint; a kernel must please both.
 */

import { create } from "webgpu";

/** Dawn ends the process if this object is collected while one of its devices lives. */
let dawn: GPU | undefined;

export interface Tint extends Disposable {
  /** What Tint has against a shader, as one text; undefined if it accepts it. */
  complaint(wgsl: string): Promise<string | undefined>;
}

/** Opens Tint with the features it may meet. */
export async function openTint(): Promise<Tint> {
  dawn ??= create(["backend=null"]) as GPU;
  const adapter = await dawn.requestAdapter();
  if (!adapter) throw new Error("Dawn has no null adapter");
  const device = await adapter.requestDevice({ requiredFeatures: ["shader-f16", "subgroups"] });
  return {
    complaint: async (text) => {
      // The language asks for this line, and Deno's compiler rejects it.
      const wgsl = /subgroup(Broadcast|Shuffle)/.test(text) ? `enable subgroups;\n${text}` : text;
      device.pushErrorScope("validation");
      const info = await device.createShaderModule({ code: wgsl }).getCompilationInfo();
      await device.popErrorScope();
      const errors = info.messages.filter(({ type }) => type === "error");
      return errors.length === 0
        ? undefined
        : errors.map(({ lineNum, message }) => `line ${lineNum}: ${message}`).join("\n");
    },
    [Symbol.dispose]: () => device.destroy(),
  };
}
