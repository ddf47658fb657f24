/**
 * A program's state: named tensors that live on its device from run to run, such as parameters and optimizer moments.
 *
 * Everything here keeps its place in the order of runs: `read` and `save` see the state as it is when they are called,
 * even if runs follow before they are done. A change is made as a whole or not at all.
 * @module
 */

import { InternalError, RunError } from "../compiler/errors.ts";
import { showShape } from "../compiler/graph/dim.ts";
import type { DType, StoredArray } from "../compiler/graph/dtype.ts";
import type { Program, StateSlot } from "../compiler/program/program.ts";
import { layoutOf, type StateLayout } from "../compiler/program/state_layout.ts";
import { type Engine, type Memory, type Place, wholeWords } from "./engine.ts";
import { elementsOf } from "./feeds.ts";
import { arrayText, described, fromDevice, isStored, toDevice } from "./host_form.ts";
import type { SharedMemory } from "./shared_memory.ts";
import { type HostTensor, SafetensorsReader, writeSafetensors } from "./safetensors.ts";

/** The first value of a state; undefined for zeros. */
export type InitialState = (
  path: string,
  shape: readonly number[],
  dtype: DType,
  role: StateSlot["role"],
) => StoredArray | undefined;

/** What is known of a state without reading it. */
export type StateType = Pick<StateSlot, "shape" | "dtype" | "role">;

/** Which differences between a checkpoint and a program are accepted. */
export interface LoadOptions {
  /** Leave states alone that the file doesn't have; else that is an error. */
  readonly allowMissing?: boolean;
  /** Leave out tensors of the file that the program doesn't have; else that is an error. */
  readonly allowExtra?: boolean;
}

/** The states of a program: parameters, moments, running statistics. They live on the device between runs. */
export interface State {
  /** In the program's order. */
  readonly names: readonly string[];
  type(path: string): StateType;
  read(path: string): Promise<StoredArray>;
  write(path: string, values: StoredArray): void;
  /** Takes over, on the device, all states that another program has under the same path, and gives their number. */
  copyFrom(other: State): number;
  /** Writes a safetensors file, in one piece or not at all. `metadata` goes into its header. */
  save(path: string | URL, metadata?: Readonly<Record<string, string>>): Promise<void>;
  /** Loads a safetensors file if all of it fits, else changes nothing. Gives the file's metadata. */
  load(path: string | URL, options?: LoadOptions): Promise<Readonly<Record<string, string>>>;
}

export class ProgramState implements State {
  readonly #engine: Engine;
  readonly #slots: ReadonlyMap<string, StateSlot>;
  readonly #memories: readonly Memory[];
  readonly #home: readonly SharedMemory[];
  readonly #assertOpen: () => void;
  /** Where the states lie, for programs that are compiled to use the same memory. */
  readonly layout: StateLayout;

  /** @param memory Memories in the order of the program's arenas, and those of arenas with states in the same order. */
  constructor(
    engine: Engine,
    program: Program,
    memory: { readonly memories: readonly Memory[]; readonly states: readonly SharedMemory[] },
    assertOpen: () => void,
  ) {
    this.#engine = engine;
    this.#slots = new Map(program.state.map((slot) => [slot.name, slot]));
    this.#memories = memory.memories;
    this.#home = memory.states;
    this.#assertOpen = assertOpen;
    this.layout = layoutOf(program);
  }

  /** The memories for a program that was compiled for this state's layout, by the index of its arenas. */
  lend(engine: Engine, program: Program): readonly SharedMemory[] {
    this.#assertOpen();
    if (engine !== this.#engine) {
      throw new RunError(
        "The state lies on another device, and memory can't be shared with it. Use `save` there and `load` here.",
      );
    }
    const { arenas, slots } = this.layout;
    const fits =
      arenas.every(({ bytes }, i) =>
        program.arenas[i]?.bytes === bytes && program.arenas[i].role === "state"
      ) &&
      program.state.every(({ name, region: { arena, offset, bytes } }) => {
        const region = slots.get(name)?.region;
        return region === undefined || bytes === 0 || arena >= arenas.length ||
          (region.arena === arena && region.offset === offset && region.bytes === bytes);
      });
    if (!fits) throw new InternalError("runtime", "a program is to use a state that it was not compiled for");
    return this.#home;
  }

  get names(): readonly string[] {
    return [...this.#slots.keys()];
  }

  type(path: string): StateType {
    const { shape, dtype, role } = this.#slot(path, "type()");
    return { shape, dtype, role };
  }

  async read(path: string): Promise<StoredArray> {
    const slot = this.#slot(path, "read()");
    return (await this.#readSlot(slot)).data;
  }

  write(path: string, values: StoredArray): void {
    const slot = this.#slot(path, "write()");
    checkValues(slot, values, "state.write()");
    this.#writeSlot(slot, values);
  }

  /**
   * Values for a program that is being loaded: all of them are asked for and checked before one is written. States in
   * arenas before `firstArena` are left as they are.
   */
  initialize(initial: InitialState, firstArena = 0): void {
    const slots = [...this.#slots.values()].filter(({ region }) => region.arena >= firstArena);
    const values = slots.map((slot) => {
      const array = initial(slot.name, slot.shape, slot.dtype, slot.role);
      if (array !== undefined) checkValues(slot, array, "The initial state");
      return [slot, array] as const;
    });
    for (const [slot, array] of values) if (array !== undefined) this.#writeSlot(slot, array);
  }

  /** The same from another program. A parameter that it lacks would silently be zero, so that is an error. */
  initializeFrom(other: State): void {
    const theirs = new Set(other.names);
    const lacking = [...this.#slots.values()].filter(({ name, role }) =>
      role === "parameter" && !theirs.has(name)
    );
    if (lacking.length > 0) {
      throw new RunError(
        `The state that the program is to start from lacks its parameters ${
          listed(lacking.map(({ name }) => name))
        }. ` +
          `Give a function of first values, then use \`state.copyFrom()\` for what both have.`,
      );
    }
    this.copyFrom(other);
  }

  copyFrom(other: State): number {
    this.#assertOpen();
    if (!(other instanceof ProgramState)) {
      throw new RunError("state.copyFrom() takes the `state` of another executable.");
    }
    other.#assertOpen();
    if (other.#engine !== this.#engine) {
      throw new RunError(
        "state.copyFrom(): the other program is on another device. Use `save` there and `load` here.",
      );
    }
    if (other === this) return 0;
    const common = [...this.#slots.values()].flatMap((slot) => {
      const from = other.#slots.get(slot.name);
      if (from === undefined) return [];
      checkType(slot, from.shape, from.dtype, "state.copyFrom()", "the other program has");
      return [{ slot, from }];
    });
    for (const { slot, from } of common) {
      if (slot.region.bytes === 0) continue;
      this.#engine.copy({
        from: other.#place(from),
        to: this.#place(slot),
        bytes: wholeWords(slot.region.bytes),
      });
    }
    return common.length;
  }

  async save(path: string | URL, metadata?: Readonly<Record<string, string>>): Promise<void> {
    this.#assertOpen();
    // All reads are asked for at once: runs that follow don't show in any of them.
    const tensors = await Promise.all([...this.#slots.values()].map((slot) => this.#readSlot(slot)));
    await writeSafetensors(path, tensors, metadata);
  }

  async load(path: string | URL, options: LoadOptions = {}): Promise<Readonly<Record<string, string>>> {
    this.#assertOpen();
    using file = await SafetensorsReader.open(path);
    const slots = this.#matching(file, String(path), options);
    const values: [StateSlot, StoredArray][] = [];
    for (const slot of slots) values.push([slot, (await file.read(slot.name, slot.dtype)).data]);
    this.#assertOpen();
    this.#engine.assertUsable();
    for (const [slot, array] of values) this.#writeSlot(slot, array);
    return file.metadata;
  }

  /** The states that a file has, once everything about them is known to fit. */
  #matching(
    file: SafetensorsReader,
    path: string,
    { allowMissing, allowExtra }: LoadOptions,
  ): readonly StateSlot[] {
    const slots = [...this.#slots.values()];
    const missing = slots.filter(({ name }) => !file.tensors.has(name)).map(({ name }) => name);
    const extra = [...file.tensors.keys()].filter((name) => !this.#slots.has(name));
    const problems: string[] = [];
    if (missing.length > 0 && !allowMissing) {
      problems.push(`it lacks ${listed(missing)} (\`allowMissing: true\` leaves these as they are)`);
    }
    if (extra.length > 0 && !allowExtra) {
      problems.push(
        `it has ${listed(extra)}, which the program doesn't (\`allowExtra: true\` leaves these out)`,
      );
    }
    if (problems.length > 0) throw new RunError(`state.load(): ${path} doesn't fit: ${problems.join("; ")}.`);
    const found = slots.filter(({ name }) => file.tensors.has(name));
    for (const slot of found) {
      const { shape, fileType } = file.tensors.get(slot.name)!;
      checkType(slot, shape, slot.dtype, "state.load()", `${path} has`, fileType);
    }
    return found;
  }

  async #readSlot({ name, shape, dtype, region }: StateSlot): Promise<HostTensor> {
    const bytes = region.bytes === 0
      ? new Uint8Array(0)
      : await this.#engine.read(this.#place({ region }), wholeWords(region.bytes));
    return { name, shape, dtype, data: fromDevice(dtype, bytes, elementsOf(shape)) };
  }

  #writeSlot(slot: StateSlot, values: StoredArray): void {
    if (slot.region.bytes > 0) this.#engine.write(this.#place(slot), toDevice(slot.dtype, values));
  }

  #place({ region }: Pick<StateSlot, "region">): Place {
    return { memory: this.#memories[region.arena]!, offset: region.offset };
  }

  #slot(path: string, method: string): StateSlot {
    this.#assertOpen();
    const slot = this.#slots.get(path);
    if (slot !== undefined) return slot;
    throw new RunError(`state.${method}: there is no state "${path}"; there are ${listed(this.names)}.`);
  }
}

function checkValues(slot: StateSlot, values: unknown, what: string): void {
  const elements = elementsOf(slot.shape);
  if (isStored(slot.dtype, values) && values.length === elements) return;
  throw new RunError(
    `${what}: "${slot.name}" is ${slot.dtype} of shape ${showShape(slot.shape)} and wants ` +
      `${arrayText(slot.dtype, elements)}, not ${described(values)}.`,
  );
}

function checkType(
  { name, shape: wanted, dtype: wantedType }: StateSlot,
  shape: readonly number[],
  dtype: DType,
  what: string,
  whose: string,
  shownType: string = dtype,
): void {
  const sameShape = shape.length === wanted.length && wanted.every((size, i) => shape[i] === size);
  if (sameShape && dtype === wantedType) return;
  throw new RunError(
    `${what}: "${name}" is ${wantedType} of shape ${
      showShape(wanted)
    }, and ${whose} it as ${shownType} of shape ` +
      `${showShape(shape)}. Nothing was changed.`,
  );
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const shown = names.slice(0, 5).map((name) => `"${name}"`).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
