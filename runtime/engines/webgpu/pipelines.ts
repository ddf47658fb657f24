/**
 * Compiled kernels of a device, one per WGSL text.
 *
 * Equal layers emit equal text, and a training step and its evaluation share most of theirs; compiling is the slowest
 * thing a device does. The cache lives as long as the device, so programs loaded later share with those before.
 * @module
 */

import type { Access } from "../../../compiler/kernel/ir.ts";
import { turn } from "../../turn.ts";
import { scoped } from "./health.ts";

export interface Compiled {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

export class Pipelines {
  readonly #device: GPUDevice;
  readonly #compiled = new Map<string, Promise<Compiled>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Pipelines compiled so far. */
  get size(): number {
    return this.#compiled.size;
  }

  has(code: string): boolean {
    return this.#compiled.has(code);
  }

  /** `accesses` are those of the storage buffers at bindings 0 …; a uniform block may follow them. */
  get(code: string, accesses: readonly Access[], uniforms: boolean, label: string): Promise<Compiled> {
    let compiled = this.#compiled.get(code);
    if (compiled === undefined) {
      compiled = this.#compile(code, accesses, uniforms, label);
      this.#compiled.set(code, compiled);
      compiled.catch(() => this.#compiled.delete(code));
    }
    return compiled;
  }

  async #compile(
    code: string,
    accesses: readonly Access[],
    uniforms: boolean,
    label: string,
  ): Promise<Compiled> {
    const compiled = await scoped(this.#device, `The GPU's compiler refuses the kernel "${label}"`, () => {
      const layout = this.#layoutFor(accesses, uniforms);
      const module = this.#device.createShaderModule({ label, code });
      return {
        layout,
        pipeline: this.#device.createComputePipeline({
          label,
          layout: this.#device.createPipelineLayout({ bindGroupLayouts: [layout] }),
          compute: { module, entryPoint: "main" },
        }),
      };
    });
    await turn(); // compiling blocks, so a program of many kernels lets others breathe between them
    return compiled;
  }

  /** Stated rather than "auto", which leaves out a binding that the kernel happens not to use. */
  #layoutFor(accesses: readonly Access[], uniforms: boolean): GPUBindGroupLayout {
    const key = accesses.map((access) => access === "read" ? "r" : "w").join("") + (uniforms ? "u" : "");
    let layout = this.#layouts.get(key);
    if (layout === undefined) {
      const types: GPUBufferBindingType[] = accesses.map((access) =>
        access === "read" ? "read-only-storage" : "storage"
      );
      if (uniforms) types.push("uniform");
      layout = this.#device.createBindGroupLayout({
        label: `bindings ${key}`,
        entries: types.map((type, binding) => (
          { binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } }
        )),
      });
      this.#layouts.set(key, layout);
    }
    return layout;
  }
}
