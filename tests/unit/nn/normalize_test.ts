import assert from "node:assert/strict";
import {
  groupNorm,
  input,
  layerNorm,
  model,
  mul,
  nn,
  rmsNorm,
  type Shape,
  sum,
  type Tensor,
} from "../../../mod.ts";
import { assertClose, differentiate, noise } from "../../support/differentiate.ts";
import { runByReference } from "../../support/run_by_reference.ts";

type Rows = Tensor<Shape, "f32">;

const run = (f: (x: Rows) => Tensor, x: number[], shape: readonly number[]) => {
  const net = model({ x: input(shape, "f32") }, ({ x }) => ({ y: f(x) }));
  return [...runByReference(net.graph, { x }).outputs["y"]!];
};

function standardized(row: number[], epsilon = 1e-5): number[] {
  const mean = row.reduce((a, b) => a + b) / row.length;
  const variance = row.reduce((t, x) => t + (x - mean) ** 2, 0) / row.length;
  return row.map((x) => (x - mean) / Math.sqrt(variance + epsilon));
}

Deno.test("layerNorm() makes mean 0 and variance 1 of every row", () => {
  const x = noise(8);
  assertClose(run((x) => layerNorm(x), x, [2, 4]), [
    ...standardized(x.slice(0, 4)),
    ...standardized(x.slice(4)),
  ]);
});

Deno.test("layerNorm() keeps its digits where the mean is large", () => {
  const x = noise(4).map((v) => v + 1e6);
  assertClose(run((x) => layerNorm(x), x, [4]), standardized(x));
});

Deno.test("rmsNorm() divides by the root mean square", () => {
  const x = noise(4);
  const root = Math.sqrt(x.reduce((t, v) => t + v * v, 0) / 4 + 1e-5);
  assertClose(run((x) => rmsNorm(x), x, [1, 4]), x.map((v) => v / root));
});

Deno.test("groupNorm() takes channels and positions of a group together", () => {
  const x = noise(16);
  const expected = [0, 4, 8, 12].flatMap((at) => standardized(x.slice(at, at + 4)));
  assertClose(run((x) => groupNorm(x, 2), x, [2, 4, 2]), expected);
});

Deno.test("gradients of the norms are what differences say", () => {
  const weighted = (y: Tensor, x: Tensor) => sum(mul(mul(y, x), x));
  differentiate((x) => weighted(layerNorm(x), x), noise(8), [2, 4]);
  differentiate((x) => weighted(rmsNorm(x), x), noise(8), [2, 4]);
  differentiate((x) => weighted(groupNorm(x, 2), x), noise(16), [2, 4, 2]);
});

Deno.test("nn.batchNorm() uses the batch in training and what it remembers elsewhere", () => {
  const net = model({ x: input([3, 2], "f32") }, ({ x }) => ({ y: nn.batchNorm(2, { momentum: 0.5 })(x) }));
  const x = noise(6);
  const column = (c: number) => [x[c]!, x[c + 2]!, x[c + 4]!];
  const mean = (row: number[]) => row.reduce((a, b) => a + b) / row.length;
  const trained = runByReference(net.inTraining().graph, { x });
  const [left, right] = [standardized(column(0)), standardized(column(1))];
  assertClose(trained.outputs["y"]!, [0, 1, 2].flatMap((i) => [left[i]!, right[i]!]));
  const unbiased = (row: number[]) => row.reduce((t, v) => t + (v - mean(row)) ** 2, 0) / 2;
  assertClose(trained.states["batchNorm/mean"]!, [0, 1].map((c) => 0.5 * mean(column(c))));
  assertClose(trained.states["batchNorm/variance"]!, [0, 1].map((c) => 0.5 + 0.5 * unbiased(column(c))));
  const fresh = runByReference(net.graph, { x });
  assertClose(fresh.outputs["y"]!, x.map((v) => v / Math.sqrt(1 + 1e-5)));
  assert.equal(net.graph.writes.length, 0);
});
