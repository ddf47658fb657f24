/**
 * A bundle on a device: runs in the order of the calls, and the state between them.
 *
 * A closure and not a class, since names of members can't be made shorter and those of variables can.
 * @module
 */

import type { BundleProgram, Manifest, Range } from "../manifest.ts";
import { ARRAYS, type Bytes, elementBytes, encode, product } from "./elements.ts";
import { fail } from "./files.ts";
import { allocateArenas, streamWeights, submitOn, type Wanted } from "./memory.ts";
import { COPY_DST, encodeSteps, MAP_READ, pipelinesOf, prepare, type PreparedStep } from "./pipelines.ts";
import type { Bundle, HostArray, Inputs, LoadOptions, Outputs, State } from "./public.ts";

function indexOf(what: string, list: readonly { readonly name: string }[], name: string): number {
  const index = list.findIndex((one) => one.name === name);
  return index < 0 ? fail(`There is no ${what} "${name}".`) : index;
}

export async function loadOn(
  device: GPUDevice,
  manifest: Manifest,
  programs: readonly BundleProgram[],
  codes: readonly string[],
  base: URL,
  options: LoadOptions,
): Promise<Bundle> {
  const { state: states, inputs: declared, outputs, sizes, open } = manifest;
  const buffers: GPUBuffer[] = [];
  const kept: GPUBuffer[] = [];
  const submit = submitOn(device, kept, (size) => device.createBuffer({ size, usage: MAP_READ | COPY_DST }));
  let failure: string | undefined;
  const usable = () => failure && fail(failure);

  const onError = (event: object) => {
    failure ??= `The GPU refused: ${(event as GPUUncapturedErrorEvent).error.message}`;
  };
  device.addEventListener("uncapturederror", onError);
  device.lost.then(({ message }) => {
    if (failure) return;
    failure = `The GPU was lost: ${message} Load the bundle again.`;
    options.onLost?.(failure);
  });
  const dispose = () => {
    failure = "The bundle was disposed.";
    device.removeEventListener("uncapturederror", onError);
    [...buffers, ...kept].forEach((buffer) => buffer.destroy());
    if (!options.device) device.destroy();
  };
  const allocate = (size: number, usage: number) => {
    const buffer = device.createBuffer({ size, usage });
    buffers.push(buffer);
    return buffer;
  };

  let arenas: GPUBuffer[][];
  const placeIn = (program: number) => ([arena, offset]: Range): [GPUBuffer, number] => [
    arenas[program]![arena]!,
    offset,
  ];
  const write = (program: number, range: Range, data: Bytes, at = 0) => {
    usable();
    const [buffer, offset] = placeIn(program)(range);
    if (data.length) device.queue.writeBuffer(buffer, offset + at, data);
  };
  const pipeline = pipelinesOf(device, manifest.kernels, codes);
  const prepared: Promise<PreparedStep[]>[] = [];
  const stepsOf = (p: number) =>
    prepared[p] ??= prepare(device, programs[p]!, pipeline, placeIn(p), allocate);

  /** Submits happen in the order of the calls, and wait for nothing but compiling. */
  let last: Promise<unknown> = Promise.resolve();
  /** In a list, so that the next in turn doesn't wait for what was read. */
  const inTurn = async (program: number, act: (encoder: GPUCommandEncoder) => unknown, wanted: Wanted) => {
    const turn = last.then(async () => {
      usable();
      const encoder = device.createCommandEncoder();
      await act(encoder);
      usable();
      return [submit(encoder, wanted, placeIn(program))];
    });
    last = turn.catch(() => {});
    try {
      const [read] = await turn;
      return await read!;
    } finally {
      usable(); // what failed first says more than what failed after it
    }
  };

  /** The program whose inputs have these lengths, and how much of its open size they fill, of how much. */
  const choose = (inputs: Inputs): [program: number, rows: number, most: number] => {
    for (const name in inputs) indexOf("input", declared, name);
    const got = declared.map(({ name, dtype }) =>
      inputs[name] instanceof ARRAYS[dtype]
        ? inputs[name].length
        : fail(`The input "${name}" wants a ${ARRAYS[dtype].name}.`)
    );
    const wanted = programs.map((program) =>
      program.inputs.map(([, , bytes], i) => bytes / elementBytes(declared[i]!.dtype))
    );
    const first = declared.findIndex(({ open }) => open);
    for (const [p, lengths] of wanted.entries()) {
      const most = open ? sizes[p]![open]! : 1;
      const rows = first < 0 ? most : got[first]! * most / lengths[first]!;
      const fits = rows > 0 && rows <= most && rows % 1 === 0 &&
        lengths.every((length, i) => got[i] === (declared[i]!.open ? length * rows / most : length));
      if (fits) return [p, rows, most];
    }
    fail(
      // Lists are written as JavaScript does: a word less in a file of 10 kB.
      `Elements of ${declared.map(({ name }) => name)}: ${got}; the bundle takes ${wanted.join(" or ")}.`,
    );
  };

  const readStates = (slots: readonly number[]) =>
    inTurn(0, () => {}, slots.map((i) => [states[i]!.dtype, programs[0]!.state[i]!]));
  const writeStates = async (values: readonly HostArray[], first = 0): Promise<void> => {
    const data = values.map((array, i) => {
      const { name, dtype, shape } = states[first + i]!;
      if (array instanceof ARRAYS[dtype] && array.length === product(shape)) return encode(dtype, array);
      return fail(`The state "${name}" wants a ${ARRAYS[dtype].name} of ${product(shape)} elements.`);
    });
    await inTurn(0, () => data.forEach((bytes, i) => write(0, programs[0]!.state[first + i]!, bytes)), []);
  };
  const stateFile = () => import("./state_file.ts");
  const state: State = {
    names: states.map(({ name }) => name),
    read: async (name) => (await readStates([indexOf("state", states, name)]))[0]!,
    write: async (name, values) => await writeStates([values], indexOf("state", states, name)),
    save: async () => (await stateFile()).encodeState(states, await readStates([...states.keys()])),
    load: async (file) =>
      await writeStates(await (await stateFile()).decodeState(states, new Blob([file as Blob]), fail)),
  };

  try {
    device.pushErrorScope("out-of-memory");
    arenas = allocateArenas(programs, allocate);
    const error = await device.popErrorScope();
    if (error) fail(`The device has no room: ${error.message}`);
    await Promise.all([stepsOf(0), streamWeights(base, manifest, programs, write, options)]);
    usable();
  } catch (error) {
    dispose();
    throw error;
  }
  return {
    device,
    state,
    async run(inputs, { outputs: names = outputs.map(({ name }) => name) as (keyof Outputs)[] } = {}) {
      usable();
      const [program, rows, most] = choose(inputs);
      const wanted = names.map((name): Wanted[number] => {
        const at = indexOf("output", outputs, name as string);
        const [arena, offset, bytes] = programs[program]!.outputs[at]!;
        return [outputs[at]!.dtype, [arena, offset, outputs[at]!.open ? bytes * rows / most : bytes]];
      });
      const fed = declared.map(({ name, dtype }) => encode(dtype, inputs[name]!));
      const arrays = await inTurn(program, async (encoder) => {
        const steps = await stepsOf(program);
        fed.forEach((data, i) => write(program, programs[program]!.inputs[i]!, data));
        encodeSteps(encoder, steps, rows);
      }, wanted);
      // deno-lint-ignore no-explicit-any -- the names are those of the outputs
      return Object.fromEntries(names.map((name, i) => [name, arrays[i]])) as any;
    },
    dispose,
    [Symbol.dispose]: dispose,
  };
}
