/**
 * Runs a program on host arrays, with its kernels as JavaScript or by their definition, the interpreter: what tests compare
 * with references, without a device.
 */

import { type CompiledKernel, compileJavaScript, emitJavaScript } from "../../compiler/emit/javascript.ts";
import { deviceForm } from "../../compiler/program/device_form.ts";
import type { Binding, Program, Slot } from "../../compiler/program/program.ts";
import { deviceBytes, type DType } from "../../compiler/graph/dtype.ts";
import { type HostView, interpret } from "../../compiler/kernel/interpret.ts";
import { type AnyKernel, isRaw } from "../../compiler/kernel/raw.ts";

export type Feeds = Readonly<Record<string, ArrayLike<number>>>;

/** Functions by their text, which many programs share, and by kernel. */
const compiled = new Map<string, CompiledKernel>();
const functions = new WeakMap<AnyKernel, CompiledKernel>();

function functionOf(kernel: AnyKernel): CompiledKernel {
  if (isRaw(kernel)) return compileJavaScript(kernel);
  let found = functions.get(kernel);
  if (found) return found;
  const text = emitJavaScript(kernel);
  found = compiled.get(text) ?? compileJavaScript(kernel);
  compiled.set(text, found);
  functions.set(kernel, found);
  return found;
}

/** What executes kernels. */
export type Executor = "javascript" | "interpreter";

export class HostRun {
  readonly arenas: Uint8Array<ArrayBuffer>[];

  constructor(readonly program: Program, readonly executor: Executor = "javascript") {
    // What nobody has written is conspicuous: NaN, −1, or a bool that is neither true nor false.
    this.arenas = program.arenas.map((a) =>
      new Uint8Array(a.bytes).fill(a.role === "temporary" || a.role === "output" ? 0xff : 0)
    );
    for (const { region, data } of program.constants) {
      if (region.bytes > 0) this.arenas[region.arena]!.set(data, region.offset);
    }
  }

  write(slot: Slot, values: ArrayLike<number>): void {
    if (slot.region.bytes === 0) return;
    const data = deviceForm(slot.dtype, values);
    if (data.length !== slot.region.bytes) {
      throw new Error(`${slot.name}: ${data.length} bytes, not ${slot.region.bytes}`);
    }
    this.arenas[slot.region.arena]!.set(data, slot.region.offset);
  }

  setState(path: string, values: ArrayLike<number>): void {
    this.write(this.program.state.find((s) => s.name === path)!, values);
  }

  run(feeds: Feeds): Record<string, HostView> {
    for (const input of this.program.inputs) this.write(input, feeds[input.name]!);
    for (const step of this.program.steps) {
      if (step.kind === "copy") {
        const { from, to } = step.copy;
        this.arenas[to.arena]!.set(
          this.arenas[from.arena]!.slice(from.offset, from.offset + from.bytes),
          to.offset,
        );
        continue;
      }
      const { dispatch } = step;
      const kernel = this.program.kernels[dispatch.kernel]!;
      const views = kernel.buffers.map(({ dtype }, i) => this.view(dtype, dispatch.bindings[i]!));
      const params = Object.fromEntries(kernel.params.map((p, i) => [p.name, dispatch.params[i]!]));
      const interprets = this.executor === "interpreter" && !isRaw(kernel);
      if (interprets) interpret(kernel, views, params, dispatch.groups);
      else functionOf(kernel)(views, params, dispatch.groups);
    }
    return Object.fromEntries(this.program.outputs.map((o) => [o.name, this.read(o)]));
  }

  read(slot: Slot): HostView {
    if (slot.region.bytes === 0) return new Float32Array(0);
    return this.view(slot.dtype, slot.region).slice();
  }

  view(dtype: DType, { arena, offset, bytes }: Binding): HostView {
    const { buffer } = this.arenas[arena]!;
    const length = bytes / deviceBytes(dtype);
    switch (dtype) {
      case "f32":
        return new Float32Array(buffer, offset, length);
      case "f16":
        return new Float16Array(buffer, offset, length);
      case "i32":
        return new Int32Array(buffer, offset, length);
      default:
        return new Uint32Array(buffer, offset, length);
    }
  }
}
