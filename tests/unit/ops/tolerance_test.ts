import assert from "node:assert/strict";
import { apply, GraphBuilder } from "../../../compiler/graph/build.ts";
import { type HostArray, roundTo } from "../../../compiler/graph/dtype.ts";
import type { Node, Tensor } from "../../../compiler/graph/node.ts";
import { attentionBackwardOp } from "../../../ops/nn/attention_backward.ts";
import { cast, exp, floor, inputOp, mul, sub, sum } from "../../../ops/mod.ts";
import { type Expected, expectedOf, mismatches } from "../../support/tolerance.ts";

/** What a graph over one vector may give. */
function expected(f: (x: Tensor) => Tensor, numbers: readonly number[]): Expected {
  return new GraphBuilder().use(() => {
    const x = apply(inputOp, [], { name: "x", shape: [numbers.length], dtype: "f32" });
    const feeds = new Map<Node, HostArray>([[x.node, Float64Array.from(numbers, Math.fround)]]);
    return expectedOf([f(x)], feeds)[0]!;
  });
}

Deno.test("expectedOf() widens the tolerance by what cancels, and no further", () => {
  const well = expected((x) => mul(x, 3) as Tensor, [1, 2]);
  assert.ok(well.tolerance[0]! > 2e-7 && well.tolerance[0]! < 3e-6, `${well.tolerance[0]}`);
  // (x·x − 1) at 1 + 1e-3: the rounding of x·x is relative to 1, and the result is 500 times smaller.
  const cancelling = expected((x) => sub(mul(x, x), 1) as Tensor, [1.001]);
  const relative = cancelling.tolerance[0]! / Math.abs(cancelling.values[0]!);
  assert.ok(relative > 1e-5 && relative < 1e-3, `${relative}`);
});

Deno.test("expectedOf() counts what an op subtracts inside itself: a query that sees one key has a gradient of 0 or of rounding", () => {
  new GraphBuilder().use(() => {
    const feeds = new Map<Node, HostArray>();
    const input = (name: string, shape: readonly number[], numbers: readonly number[]) => {
      const x = apply(inputOp, [], { name, shape, dtype: "f32" });
      feeds.set(x.node, Float64Array.from(numbers, Math.fround));
      return x;
    };
    // One key: its weight is 1, O is v, and the two sums whose difference is the gradient of the score are equal.
    // Equal but for the order of summing, which leaves a difference in f64 as well.
    const [q, k, v, out] = ["q", "k", "v", "out"].map((name) => input(name, [1, 3], [0.3, -0.00071, 0.11]));
    const inputs = [
      q!,
      k!,
      v!,
      out!,
      input("lse", [1], [0.41]),
      input("g", [1, 3], [1.7, 0.3, 0.6]),
    ];
    const dq = apply(attentionBackwardOp, inputs, { causal: true, scale: 1 });
    const [want] = expectedOf([dq], feeds);
    const rounding = 2 ** -24 * 1.7 * 0.3 * 0.3;
    assert.ok(
      want!.tolerance[0]! > rounding && want!.tolerance[0]! < 1e3 * rounding,
      `${want!.tolerance[0]}`,
    );
  });
});

Deno.test("expectedOf() lets an element that may jump be either result, and nothing between", () => {
  // x·x is just below 4 in f64 and may round to 4.
  const near = Math.fround(Math.sqrt(4) - 2 ** -24);
  const numbers = [...Array(40).fill(1.5), near];
  const wants = expected((x) => floor(mul(mul(x, 3) as Tensor, 1 / 3)) as Tensor, numbers);
  assert.equal(wants.dropped, undefined);
  const got = Array.from(wants.values);
  assert.deepEqual(mismatches(wants, got), []);
  got[0] = 2;
  assert.equal(mismatches(wants, got).length, 1);
});

Deno.test("expectedOf() allows what a device gives that rounds each half, wherever the runs come to lie between two", () => {
  const numbers = Array.from({ length: 4000 }, (_, i) => Math.fround(-2 + i / 1009));
  const wants = expected((x) => {
    const half = exp(cast(x, "f16"));
    return cast(mul(mul(half as Tensor, half as Tensor), 0.3), "f32");
  }, numbers);
  const half = (x: number) => roundTo("f16", x);
  const got = numbers.map((x) => {
    const e = half(Math.exp(half(x)));
    return half(half(e * e) * half(0.3));
  });
  assert.equal(wants.dropped, undefined);
  assert.deepEqual(mismatches(wants, got), []);
  // No more than it takes: what the exponential and the square make of three roundings.
  const widest = Math.max(...wants.tolerance.map((t, i) => t / Math.abs(wants.values[i]!)));
  assert(widest < 40 * 2 ** -11, `${widest}`);
});

Deno.test("expectedOf() drops a case in which most elements may jump, or nothing is certain", () => {
  const jumpy = expected(
    (x) => floor(mul(mul(x, 3) as Tensor, Math.fround(1 / 3))) as Tensor,
    Array(20).fill(1),
  );
  assert.match(jumpy.dropped ?? "", /elements jump/);
  const hopeless = expected((x) => sub(mul(x, 1e8), sub(mul(x, 1e8), 1)) as Tensor, [1.1]);
  assert.match(hopeless.dropped ?? "", /uncertain/);
});

Deno.test("mismatches() counts NaN, infinities and wrong lengths as wrong", () => {
  const wants = expected((x) => sum(x, 0, { keepDims: true }) as Tensor, [1, 2]);
  assert.equal(mismatches(wants, [3]).length, 0);
  for (const bad of [NaN, Infinity, 3.03]) assert.equal(mismatches(wants, [bad]).length, 1, `${bad}`);
  assert.throws(() => mismatches(wants, [3, 3]), /2 elements/);
});
