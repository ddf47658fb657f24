/** Nothing in the compiler goes through the elements of a tensor. */

import assert from "node:assert/strict";
import { compileGraph } from "../../../compiler/compile.ts";
import { gpuTarget, softwareTarget } from "../../../compiler/target.ts";
import { adam, crossEntropy, gelu, input, linear, model, trainStep } from "../../../mod.ts";

const classifier = () => {
  const x = input(["batch", 32], "f32");
  const y = input(["batch"], "i32");
  const net = model({ x, y }, ({ x, y }) => {
    const hidden = gelu(linear(32, 16)(x));
    return { loss: crossEntropy(linear(16, 10)(hidden), y) };
  });
  return trainStep(net, adam({ rate: 1e-3 })).graph;
};

Deno.test("the time of a compile doesn't grow with a size", () => {
  for (const target of [softwareTarget, gpuTarget]) {
    const wide = { ...target, limits: { ...target.limits, bindingBytes: 2 ** 52, bufferBytes: 2 ** 52 } };
    const timed = (batch: number): number => {
      const began = performance.now();
      compileGraph(classifier(), { target: wide, sizes: { batch } });
      return performance.now() - began;
    };
    const small = timed(1009);
    assert(timed(50_000_017) < 3 * small + 500, target.name);
  }
});
