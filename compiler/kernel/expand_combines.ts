/**
 * Rewrites every `Combine` into phases over shared scratch arrays: what an emitter without a native combine runs.
 *
 *     write   every lane puts its partial states into scratch[element][lane]
 *     fold    lanes of the first n / 8 places fold 8 states that lie n / 8 apart, into their own place (one phase per level)
 *     read    every lane folds the 8 or fewer states that are left, and keeps the result
 *
 * In a level, a lane writes only its own place, and no other lane reads that place: the places that it reads besides
 * belong to lanes that are idle in this level. So one phase per level is enough, and barriers stand only between phases.
 *
 * Scratch arrays are shared by all combines of a kernel. Where the elements don't fit into workgroup memory at once
 * they go through it in turns.
 *
 * An emitter whose lanes can hand on states among n of them (`handing`) is left combines across n lanes or fewer. More
 * than n lanes need one exchange through memory before: every lane folds the states that lie n apart, the same in each
 * subgroup, which are the first halvings of the order.
 */

import { InternalError } from "../errors.ts";
import { defaultLimits } from "../target.ts";
import { combineLevels, foldStates, type Make } from "./combine.ts";
import {
  type ArrayDecl,
  type BinaryInstr,
  type Block,
  bool,
  type Builtin,
  type Combine,
  i32,
  type Instr,
  type IrType,
  type Kernel,
  literal,
  type Statement,
} from "./ir.ts";

const lane: Builtin = { kind: "builtin", type: i32, name: "lane" };

/** Bytes of workgroup memory that an array takes. */
export const sharedBytes = ({ space, type, length }: ArrayDecl): number =>
  space === "shared" ? length * type.width * 4 : 0;

const typeName = (type: IrType): string => type.scalar + (type.width === 4 ? "x4" : "");

/** Lanes that can hand on states without memory, and blocks whose states they can hand on. */
export interface Handing {
  readonly lanes: number;
  readonly can: (block: Combine) => boolean;
}

const noHanding: Handing = { lanes: 1, can: () => false };

/**
 * The kernel without `Combine` blocks but those that need no memory; the kernel itself where it has none.
 *
 * @param bytes Workgroup memory to stay within.
 */
export function expandCombines(
  kernel: Kernel,
  bytes: number = defaultLimits.sharedBytes,
  handing: Handing = noHanding,
): Kernel {
  const lanesOf = (combine: Combine): number =>
    handing.can(combine) ? Math.min(handing.lanes, combine.across) : 1;
  const stays = (combine: Combine): boolean => combine.across > 1 && lanesOf(combine) === combine.across;
  if (!kernel.body.some((block) => contains(block, (combine) => !stays(combine)))) return kernel;
  const scratch = new Scratch(kernel, bytes, (combine) => combine.across > lanesOf(combine));
  const expand = (blocks: readonly Block[]): readonly Block[] =>
    blocks.flatMap((block): readonly Block[] => {
      if (block.kind === "loop") return [{ ...block, body: expand(block.body) }];
      return block.kind === "combine" ? expandCombine(block, kernel.lanes, scratch, lanesOf(block)) : [block];
    });
  const body = expand(kernel.body);
  return { ...kernel, arrays: [...kernel.arrays, ...scratch.arrays], body };
}

const contains = (block: Block, some: (combine: Combine) => boolean): boolean =>
  block.kind === "combine"
    ? some(block)
    : block.kind === "loop" && block.body.some((inner) => contains(inner, some));

/** Hands out scratch arrays: one per type and use within a state, long enough for the longest combine. */
class Scratch {
  readonly #lanes: number;
  readonly #elements: number;
  readonly #known = new Map<string, ArrayDecl>();

  constructor(kernel: Kernel, bytes: number, needs: (combine: Combine) => boolean) {
    this.#lanes = kernel.lanes;
    const combines: Combine[] = [];
    const collect = (block: Block): void => {
      if (block.kind === "loop") block.body.forEach(collect);
      if (block.kind === "combine" && needs(block)) combines.push(block);
    };
    kernel.body.forEach(collect);
    const slots = new Map<string, number>();
    for (const { arrays } of combines) {
      for (const [name, type] of slotNames(arrays)) slots.set(name, type.width * 4 * kernel.lanes);
    }
    const perElement = [...slots.values()].reduce((a, b) => a + b, 0);
    const free = bytes - kernel.arrays.reduce((sum, array) => sum + sharedBytes(array), 0);
    const longest = Math.max(1, ...combines.map(({ arrays }) => arrays[0]!.length));
    this.#elements = Math.min(longest, Math.max(1, Math.floor(free / Math.max(1, perElement))));
  }

  /** Elements that go through scratch at once. */
  get elements(): number {
    return this.#elements;
  }
  get arrays(): readonly ArrayDecl[] {
    return [...this.#known.values()];
  }

  /** One array per component of the state. */
  forState(state: readonly ArrayDecl[]): readonly ArrayDecl[] {
    return slotNames(state).map(([name, type]) => {
      const known = this.#known.get(name);
      if (known) return known;
      const length = this.#elements * this.#lanes;
      const array: ArrayDecl = { name, space: "shared", type, length, dynamic: true };
      this.#known.set(name, array);
      return array;
    });
  }
}

/** `combine_f32_0`: the first component of type f32. */
function slotNames(state: readonly ArrayDecl[]): readonly (readonly [string, IrType])[] {
  const used = new Map<string, number>();
  return state.map(({ type }) => {
    const name = typeName(type);
    const count = used.get(name) ?? 0;
    used.set(name, count + 1);
    return [`combine_${name}_${count}`, type] as const;
  });
}

/** @param handed Lanes of those that are combined, which hand on their states once there is one for each of them. */
function expandCombine(combine: Combine, lanes: number, scratch: Scratch, handed: number): readonly Block[] {
  const { op, arrays, across } = combine;
  if (across === 1) return [];
  if (across === handed) return [combine];
  if (lanes % across !== 0 || (across & (across - 1)) !== 0) {
    throw new InternalError("combine", `${op} across ${across} of ${lanes} lanes`);
  }
  const places = scratch.forState(arrays);
  const phases: Block[] = [];
  const levels = handed > 1 ? [] : combineLevels(across);
  for (let first = 0; first < arrays[0]!.length; first += scratch.elements) {
    const elements = Math.min(scratch.elements, arrays[0]!.length - first);
    const each = (body: (element: number, make: Make, out: Statement[]) => void): Statement[] => {
      const out: Statement[] = [];
      const make: Make = (instr) => (out.push({ kind: "let", instr }), instr);
      for (let element = 0; element < elements; element++) body(element, make, out);
      return out;
    };
    const at = (make: Make, element: number, place: Instr, offset: number) =>
      plus(make, place, element * lanes + offset);
    /** Folds the `count` states that lie `apart` from each other, the first at `place`. */
    const fold = (make: Make, element: number, place: Instr, count: number, apart: number) =>
      foldStates(
        op,
        make,
        Array.from({ length: count }, (_, k) => {
          const index = at(make, element, place, k * apart);
          return places.map((array) => make({ kind: "read", type: array.type, array, index }));
        }),
      );

    phases.push({
      kind: "phase",
      body: each((element, make, out) => {
        const values = arrays.map((array) =>
          make({ kind: "read", type: array.type, array, index: literal("i32", first + element) })
        );
        const index = at(make, element, lane, 0);
        values.forEach((value, c) => out.push({ kind: "set", array: places[c]!, index, value }));
      }),
    });

    let left = across;
    for (const next of levels) {
      const body: Statement[] = [];
      const make: Make = (instr) => (body.push({ kind: "let", instr }), instr);
      const place = across === lanes ? lane : make(binary("and", lane, across - 1));
      const condition = make({ ...binary("lt", place, next), type: bool });
      const then = each((element, make, out) => {
        const states = fold(make, element, lane, left / next, next);
        const index = at(make, element, lane, 0);
        states.forEach((value, c) => out.push({ kind: "set", array: places[c]!, index, value }));
      });
      body.push({ kind: "if", condition, then, otherwise: [] });
      phases.push({ kind: "phase", body });
      left = next;
    }

    phases.push({
      kind: "phase",
      body: each((element, make, out) => {
        // The first of the lanes that are combined, or of those of them that this lane's subgroup folds for.
        const within = (across === lanes ? 0 : -across) | (handed - 1);
        const base = within === 0 ? literal("i32", 0) : make(binary("and", lane, within));
        const states = fold(make, element, base, left / handed, handed);
        states.forEach((value, c) =>
          out.push({ kind: "set", array: arrays[c]!, index: literal("i32", first + element), value })
        );
      }),
    });
  }
  if (handed > 1) phases.push({ ...combine, across: handed });
  return phases;
}

const binary = (op: "add" | "and" | "lt", a: Instr, b: number): BinaryInstr => ({
  kind: "binary",
  type: i32,
  op,
  a,
  b: literal("i32", b),
});

function plus(make: Make, a: Instr, b: number): Instr {
  if (b === 0) return a;
  return a.kind === "literal" ? literal("i32", a.value + b) : make(binary("add", a, b));
}
