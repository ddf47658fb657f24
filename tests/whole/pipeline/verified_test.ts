/** Every kernel of every compile is proven, and so is each use of it. */

import assert from "node:assert/strict";
import { compileGraph } from "../../../compiler/compile.ts";
import { verifyKernels } from "../../../compiler/schedule/verify.ts";
import { gpuTarget, softwareTarget, testTarget } from "../../../compiler/target.ts";
import { add, input, mean, model, nn, relu, sgd, square, type Tensor, trainStep } from "../../../mod.ts";
import { cpuTarget } from "../../../runtime/targets.ts";

type Scalar = Tensor<readonly [], "f32">;

const sum = () => {
  const net = model({ x: input([40], "f32"), y: input([40], "f32") }, ({ x, y }) => ({ z: add(x, y) }));
  return compileGraph(net.graph, { target: testTarget }).kernels;
};

Deno.test("what a compile made keeps what its proof relies on", () => {
  verifyKernels(sum(), testTarget);
});

Deno.test("a buffer shorter than the kernel declares is refused, and the kernel is named", () => {
  const kernels = sum().map((k) => ({ ...k, buffers: k.buffers.map((b) => ({ ...b, size: b.size - 1 })) }));
  assert.throws(() => verifyKernels(kernels, testTarget), /in "add", the buffer .* has 39 elements of 40/);
});

Deno.test("a kernel that may leave a buffer is refused, and named", () => {
  const kernels = sum().map((k) => ({
    ...k,
    kernel: { ...k.kernel, buffers: k.kernel.buffers.map((b) => ({ ...b, size: b.size - 1 })) },
  }));
  assert.throws(() => verifyKernels(kernels, testTarget), /in "add", the index lies in/);
});

Deno.test("training steps of strided, dilated, grouped and transposed convolutions prove on every target", () => {
  const nets = [
    [[3, 33, 31], (x: Tensor) => nn.conv(3, 8, [5, 5], { stride: [2, 3], padding: 2 })(x as never)],
    [[4, 28, 28], (x: Tensor) => nn.conv(4, 8, [3, 3], { dilation: [2, 3], padding: 2 })(x as never)],
    [[8, 8, 8], (x: Tensor) => nn.convTranspose(8, 16, [3, 3], { stride: 2, padding: 1 })(x as never)],
    [[4, 4, 5, 6], (x: Tensor) => nn.convTranspose(4, 6, [3, 3, 3], { stride: 2, padding: 1 })(x as never)],
    [
      [4, 10, 13, 12],
      (x: Tensor) => nn.conv(4, 8, [2, 3, 3], { stride: 2, groups: 2, padding: 1 })(x as never),
    ],
  ] as const;
  for (const [shape, layer] of nets) {
    const net = model({ x: input([5, ...shape] as number[], "f32") }, ({ x }) => ({
      loss: mean(square(relu(layer(x) as Tensor))) as Scalar,
    }));
    const step = trainStep(net, sgd({ rate: 0.1, momentum: 0.9 }));
    for (const target of [testTarget, softwareTarget, gpuTarget, cpuTarget]) {
      compileGraph(step.graph, { target });
    }
  }
});
