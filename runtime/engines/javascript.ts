/**
 * The engine that computes on the CPU, with one JavaScript function per kernel. Slow, and there for machines without a
 * GPU, for tests, and as a second opinion on what WebGPU computes.
 *
 * Everything is done when the call returns. Reads still answer a turn of the event loop later, so that a program that
 * behaves here behaves on a GPU.
 * @module
 */

import { RunError } from "../../compiler/errors.ts";
import { compileJavaScript } from "../../compiler/emit/javascript.ts";
import type { DType } from "../../compiler/graph/dtype.ts";
import { deviceBytes } from "../../compiler/graph/dtype.ts";
import type { HostView } from "../../compiler/kernel/interpret.ts";
import type { AnyKernel } from "../../compiler/kernel/raw.ts";
import type { Binding, Dispatch, Program } from "../../compiler/program/program.ts";
import {
  checkRange,
  type Engine,
  type Memory,
  type MemoryUse,
  type Place,
  type Runner,
  type Transfer,
  wholeVectors,
} from "../engine.ts";
import { turn } from "../turn.ts";

export class JavaScriptEngine implements Engine {
  readonly kind = "cpu";
  readonly clock = "calls";
  #disposed = false;

  assertUsable(): void {
    if (this.#disposed) {
      throw new RunError(
        "The device was disposed, and what was on it is gone; use it before, or open another.",
      );
    }
  }

  allocate(bytes: number, _use: MemoryUse, label: string): Memory {
    this.assertUsable();
    try {
      return new HostMemory(new ArrayBuffer(bytes));
    } catch (cause) {
      throw new RunError(`There is no room for "${label}" of ${bytes} bytes. Use smaller sizes.`, { cause });
    }
  }

  write(to: Place, data: Uint8Array<ArrayBuffer>): void {
    this.assertUsable();
    checkRange("a write", to, data.length);
    bytesOf(to, data.length).set(data);
  }

  copy({ from, to, bytes }: Transfer): void {
    this.assertUsable();
    bytesOf(to, bytes).set(bytesOf(from, bytes));
  }

  async read(from: Place, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    this.assertUsable();
    checkRange("a read", from, bytes);
    const copy = bytesOf(from, bytes).slice();
    await turn();
    return copy;
  }

  load(program: Program, arenas: readonly Memory[]): Promise<Runner> {
    this.assertUsable();
    return Promise.resolve(new JavaScriptRunner(this, program, arenas));
  }

  async idle(): Promise<void> {
    await turn();
    this.assertUsable();
  }

  dispose(): void {
    this.#disposed = true;
  }
}

class HostMemory implements Memory {
  constructor(public buffer: ArrayBuffer) {}

  get bytes(): number {
    return this.buffer.byteLength;
  }

  confirm(): Promise<void> {
    return Promise.resolve();
  }

  destroy(): void {
    this.buffer = new ArrayBuffer(0);
  }
}

/** One step of the program, ready to be called. */
type Step = { readonly timed: boolean; run(): void };

class JavaScriptRunner implements Runner {
  readonly #engine: JavaScriptEngine;
  #steps: readonly Step[];

  constructor(engine: JavaScriptEngine, program: Program, arenas: readonly Memory[]) {
    this.#engine = engine;
    const compiled = new Map<number, ReturnType<typeof compileJavaScript>>();
    this.#steps = program.steps.map((step): Step => {
      if (step.kind === "copy") {
        const { from, to } = step.copy;
        const source = bytesOf(placeOf(from, arenas), from.bytes);
        const target = bytesOf(placeOf(to, arenas), to.bytes);
        return { timed: false, run: () => target.set(source) };
      }
      const { dispatch } = step;
      const kernel = program.kernels[dispatch.kernel]!;
      const call = compiled.get(dispatch.kernel) ?? compileJavaScript(kernel);
      compiled.set(dispatch.kernel, call);
      const views = kernel.buffers.map(({ dtype }, i) => viewOf(dtype, dispatch.bindings[i]!, arenas));
      const params = paramsByName(kernel, dispatch);
      return { timed: dispatch.groups > 0, run: () => call(views, params, dispatch.groups) };
    });
  }

  /** JavaScript is compiled while it runs. */
  warmUp(): Promise<void> {
    this.#engine.assertUsable();
    return Promise.resolve();
  }

  run(before: readonly Transfer[], after: readonly Transfer[]): void {
    this.#engine.assertUsable();
    for (const transfer of before) this.#engine.copy(transfer);
    for (const step of this.#steps) step.run();
    for (const transfer of after) this.#engine.copy(transfer);
  }

  time(before: readonly Transfer[], after: readonly Transfer[]): Promise<readonly number[]> {
    this.#engine.assertUsable();
    for (const transfer of before) this.#engine.copy(transfer);
    const times: number[] = [];
    for (const step of this.#steps) {
      const start = performance.now();
      step.run();
      if (step.timed) times.push(performance.now() - start);
    }
    for (const transfer of after) this.#engine.copy(transfer);
    return Promise.resolve(times);
  }

  dispose(): void {
    this.#steps = []; // they hold the arenas
  }
}

const VIEWS = {
  f32: Float32Array,
  f16: Float16Array,
  i32: Int32Array,
  u32: Uint32Array,
  bool: Uint32Array,
} as const satisfies Record<DType, unknown>;

function viewOf(dtype: DType, binding: Binding, arenas: readonly Memory[]): HostView {
  const { memory, offset } = placeOf(binding, arenas);
  const elements = wholeVectors(binding.bytes) / deviceBytes(dtype);
  return new VIEWS[dtype](host(memory).buffer, offset, elements);
}

const paramsByName = ({ params }: AnyKernel, dispatch: Dispatch): Readonly<Record<string, number>> =>
  Object.fromEntries(params.map(({ name }, i) => [name, dispatch.params[i]!]));

const placeOf = ({ arena, offset }: Binding, arenas: readonly Memory[]): Place => ({
  memory: arenas[arena]!,
  offset,
});

const bytesOf = ({ memory, offset }: Place, bytes: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(host(memory).buffer, offset, bytes);

const host = (memory: Memory): HostMemory => memory as HostMemory;
