import assert from "node:assert/strict";
import { compileGraph, policies } from "../../../compiler/compile.ts";
import { softwareTarget } from "../../../compiler/target.ts";
import {
  add,
  batchNorm,
  broadcastTo,
  type FusionPolicy,
  gather,
  gradient,
  groupNorm,
  input,
  type Model,
  model,
  reshape,
  sum,
  type Tensor,
} from "../../../mod.ts";

/** The schedules of the kernels. */
const kernels = (net: Model, policy: FusionPolicy = policies.greedy): string[] =>
  compileGraph(net.graph, { target: softwareTarget, policy }).kernels.map((k) => k.schedule);

const image = input([4, 8, 16, 16], "f32");

for (const policy of [policies.greedy, policies.max, policies.search]) {
  Deno.test(`statistics of channels are not computed for each element they normalize (${policy.name})`, () => {
    const net = model({ x: image }, ({ x }) => ({ y: batchNorm(x) }));
    const found = kernels(net, policy);
    assert(found.length > 1, `${found}`);
  });

  Deno.test(`statistics of groups within an axis are not computed for each element (${policy.name})`, () => {
    const net = model({ x: input([64, 32], "f32") }, ({ x }) => ({ y: groupNorm(x, 4) }));
    const found = kernels(net, policy);
    assert(found.length > 1, `${found}`);
  });
}

Deno.test("a sum over rows that are repeated needs no copy of them", () => {
  const net = model({ x: input([4, 1, 8], "f32"), b: input([12], "f32") }, ({ x, b }) => {
    const rows = reshape(broadcastTo(x, [4, 3, 8]), [12, 8]);
    return { y: sum(rows, 1), z: add(sum(rows, 1), b) as Tensor };
  });
  for (const policy of [policies.none, policies.greedy]) {
    assert.deepEqual(kernels(net, policy).length, 2);
  }
});

Deno.test("an op by itself is a kernel under every policy, with a number that it reads: the gradient of a gather's sum", () => {
  const net = model({ x: input([4, 4], "f32"), at: input([5], "i32") }, ({ x, at }) => {
    const [slope] = gradient(sum(gather(x, at, 1)), [x]);
    return { slope: slope! };
  });
  for (const policy of Object.values(policies)) {
    assert(kernels(net, policy).length > 0, policy.name);
  }
});
