import { deepStrictEqual, notStrictEqual, strictEqual } from "node:assert/strict";
import { GraphBuilder } from "../../../compiler/graph/build.ts";
import { philox, type Words4 } from "../../../compiler/kernel/philox.ts";
import { type Value } from "../../../compiler/kernel/value.ts";
import { Values } from "../../../compiler/kernel/values.ts";
import { randomBits } from "../../../ops/random/bits.ts";
import { advancedKey, randomKey } from "../../../ops/random/key.ts";
import { philox4x32 } from "../../../ops/random/philox.ts";

/** Known answers of Random123 (file `kat_vectors`), philox4x32 with 10 rounds: counter, key, result. */
const known = [
  ["00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"],
  ["ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"],
  ["243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"],
] as const;

const words = (text: string) => text.split(" ").map((w) => parseInt(w, 16));

/** u32 arithmetic, which is all that Philox is made of. Rounds share their words, so each value is computed once. */
function evaluate(value: Value, memo: Map<Value, number>): number {
  const done = memo.get(value);
  if (done !== undefined) return done;
  if (value.kind === "const" || value.kind === "param") return value.value;
  if (value.kind !== "binary") throw new Error(`${value.kind} in Philox`);
  const a = evaluate(value.a, memo);
  const b = evaluate(value.b, memo);
  const compute: Record<string, () => number> = {
    add: () => a + b,
    mul: () => Math.imul(a, b),
    xor: () => a ^ b,
    and: () => a & b,
    shr: () => a >>> b,
  };
  const result = compute[value.op]!() >>> 0;
  memo.set(value, result);
  return result;
}

Deno.test("philox4x32() gives the published answers", () => {
  for (const [counter, key, result] of known) {
    deepStrictEqual(philox4x32(words(counter), words(key)), words(result));
  }
});

Deno.test("philox() as values gives the published answers", () => {
  for (const [counter, key, result] of known) {
    const k = new Values();
    const param = (name: string) => (x: number, i: number) => k.param(`${name}${i}`, "u32", x);
    const out = philox(
      k,
      words(counter).map(param("c")) as unknown as Words4,
      words(key).map(param("k")) as unknown as readonly [Value, Value],
    );
    const memo = new Map<Value, number>();
    deepStrictEqual(out.map((w) => evaluate(w, memo)), words(result));
  }
});

Deno.test("randomBits() gives every call a stream, which depends on its own scope only", () => {
  const streams = (extra: boolean) => {
    const builder = new GraphBuilder();
    return builder.use(() => {
      const first = builder.within("block0", () => {
        if (extra) randomBits([4]);
        return randomBits([4]);
      });
      const second = builder.within("block1", () => [randomBits([4]), randomBits([4])]);
      return [first, ...second].map((t) => t.node.attrs.stream as number);
    });
  };
  const [a, b, c] = streams(false);
  strictEqual(new Set([a, b, c]).size, 3);
  const [otherA, otherB, otherC] = streams(true);
  notStrictEqual(otherA, a);
  deepStrictEqual([otherB, otherC], [b, c]);
});

Deno.test("randomKey() is one node per graph, and advancedKey() leaves the seed alone", () => {
  new GraphBuilder().use(() => {
    strictEqual(randomKey().node, randomKey().node);
    const next = advancedKey();
    deepStrictEqual([...next.node.inputs[1]!.node.attrs.data.values], [0, 1]);
  });
});
