/**
 * One order for all dtypes: numbers as i32 keys, so that comparing keys is comparing numbers, with NaN after everything
 * in either direction (SEMANTICS §8). −0 and 0 have one key, or a stable sort would tell them apart.
 */

import type { Value, Values } from "../../compiler/kernel/value.ts";

const last = 0x7fffffff;
const infinityBits = 0x7f800000;

/** An i32 whose order is that of the element; reversed for a descending sort. */
export function sortKey(k: Values, x: Value, descending: boolean): Value {
  const reversed = (key: Value) => descending ? k.unary("bitNot", key) : key;
  switch (x.type) {
    case "bool":
      return reversed(k.cast("i32", x));
    case "i32":
      return reversed(x);
    case "u32":
      return reversed(k.bitcast("i32", k.binary("xor", x, k.const(0x80000000, "u32"))));
    case "f32": {
      const bits = k.bitcast("i32", x);
      const magnitude = k.and(bits, k.int(last));
      // A negative number's bits grow with its magnitude: the other way round than its key must.
      const key = k.select(k.lt(bits, 0), k.binary("xor", bits, k.int(last)), bits);
      return k.select(k.lt(infinityBits, magnitude), last, reversed(k.select(k.eq(magnitude, 0), 0, key)));
    }
  }
}
