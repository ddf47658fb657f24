/** The text of loads that lanes share (shared_loads.ts): one load per lane, and a broadcast for each load of the group. */

import { i32, type Instr, type Kernel, type LoadInstr } from "../kernel/ir.ts";
import { type LoadGroup, type SharedLoad, sharedLoads } from "./shared_loads.ts";
import type { BufferText } from "./wgsl_buffers.ts";

const lane: Instr = { kind: "builtin", type: i32, name: "lane" };

export class SharedText {
  readonly #lanes: number;
  readonly #loads: ReadonlyMap<Instr, SharedLoad>;
  /** The name of what each lane loads for a group. */
  readonly #names = new Map<LoadGroup, string>();

  /** @param broadcast Lanes of a workgroup that may broadcast, at most. */
  constructor(kernel: Kernel, broadcast: number) {
    this.#lanes = kernel.lanes;
    this.#loads = kernel.lanes <= broadcast ? sharedLoads(kernel) : new Map();
  }

  /** Whether any load is shared. */
  get has(): boolean {
    return this.#loads.size > 0;
  }

  contains(instr: Instr): instr is LoadInstr {
    return this.#loads.has(instr);
  }

  /** A load's value; the first one of a group needs lines before it, which bring in all of them. */
  load(
    instr: LoadInstr,
    buffer: BufferText,
    operand: (instr: Instr) => string,
  ): { readonly lines: readonly string[]; readonly text: string } {
    const { group, position } = this.#loads.get(instr)!;
    const { first, index, most, step, count } = group;
    const known = this.#names.get(group);
    const name = known ?? `w${this.#names.size}`;
    const text = `subgroupBroadcast(${name}, ${position}u)`;
    if (known !== undefined) return { lines: [], text };
    this.#names.set(group, name);
    const which = count < this.#lanes ? `min(lane, ${count - 1}i)` : "lane";
    const own = `${operand(index)} + ${which} * ${step}i`;
    const lines = [
      `let ${name}_at = ${most === undefined ? own : `min(${own}, ${most}i)`};`,
      `let ${name} = ${buffer.load(lane, `${name}_at`, first.type.width)};`,
    ];
    return { lines, text };
  }
}
