/**
 * A bundle on a device: its memory, its pipelines, and its runs.
 * @module
 */

import type { BundleArena, BundleProgram, Manifest, Range } from "../manifest.ts";
import {
  ARRAYS,
  type Bytes,
  decode,
  type DType,
  elementBytes,
  encode,
  product,
  toDevice,
  words,
} from "./elements.ts";
import { BundleFile, fail, PIECE } from "./files.ts";
import type {
  Bundle,
  HostArray,
  Inputs,
  LoadOptions,
  Outputs,
  RunOptions,
  State,
  StateName,
} from "./public.ts";

// Numbers of the WebGPU standard: Node has no globals for them.
const MAP_READ = 1;
const COPY_SRC = 4;
const COPY_DST = 8;
const UNIFORM = 64;
const STORAGE = 128;
const COMPUTE = 4;

interface Prepared {
  readonly passes: ({ pipeline: GPUComputePipeline; group: GPUBindGroup; x: number; y: number } | Copy)[];
}
interface Copy {
  readonly from: GPUBuffer;
  readonly at: number;
  readonly to: GPUBuffer;
  readonly offset: number;
  readonly bytes: number;
}

export class LoadedBundle implements Bundle {
  readonly state: State;
  readonly #manifest: Manifest;
  readonly #programs: readonly BundleProgram[];
  readonly #kernels: readonly string[];
  readonly #options: LoadOptions;
  readonly #buffers: GPUBuffer[] = [];
  /** Of each program's arenas. States are one memory for all; so is what nobody needs after a run. */
  readonly #arenas: GPUBuffer[][] = [];
  readonly #pipelines = new Map<number, Promise<GPUComputePipeline>>();
  readonly #prepared: (Promise<Prepared> | undefined)[] = [];
  #staging: GPUBuffer[] = [];
  #failure: string | undefined;
  /** Submits happen in the order of the calls. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    manifest: Manifest,
    programs: readonly BundleProgram[],
    kernels: readonly string[],
    readonly device: GPUDevice,
    options: LoadOptions,
  ) {
    this.#manifest = manifest;
    this.#programs = programs;
    this.#kernels = kernels;
    this.#options = options;
    const names = manifest.state.map(({ name }) => name);
    this.state = {
      names,
      read: async (name) => (await this.#readStates([this.#index(name)]))[0]!,
      write: (name, values) => this.#writeStates([[this.#index(name), values]]),
      save: () => this.#save(),
      load: (file) => this.#load(file),
    };
    device.addEventListener("uncapturederror", this.#onError);
    device.lost.then(({ message }) => {
      if (this.#failure) return;
      this.#failure = `The GPU was lost (${message || "no reason given"}): load the bundle again.`;
      options.onLost?.(this.#failure);
    });
  }

  readonly #onError = (event: Event): void => {
    this.#failure ??= `The GPU refused what it was asked: ${
      (event as GPUUncapturedErrorEvent).error.message
    }`;
  };

  async #scoped<T>(what: string, act: () => T | Promise<T>): Promise<T> {
    const { device } = this;
    device.pushErrorScope("validation");
    device.pushErrorScope("out-of-memory");
    const result = act();
    const errors = await Promise.all([device.popErrorScope(), device.popErrorScope()]);
    const error = errors[0] ?? errors[1];
    if (error) {
      Promise.resolve(result).catch(() => {});
      fail(`${what}: ${error.message}`);
    }
    return result;
  }

  #buffer(size: number, usage: number): GPUBuffer {
    const buffer = this.device.createBuffer({ size, usage });
    this.#buffers.push(buffer);
    return buffer;
  }

  async begin(base: URL): Promise<void> {
    await this.#scoped("The device has no room for this bundle", () => this.#allocate());
    await Promise.all([this.#prepared[0] = this.#prepare(0), this.#stream(base)]);
    this.#usable();
  }

  #allocate(): void {
    const key = ({ role, memory }: BundleArena, program: number, arena: number) =>
      role === "state" ? `state ${memory}` : role === "constant" ? `${program} ${arena}` : `${role} ${arena}`;
    const sizes = new Map<string, number>();
    this.#programs.forEach(({ arenas }, p) =>
      arenas.forEach((arena, a) =>
        sizes.set(key(arena, p, a), Math.max(arena.bytes, sizes.get(key(arena, p, a)) ?? 0))
      )
    );
    const usage = STORAGE | COPY_SRC | COPY_DST;
    const buffers = new Map([...sizes].map(([name, size]) => [name, this.#buffer(size, usage)]));
    this.#programs.forEach(({ arenas }, p) =>
      this.#arenas.push(arenas.map((arena, a) => buffers.get(key(arena, p, a))!))
    );
  }

  /** Weights come piece by piece; each is checked, then written wherever it belongs. */
  async #stream(base: URL): Promise<void> {
    const { weights, tensors, state } = this.#manifest;
    const total = weights.reduce((sum, { bytes }) => sum + bytes, 0);
    let loaded = 0;
    const progress = (bytes: number) => this.#options.onProgress?.(loaded += bytes, total);
    for (const [index, { file, header }] of weights.entries()) {
      const source = new BundleFile(base, file);
      let whole = false;
      try {
        progress((await source.verified(header.bytes, header.sha256)).length);
        for (const [t, tensor] of tensors.entries()) {
          if (tensor.file !== index) continue;
          const places: [number, Range][] = [];
          state.forEach((slot, i) => slot.tensor === t && places.push([0, this.#programs[0]!.state[i]!]));
          this.#programs.forEach(({ constants }, p) =>
            constants.forEach(({ tensor, at }) => tensor === t && places.push([p, at]))
          );
          let written = 0;
          for (let at = 0; at < tensor.bytes; at += PIECE) {
            const bytes = Math.min(PIECE, tensor.bytes - at);
            const data = toDevice(tensor, await source.verified(bytes, tensor.sha256[at / PIECE]!));
            this.#usable();
            for (const [program, range] of places) this.#write(program, range, data, written);
            written += data.length;
            progress(bytes);
          }
        }
        whole = true;
      } finally {
        await source.close(whole);
      }
    }
  }

  #place(program: number, [arena, offset]: Range): [GPUBuffer, number] {
    return [this.#arenas[program]![arena]!, offset];
  }

  #write(program: number, range: Range, data: Bytes, at = 0): void {
    const [buffer, offset] = this.#place(program, range);
    if (data.length) this.device.queue.writeBuffer(buffer, offset + at, data);
  }

  #pipeline(index: number): Promise<GPUComputePipeline> {
    let made = this.#pipelines.get(index);
    if (!made) {
      const { bindings, uniforms, file } = this.#manifest.kernels[index]!;
      const types: GPUBufferBindingType[] = bindings.map(({ access }) =>
        access === "read" ? "read-only-storage" : "storage"
      );
      if (uniforms) types.push("uniform");
      made = this.#scoped(`The GPU's compiler refuses ${file}`, () => {
        const layout = this.device.createBindGroupLayout({
          entries: types.map((type, binding) => ({ binding, visibility: COMPUTE, buffer: { type } })),
        });
        return this.device.createComputePipelineAsync({
          label: file,
          layout: this.device.createPipelineLayout({ bindGroupLayouts: [layout] }),
          compute: {
            module: this.device.createShaderModule({ code: this.#kernels[index]! }),
            entryPoint: "main",
          },
        });
      });
      this.#pipelines.set(index, made);
    }
    return made;
  }

  async #prepare(program: number): Promise<Prepared> {
    const { steps } = this.#programs[program]!;
    const blocks: number[] = [];
    for (const step of steps) {
      if (!("kernel" in step)) continue;
      blocks.push(...step.uniforms);
      while (blocks.length % 64 !== 0) blocks.push(0);
    }
    const uniforms = blocks.length ? this.#buffer(blocks.length * 4, UNIFORM | COPY_DST) : undefined;
    if (uniforms) this.device.queue.writeBuffer(uniforms, 0, Uint32Array.from(blocks));
    let block = 0;
    const passes: Prepared["passes"] = [];
    for (const step of steps) {
      if ("from" in step) {
        const [from, at] = this.#place(program, step.from);
        const [to, offset] = this.#place(program, step.to);
        const bytes = words(step.from[2]);
        if (from !== to) passes.push({ from, at, to, offset, bytes });
        else { // WebGPU doesn't copy within one buffer
          const between = this.#buffer(bytes, COPY_SRC | COPY_DST);
          passes.push({ from, at, to: between, offset: 0, bytes }, {
            from: between,
            at: 0,
            to,
            offset,
            bytes,
          });
        }
        continue;
      }
      const offset = block;
      const size = step.uniforms.length * 4;
      block += Math.ceil(size / 256) * 256;
      const [x, y] = step.grid;
      if (x * y === 0) continue;
      const entries: GPUBindGroupEntry[] = step.bindings.map((range, binding) => {
        const [buffer, offset] = this.#place(program, range);
        return { binding, resource: { buffer, offset, size: range[2] } };
      });
      if (size) entries.push({ binding: entries.length, resource: { buffer: uniforms!, offset, size } });
      const pipeline = await this.#pipeline(step.kernel);
      const layout = pipeline.getBindGroupLayout(0);
      passes.push({ pipeline, group: this.device.createBindGroup({ layout, entries }), x, y });
    }
    return { passes };
  }

  #usable(): void {
    if (this.#failure) fail(this.#failure);
  }

  /** The program whose inputs have these lengths. */
  #choose(inputs: Inputs): number {
    const { inputs: wanted, sizes } = this.#manifest;
    const unknown = Object.keys(inputs).find((name) => !wanted.some((input) => input.name === name));
    if (unknown !== undefined) fail(`run(): there is no input "${unknown}".`);
    for (const { name, dtype } of wanted) {
      if (inputs[name] instanceof ARRAYS[dtype]) continue;
      fail(`run(): the input "${name}" wants a ${ARRAYS[dtype].name}.`);
    }
    const count = (p: number, i: number) => this.#programs[p]!.inputs[i]![2] / elementBytes(wanted[i]!.dtype);
    const found = this.#programs.findIndex((_, p) =>
      wanted.every(({ name }, i) => inputs[name]!.length === count(p, i))
    );
    if (found >= 0) return found;
    const choices = sizes.map((size, p) =>
      `${wanted.map(({ name }, i) => `${name}: ${count(p, i)}`).join(", ")} for ${JSON.stringify(size)}`
    );
    const got = wanted.map(({ name }) => `${name}: ${inputs[name]!.length}`).join(", ");
    return fail(
      `run(): no sizes of this bundle have inputs of ${got} elements; there are ${choices.join("; ")}.`,
    );
  }

  /** Does something after all that was asked for before. */
  #inTurn<T>(act: () => T | Promise<T>): Promise<T> {
    const mine = this.#last.then(() => {
      this.#usable();
      return act();
    });
    this.#last = mine.catch(() => {});
    return mine;
  }

  async run<K extends keyof Outputs>(inputs: Inputs, options: RunOptions<K> = {}): Promise<Pick<Outputs, K>> {
    this.#usable();
    const index = this.#choose(inputs);
    const program = this.#programs[index]!;
    const { outputs, inputs: declared } = this.#manifest;
    const names = options.outputs ?? outputs.map(({ name }) => name);
    const wanted = names.map((name) => {
      const at = outputs.findIndex((output) => output.name === name);
      if (at < 0) fail(`run(): there is no output "${String(name)}".`);
      return { name: outputs[at]!.name, dtype: outputs[at]!.dtype, range: program.outputs[at]! };
    });
    const fed = declared.map(({ name, dtype }) => encode(dtype, inputs[name]!));
    const read = await this.#inTurn(async () => {
      const { passes } = await (this.#prepared[index] ??= this.#prepare(index));
      this.#usable();
      fed.forEach((data, i) => this.#write(index, program.inputs[i]!, data));
      const encoder = this.device.createCommandEncoder();
      let pass: GPUComputePassEncoder | undefined;
      for (const step of passes) {
        if ("from" in step) {
          pass?.end();
          pass = undefined;
          encoder.copyBufferToBuffer(step.from, step.at, step.to, step.offset, step.bytes);
          continue;
        }
        pass ??= encoder.beginComputePass();
        pass.setPipeline(step.pipeline);
        pass.setBindGroup(0, step.group);
        pass.dispatchWorkgroups(step.x, step.y);
      }
      pass?.end();
      return [this.#submitRead(encoder, index, wanted)]; // in a list, so that nobody's turn waits for it
    });
    const arrays = await read[0]!;
    return Object.fromEntries(wanted.map(({ name }, i) => [name, arrays[i]])) as Pick<Outputs, K>;
  }

  /** Submits, with the ranges copied to where they can be read; resolves to what they hold. */
  async #submitRead(
    encoder: GPUCommandEncoder,
    program: number,
    wanted: readonly { readonly dtype: DType; readonly range: Range }[],
  ): Promise<HostArray[]> {
    const offsets: number[] = [];
    const bytes = wanted.reduce(
      (sum, { range }) => (offsets.push(sum), sum + Math.ceil(range[2] / 8) * 8),
      0,
    );
    const known = this.#staging.findIndex(({ size }) => size === bytes);
    const staging = bytes === 0
      ? undefined
      : known >= 0
      ? this.#staging.splice(known, 1)[0]!
      : this.device.createBuffer({ size: bytes, usage: MAP_READ | COPY_DST });
    wanted.forEach(({ range }, i) => {
      const [buffer, offset] = this.#place(program, range);
      if (range[2]) encoder.copyBufferToBuffer(buffer, offset, staging!, offsets[i]!, words(range[2]));
    });
    this.device.queue.submit([encoder.finish()]);
    if (!staging) return wanted.map(({ dtype }) => new ARRAYS[dtype](0));
    try {
      await staging.mapAsync(1);
      this.#usable();
      const mapped = new Uint8Array(staging.getMappedRange().slice(0));
      staging.unmap();
      this.#staging.push(staging);
      if (this.#staging.length > 8) this.#staging.shift()!.destroy();
      return wanted.map(({ dtype, range }, i) =>
        decode(dtype, mapped.subarray(offsets[i]!), range[2] / elementBytes(dtype))
      );
    } catch (error) {
      staging.destroy();
      this.#usable();
      throw error;
    }
  }

  #index(name: StateName): number {
    const index = this.#manifest.state.findIndex((slot) => slot.name === name);
    return index >= 0 ? index : fail(`There is no state "${name}".`);
  }

  async #readStates(indices: readonly number[]): Promise<HostArray[]> {
    const read = await this.#inTurn(() => [
      this.#submitRead(
        this.device.createCommandEncoder(),
        0,
        indices.map((i) => ({ dtype: this.#manifest.state[i]!.dtype, range: this.#programs[0]!.state[i]! })),
      ),
    ]);
    return read[0]!;
  }

  async #writeStates(values: readonly (readonly [number, HostArray])[]): Promise<void> {
    const writes = values.map(([i, array]) => {
      const { name, dtype, shape } = this.#manifest.state[i]!;
      if (array instanceof ARRAYS[dtype] && array.length === product(shape)) {
        return [i, encode(dtype, array)] as const;
      }
      return fail(`The state "${name}" wants a ${ARRAYS[dtype].name} of ${product(shape)} elements.`);
    });
    await this.#inTurn(() => {
      for (const [i, data] of writes) this.#write(0, this.#programs[0]!.state[i]!, data);
    });
  }

  async #save(): Promise<Blob> {
    const { state } = this.#manifest;
    const { encodeState } = await import("./state_file.ts");
    return encodeState(state, await this.#readStates([...state.keys()]));
  }

  async #load(file: Blob | ArrayBuffer | Uint8Array): Promise<void> {
    const { decodeState } = await import("./state_file.ts");
    const arrays = await decodeState(this.#manifest.state, new Blob([file as Blob]), fail);
    await this.#writeStates(arrays.map((values, i) => [i, values]));
  }

  dispose(): void {
    this.device.removeEventListener("uncapturederror", this.#onError);
    this.#failure = "The bundle was disposed.";
    for (const buffer of [...this.#buffers, ...this.#staging]) buffer.destroy();
    if (!this.#options.device) this.device.destroy();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
