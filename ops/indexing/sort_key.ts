/**
 * One order for all dtypes: numbers as i32 keys, so that comparing keys is comparing numbers, with NaN after everything
 * in either direction (SEMANTICS §8). −0 and 0 have one key, or a stable sort would tell them apart. A key can be turned
 * back into its number, so a sort moves keys only.
 */

import type { IrBuilder } from "../../compiler/kernel/build.ts";
import type { Instr } from "../../compiler/kernel/ir.ts";
import type { LoadedType, Value } from "../../compiler/kernel/value.ts";
import type { Values } from "../../compiler/kernel/values.ts";

/** The key of NaN, and of places behind the end of a row: nothing comes after it. */
export const lastKey = 0x7fffffff;
const infinityBits = 0x7f800000;
const signBit = 0x80000000;

/** An i32 whose order is that of the element; reversed for a descending sort. */
export function sortKey(k: Values, x: Value, descending: boolean): Value {
  const reversed = (key: Value) => descending ? k.unary("bitNot", key) : key;
  switch (x.type) {
    case "bool":
      return reversed(k.cast("i32", x));
    case "i32":
      return reversed(x);
    case "u32":
      return reversed(k.bitcast("i32", k.binary("xor", x, k.const(signBit, "u32"))));
    case "f16":
      return sortKey(k, k.cast("f32", x), descending);
    case "f32": {
      const bits = k.bitcast("i32", x);
      const magnitude = k.and(bits, k.int(lastKey));
      // A negative number's bits grow with its magnitude: the other way round than its key must.
      const key = k.select(k.lt(bits, 0), k.binary("xor", bits, k.int(lastKey)), bits);
      const number = reversed(k.select(k.eq(magnitude, 0), 0, key));
      return k.select(k.lt(infinityBits, magnitude), lastKey, number);
    }
  }
}

/** The element that a key stands for. NaN's key gives a NaN in both directions. */
export function elementOfKey(b: IrBuilder, key: Instr, type: LoadedType, descending: boolean): Instr {
  const plain = descending ? b.unary("bitNot", key) : key;
  switch (type) {
    case "bool":
      return b.binary("ne", plain, b.int(0));
    case "i32":
      return plain;
    case "u32":
      return b.binary("xor", b.bitcast("u32", plain), b.literal("u32", signBit));
    case "f32": {
      const bits = b.select(b.lt(plain, 0), b.binary("xor", plain, b.int(lastKey)), plain);
      return b.bitcast("f32", bits);
    }
  }
}
