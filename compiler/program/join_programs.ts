/**
 * Many programs as one, so that a device runs them all in one submit and is waited for once.
 * @module
 */

import type { Program, Slot, Step } from "./program.ts";

/** A program and what its dispatches are called by. */
export type NamedProgram = readonly [name: string, program: Program];

/**
 * The programs side by side, in their order, with nothing shared. Slots are named `3:x`, which is x of program 3; labels
 * of dispatches begin with the program's name and tell the dispatch's place in it.
 */
export function joinPrograms(programs: readonly NamedProgram[]): Program {
  const first = { arenas: 0, kernels: 0 };
  const joined = programs.map(([name, program], number) => {
    const made = moved(program, { name, number, ...first });
    first.arenas += program.arenas.length;
    first.kernels += program.kernels.length;
    return made;
  });
  const all = <T>(part: (program: Program) => readonly T[]): T[] => joined.flatMap(part);
  return {
    version: 1,
    arenas: all(({ arenas }) => arenas),
    kernels: all(({ kernels }) => kernels),
    steps: all(({ steps }) => steps),
    inputs: all(({ inputs }) => inputs),
    outputs: all(({ outputs }) => outputs),
    state: all(({ state }) => state),
    constants: all(({ constants }) => constants),
    memory: {
      peak: joined.reduce((bytes, { memory }) => bytes + memory.peak, 0),
      bound: joined.reduce((bytes, { memory }) => bytes + memory.bound, 0),
    },
  };
}

interface Offsets {
  readonly name: string;
  readonly number: number;
  readonly arenas: number;
  readonly kernels: number;
}

/** A program whose arenas and kernels are numbered from where those of the programs before it end. */
function moved(program: Program, by: Offsets): Program {
  const place = <T extends { readonly arena: number }>(at: T): T => ({ ...at, arena: at.arena + by.arenas });
  const slot = <S extends Slot>(s: S): S => ({
    ...s,
    name: `${by.number}:${s.name}`,
    region: place(s.region),
  });
  const step = (s: Step, i: number): Step => {
    if (s.kind === "copy") return { ...s, copy: { from: place(s.copy.from), to: place(s.copy.to) } };
    const { dispatch } = s;
    return {
      ...s,
      dispatch: {
        ...dispatch,
        kernel: dispatch.kernel + by.kernels,
        bindings: dispatch.bindings.map(place),
        label: `${by.name}, step ${i}: ${dispatch.label}`,
      },
    };
  };
  return {
    ...program,
    steps: program.steps.map(step),
    inputs: program.inputs.map(slot),
    outputs: program.outputs.map(slot),
    state: program.state.map(slot),
    constants: program.constants.map(({ region, data }) => ({ region: place(region), data })),
  };
}
