/**
 * A `Combine` without memory: lanes hand one another their states, and each halving of the order of combination
 * (kernel/combine.ts) is one exchange between the lanes of both halves.
 *
 *     b = subgroupShuffleXor(a, 4); a = combine(a, b); b = subgroupShuffleXor(a, 2); …
 *
 * Both lanes of a pair compute the same state, and in the end all lanes have it. That takes lanes that lie in one
 * subgroup, one after the other, from a multiple of their number: what `Target.subgroup` says was seen on the device.
 */

import { combineStates, type Make } from "../kernel/combine.ts";
import {
  type Block,
  bool,
  type Builtin,
  type Combine,
  i32,
  type Instr,
  literal,
  type Statement,
} from "../kernel/ir.ts";

/** Who writes the text: `hand` binds what the lane has whose number differs in one bit. */
export interface HandingWriter {
  readonly make: Make;
  hand(value: Instr, bit: number): Instr;
  put(statement: Statement): void;
}

const lane: Builtin = { kind: "builtin", type: i32, name: "lane" };

/** Whether lanes can hand on the states of a block: WGSL has no such operation on bool, and not everywhere one on f16. */
export const canHandOn = (block: Block): block is Combine =>
  block.kind === "combine" &&
  block.arrays.every(({ type: { scalar } }) => scalar !== "bool" && scalar !== "f16");

export function combineByHanding({ op, arrays, across }: Combine, { make, hand, put }: HandingWriter): void {
  const lower = new Map<number, Instr>();
  /** Is this lane the first of its pair? */
  const isLower = (bit: number): Instr => {
    const known = lower.get(bit);
    if (known) return known;
    const own = make({ kind: "binary", type: i32, op: "and", a: lane, b: literal("i32", bit) });
    const result = make({ kind: "binary", type: bool, op: "eq", a: own, b: literal("i32", 0) });
    lower.set(bit, result);
    return result;
  };
  for (let element = 0; element < arrays[0]!.length; element++) {
    const index = literal("i32", element);
    let state: readonly Instr[] = arrays.map((array) =>
      make({ kind: "read", type: array.type, array, index })
    );
    for (let bit = across / 2; bit >= 1; bit /= 2) {
      const own = state;
      const other = own.map((value) => hand(value, bit));
      // Rounding tells which moments came first; nothing else does.
      const [first, second] = op !== "moments"
        ? [own, other]
        : [own, other].map((_, which) =>
          own.map((value, c) =>
            make({
              kind: "select",
              type: value.type,
              condition: isLower(bit),
              then: which === 0 ? value : other[c]!,
              otherwise: which === 0 ? other[c]! : value,
            })
          )
        ) as [Instr[], Instr[]];
      state = combineStates(op, make, first, second);
    }
    state.forEach((value, c) => put({ kind: "set", array: arrays[c]!, index, value }));
  }
}
