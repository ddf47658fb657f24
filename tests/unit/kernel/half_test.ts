/** Rounding to halves: which operations become narrow, and that they give what rounding once gives. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { roundedToHalf } from "../../../compiler/kernel/half.ts";
import { binaryMeaning, unaryMeaning } from "../../../compiler/kernel/scalar.ts";
import type { BinaryOp, UnaryOp } from "../../../compiler/kernel/value.ts";
import { type Value } from "../../../compiler/kernel/value.ts";
import { Values } from "../../../compiler/kernel/values.ts";

const half = (k: Values, name: string): Value => k.load({ name, dtype: "f16", size: 8 }, k.var(8, 0));

/** `f32(f16 add(x, y))`: the ops of a value, and the types that they are computed in. */
function shown(value: Value): string {
  switch (value.kind) {
    case "load":
      return value.buffer.name;
    case "const":
      return `${value.value}${value.type === "f16" ? "h" : ""}`;
    case "cast":
      return value.type === "f16" && value.arg.kind === "load"
        ? `${shown(value.arg)}h`
        : `${value.type}(${shown(value.arg)})`;
    case "unary":
      return `${value.op}(${shown(value.arg)})`;
    case "binary":
      return `${value.op}(${shown(value.a)}, ${shown(value.b)})`;
    case "select":
      return `select(${[value.condition, value.then, value.otherwise].map(shown).join(", ")})`;
    default:
      return value.kind;
  }
}

Deno.test("roundedToHalf() computes in f16 what is the same there, and converts the rest", () => {
  const k = new Values();
  const [x, y] = [half(k, "x"), half(k, "y")];
  const expected: readonly (readonly [Value, string])[] = [
    [x, "x"],
    [k.add(x, y), "f32(add(xh, yh))"],
    [k.mul(x, 0.5), "f32(mul(xh, 0.5h))"],
    // A constant that is no half: the product is rounded once, and not its operand.
    [k.mul(x, 0.1), "f32(f16(mul(x, 0.10000000149011612)))"],
    [k.div(x, y), "f32(f16(div(x, y)))"],
    [k.unary("neg", x), "neg(x)"],
    [k.unary("exp", x), "f32(f16(exp(x)))"],
    // What is within an op is not rounded.
    [k.add(k.mul(x, y), y), "f32(f16(add(mul(x, y), y)))"],
    [k.select(k.lt(x, y), k.add(x, y), 0), "f32(select(lt(x, y), add(xh, yh), 0h))"],
    [k.reduce("sum", [8], [], ([i]) => k.load({ name: "x", dtype: "f16", size: 8 }, i!)), "reduce"],
  ];
  for (const [value, text] of expected) assert.equal(shown(roundedToHalf(k, value)), text);
});

Deno.test("roundedToHalf() twice is once, and a chain of ops stays narrow", () => {
  const k = new Values();
  const [x, y] = [half(k, "x"), half(k, "y")];
  const sum = roundedToHalf(k, k.add(x, y));
  assert.equal(roundedToHalf(k, sum), sum);
  const chain = roundedToHalf(k, k.mul(roundedToHalf(k, k.sub(sum, 1)), x));
  assert.equal(shown(chain), "f32(mul(sub(add(xh, yh), 1h), xh))");
});

Deno.test("an op in f16 is the op in f32, rounded once more, for any two halves", () => {
  const halves = fc.nat(0xffff).map((bits) => new Float16Array(Uint16Array.of(bits).buffer)[0]!);
  const narrow = <O extends string>(table: { readonly [K in O]: { readonly f16?: unknown } }): O[] =>
    (Object.keys(table) as O[]).filter((op) => table[op].f16);
  fc.assert(
    fc.property(halves, halves, (a, b) => {
      for (const op of narrow<BinaryOp>(binaryMeaning)) {
        const { f16, f32 } = binaryMeaning[op];
        assert.equal(f16!(a, b), Math.f16round(f32!(a, b)), `${op} of ${a} and ${b}`);
      }
      for (const op of narrow<UnaryOp>(unaryMeaning)) {
        const { f16, f32 } = unaryMeaning[op];
        assert.equal(f16!(a), Math.f16round(f32!(a)), `${op} of ${a}`);
      }
    }),
    { numRuns: 20_000 },
  );
});
