import assert from "node:assert/strict";
import {
  add,
  attention,
  div,
  full,
  gradient,
  greater,
  input,
  iota,
  lessEqual,
  logSoftmax,
  matmul,
  model,
  mul,
  reshape,
  type Shape,
  softmax,
  sum,
  tanh,
  type Tensor,
  transpose,
  tril,
  where,
} from "../../../mod.ts";
import { recognizeAttention } from "../../../ops/nn/attention_rule.ts";
import { noise } from "../../support/differentiate.ts";
import { runByReference } from "../../support/run_by_reference.ts";

type F = Tensor<Shape, "f32">;
type Outputs = Record<string, Tensor>;

const [T, S, D] = [5, 7, 4];
const types = {
  q: input([2, T, D] as Shape, "f32"),
  k: input([2, S, D] as Shape, "f32"),
  v: input([2, S, D] as Shape, "f32"),
  mask: input([T, S] as Shape, "f32"),
};

interface Operands {
  readonly q: F;
  readonly k: F;
  readonly v: F;
  readonly mask: F;
}

const traced = (f: (x: Operands) => Outputs) => model(types, (x) => f(x as Operands)).traced;

/** Asserts that the plain form becomes one op that gives the same, and gives the op's attributes. */
function recognized(f: (x: Operands) => Tensor): { causal: boolean; scale: number; inputs: number } {
  const graph = traced((x) => ({ y: f(x) }));
  const { graph: rewritten, decisions } = recognizeAttention(graph);
  assert.deepEqual(decisions.map((d) => d.fuse), [true], decisions[0]?.because ?? "nothing was found");
  const names = rewritten.nodes.map((n) => n.op.name);
  assert.ok(!names.includes("exp") && !names.includes("matmul"), names.join());
  const feeds = { q: noise(2 * T * D), k: noise(2 * S * D), v: noise(2 * S * D), mask: noise(T * S) };
  const [before, after] = [graph, rewritten].map((g) => runByReference(g, feeds).outputs["y"]!);
  before!.forEach((x, i) => assert.ok(Math.abs(x - after![i]!) < 1e-12, `${i}: ${after![i]} is not ${x}`));
  const node = rewritten.nodes.find((n) => n.op.name === "attention")!;
  return { ...node.attrs, inputs: node.inputs.length };
}

/** Why a form stays plain. */
function missed(f: (x: Operands) => Outputs): string {
  const graph = traced(f);
  const { graph: same, decisions } = recognizeAttention(graph);
  assert.equal(same, graph);
  assert.deepEqual(decisions.map((d) => d.fuse), [false]);
  return decisions[0]!.because;
}

const scores = ({ q, k }: Operands): F => mul(matmul(q, transpose(k)), 0.5) as F;
const visible = (): Tensor<Shape, "bool"> =>
  lessEqual(reshape(iota([S]), [1, S]), add(reshape(iota([T]), [T, 1]), S - T)) as Tensor<Shape, "bool">;

Deno.test("recognizeAttention() finds softmax(q·kᵀ·s)·v", () => {
  assert.deepEqual(recognized((x) => matmul(softmax(scores(x)), x.v)), {
    causal: false,
    scale: 0.5,
    inputs: 3,
  });
  assert.equal(recognized((x) => matmul(softmax(div(matmul(x.q, transpose(x.k)), 2)), x.v)).scale, 0.5);
  assert.equal(recognized((x) => matmul(softmax(matmul(x.q, transpose(x.k))), x.v)).scale, 1);
});

Deno.test("recognizeAttention() takes masks along, added and selected", () => {
  assert.equal(recognized((x) => matmul(softmax(add(scores(x), x.mask)), x.v)).inputs, 4);
  assert.equal(recognized((x) => matmul(softmax(add(x.mask, scores(x))), x.v)).inputs, 4);
  assert.equal(recognized((x) => matmul(softmax(mul(add(scores(x), x.mask), 3)), x.v)).inputs, 4);
  const some = (x: Operands) => greater(x.mask, -0.9) as Tensor<Shape, "bool">;
  assert.equal(recognized((x) => matmul(softmax(where(some(x), scores(x), -Infinity)), x.v)).inputs, 4);
  const both = (x: Operands) => where(some(x), add(scores(x), x.mask), -Infinity) as F;
  assert.equal(recognized((x) => matmul(softmax(both(x)), x.v)).inputs, 4);
  const twice = (x: Operands) => add(add(scores(x), x.mask), mul(x.mask, 2)) as F;
  assert.equal(recognized((x) => matmul(softmax(twice(x)), x.v)).inputs, 4);
});

Deno.test("recognizeAttention() sees causality in whatever way it is written", () => {
  const causal = { causal: true, scale: 0.5, inputs: 3 };
  const masked = (f: (s: F, x: Operands) => Tensor) =>
    recognized((x) => matmul(softmax(f(scores(x), x) as F), x.v));
  assert.deepEqual(masked((s) => where(visible(), s, -Infinity)), causal);
  const triangle = () => greater(tril(full([T, S], 1), S - T), 0) as Tensor<Shape, "bool">;
  assert.deepEqual(masked((s) => where(triangle(), s, -Infinity)), causal);
  const hidden = () => greater(reshape(iota([S]), [1, S]), add(reshape(iota([T]), [T, 1]), S - T));
  assert.deepEqual(masked((s) => where(hidden() as Tensor<Shape, "bool">, -Infinity, s)), causal);
  const added = () => where(visible(), full([T, S], 0), -Infinity);
  assert.deepEqual(masked((s) => add(s, added())), causal);
  assert.equal(masked((s, x) => add(where(visible(), s, -Infinity) as F, x.mask)).inputs, 4);
});

Deno.test("recognizeAttention() says what keeps a near miss plain", () => {
  const p = (x: Operands) => softmax(scores(x)) as F;
  assert.match(missed((x) => ({ y: matmul(p(x), x.v), p: p(x) })), /div of 2 × 5 × 7 is an output/);
  assert.match(
    missed((x) => ({ y: matmul(p(x), x.v), z: sum(scores(x)) })),
    /mul of 2 × 5 × 7 also goes into sum/,
  );
  assert.match(missed((x) => ({ y: matmul(mul(p(x), x.mask) as F, x.v) })), /mul stands between/);
  const capped = (x: Operands) => matmul(softmax(tanh(scores(x)) as F), x.v);
  assert.match(missed((x) => ({ y: capped(x) })), /go through tanh/);
  const finite = (x: Operands) => matmul(softmax(where(visible(), scores(x), -1e9) as F), x.v);
  assert.match(missed((x) => ({ y: finite(x) })), /not −∞/);
  const backwards = (x: Operands) => matmul(softmax(mul(scores(x), -1) as F), x.v);
  assert.match(missed((x) => ({ y: backwards(x) })), /no positive number/);
});

Deno.test("recognizeAttention() comes too late after a gradient, and says so", () => {
  assert.match(
    missed((x) => {
      const y = sum(matmul(softmax(scores(x)) as F, x.v));
      return { y, g: gradient(y, [x.q])[0]! };
    }),
    /also goes into/,
  );
});

Deno.test("recognizeAttention() leaves alone what is no attention", () => {
  const others: readonly ((x: Operands) => Tensor)[] = [
    (x) => matmul(softmax(x.mask), transpose(x.mask)),
    (x) => matmul(softmax(scores(x), 1) as F, x.v),
    (x) => matmul(logSoftmax(scores(x)) as F, x.v),
    (x) => attention(x.q, x.k, x.v),
  ];
  for (const f of others) {
    const graph = traced((x) => ({ y: f(x) }));
    assert.deepEqual(recognizeAttention(graph), { graph, decisions: [] });
  }
});
