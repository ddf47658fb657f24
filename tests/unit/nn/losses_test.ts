import assert from "node:assert/strict";
import {
  bceWithLogits,
  constant,
  crossEntropy,
  crossEntropyRows,
  huber,
  input,
  klDivergence,
  logSoftmax,
  mae,
  model,
  mse,
  nll,
  type Shape,
  type Tensor,
} from "../../../mod.ts";
import { assertClose, differentiate, noise } from "../../support/differentiate.ts";
import { runByReference } from "../../support/run_by_reference.ts";

type Rows = Tensor<Shape, "f32">;

const run = (f: (x: Rows, labels: Tensor<Shape, "i32">) => Tensor, x: number[], labels: number[]) => {
  const specs = {
    x: input([labels.length, x.length / labels.length] as Shape, "f32"),
    l: input([labels.length] as Shape, "i32"),
  };
  const net = model(specs, ({ x, l }) => ({ y: f(x, l) }));
  return [...runByReference(net.graph, { x, l: labels }).outputs["y"]!];
};

/** −log of the label's share, in plain numbers. */
const plain = (row: number[], label: number) =>
  Math.log(row.reduce((t, x) => t + Math.exp(x), 0)) - row[label]!;

Deno.test("nll() of logSoftmax() is crossEntropy(), also of labels that are ignored or none", () => {
  const x = noise(9);
  const cases: [number[], number | undefined][] = [[[2, 0, 1], undefined], [[2, -1, 0], -1], [
    [-1, -1, -1],
    -1,
  ]];
  for (const [labels, ignoreIndex] of cases) {
    const options = ignoreIndex === undefined ? {} : { ignoreIndex };
    assertClose(
      run((x, l) => nll(logSoftmax(x), l, options), x, labels),
      run((x, l) => crossEntropy(x, l, options), x, labels),
    );
  }
  assertClose(run((x, l) => nll(logSoftmax(x), l), x, [0, 3, 1]), [NaN]);
  assertClose(run((x, l) => nll(x, l), [-Infinity, -1], [1]), [1]);
});

Deno.test("crossEntropy() is the mean of −log softmax at the labels", () => {
  const x = noise(6);
  const expected = (plain(x.slice(0, 3), 2) + plain(x.slice(3), 0)) / 2;
  assertClose(run((x, l) => crossEntropy(x, l), x, [2, 0]), [expected]);
});

Deno.test("crossEntropy() stays exact for sure answers, right and wrong", () => {
  assertClose(run((x, l) => crossEntropyRows(x, l), [1000, 0, 0, 1000], [0, 0]), [0, 1000]);
  assertClose(run((x, l) => crossEntropyRows(x, l), [0, -Infinity, 0, -Infinity], [0, 1]), [0, Infinity]);
});

Deno.test("crossEntropy() leaves ignored rows out of sum and count", () => {
  const x = noise(6);
  assertClose(run((x, l) => crossEntropy(x, l, { ignoreIndex: -1 }), x, [2, -1]), [plain(x.slice(0, 3), 2)]);
  assertClose(run((x, l) => crossEntropy(x, l, { ignoreIndex: -1 }), x, [-1, -1]), [0]);
});

Deno.test("crossEntropy() of a label out of range is NaN, not a number that passes unseen", () => {
  assertClose(run((x, l) => crossEntropyRows(x, l), noise(6), [3, -1]), [NaN, NaN]);
});

Deno.test("crossEntropy() with smoothing mixes in the mean over classes", () => {
  const x = noise(3);
  const even = (plain(x, 0) + plain(x, 1) + plain(x, 2)) / 3;
  assertClose(run((x, l) => crossEntropy(x, l, { smoothing: 0.3 }), x, [1]), [
    0.7 * plain(x, 1) + 0.3 * even,
  ]);
});

Deno.test("the gradient of crossEntropy() is softmax less one-hot, over rows", () => {
  const x = noise(6);
  const labels = () => constant([2, 0], [2], "i32");
  const { gradient } = differentiate((x) => crossEntropy(x as never, labels()), x, [2, 3]);
  const share = (row: number[]) => row.map((v) => Math.exp(v) / row.reduce((t, w) => t + Math.exp(w), 0));
  const expected = [...share(x.slice(0, 3)), ...share(x.slice(3))].map((p, i) =>
    (p - (i === 2 || i === 3 ? 1 : 0)) / 2
  );
  assertClose(gradient, expected);
  differentiate((x) => crossEntropy(x as never, labels(), { smoothing: 0.1, ignoreIndex: 0 }), x, [2, 3]);
});

Deno.test("mse(), mae(), huber() and bceWithLogits() are their formulas", () => {
  const target = [0.5, -1, 3];
  const at = (f: (x: Rows, t: Rows) => Tensor, x: number[]) =>
    differentiate((x) => f(x, constant(target, [3])), x).value;
  const x = [1, -1.25, -2];
  assertClose([at((x, t) => mse(x, t), x)], [(0.25 + 0.0625 + 25) / 3]);
  assertClose([at((x, t) => mae(x, t), x)], [(0.5 + 0.25 + 5) / 3]);
  assertClose([at((x, t) => huber(x, t, 2), x)], [(0.125 + 0.03125 + 2 * 4) / 3]);
  const bce = x.map((v, i) => Math.log(1 + Math.exp(v)) - v * target[i]!).reduce((a, b) => a + b) / 3;
  assertClose([at((x, t) => bceWithLogits(x, t), x)], [bce]);
});

Deno.test("bceWithLogits() of sure and right answers is small, not 0 or infinite", () => {
  const net = model({ x: input([2], "f32") }, ({ x }) => ({ y: bceWithLogits(x, constant([1, 0], [2])) }));
  const { outputs } = runByReference(net.graph, { x: [100, -100] });
  assert.ok(outputs["y"]![0]! > 0 && outputs["y"]![0]! < 1e-40);
});

Deno.test("klDivergence() adds nothing where the target is 0, also in the gradient", () => {
  const f = (x: Rows) => klDivergence(logSoftmax(x), constant([0, 0.25, 0.75], [3]));
  const { value } = differentiate(f, [0, 0, 0]);
  assertClose([value], [0.25 * Math.log(0.25) + 0.75 * Math.log(0.75) + Math.log(3)]);
  differentiate((t) => klDivergence(constant([-1, -2, -3], [3]), t as never), [0.2, 0.3, 0.5]);
});
