/** What ONNX Runtime Web is measured with: graphs of operators that inference has, which express some gradients too. */

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Graph, type Node, onnxModel } from "./onnx.ts";
import { type HostTensor, measure, type Package, type Prepared, type Tensors } from "./program.ts";

const node = (
  op: string,
  inputs: string,
  outputs: string,
  attributes: Node["attributes"] = {},
  domain = "",
): Node => ({ op, inputs: inputs.split(" "), outputs: outputs.split(" "), attributes, domain });

/** A graph that takes these of a workload's tensors. */
const graphOf = (
  tensors: Tensors,
  inputs: string,
  nodes: readonly Node[],
  outputs: Graph["outputs"],
  constants: Graph["constants"] = {},
): Graph => ({
  nodes,
  inputs: Object.fromEntries(inputs.split(" ").map((name) => [name, (tensors[name] as HostTensor).shape])),
  outputs,
  constants,
});

const graphs: Readonly<Record<string, (tensors: Tensors) => Graph>> = {
  matmul_nt: (t) =>
    graphOf(t, "a b", [node("Transpose", "b", "turned"), node("MatMul", "a turned", "y")], { y: [512, 512] }),
  matmul_tn: (t) => graphOf(t, "a b", [node("Gemm", "a b", "y", { transA: 1 })], { y: [512, 512] }),
  softmax_backward: (t) =>
    graphOf(
      t,
      "s g",
      [
        node("Mul", "g s", "product"),
        node("ReduceSum", "product last", "along", { keepdims: 1 }),
        node("Mul", "along s", "part"),
        node("Sub", "product part", "y"),
      ],
      { y: t.s!.shape },
      { last: [-1] },
    ),
  layer_norm_backward: (t) =>
    graphOf(
      t,
      "x g dy",
      [
        node("ReduceMean", "x last", "mean", { keepdims: 1 }),
        node("Sub", "x mean", "centered"),
        node("Mul", "centered centered", "squares"),
        node("ReduceMean", "squares last", "variance", { keepdims: 1 }),
        node("Add", "variance epsilon", "shifted"),
        node("Sqrt", "shifted", "deviation"),
        node("Div", "centered deviation", "normal"),
        node("Mul", "dy g", "d"),
        node("Mul", "d normal", "d_normal"),
        node("ReduceMean", "d last", "plain", { keepdims: 1 }),
        node("ReduceMean", "d_normal last", "along", { keepdims: 1 }),
        node("Mul", "normal along", "part"),
        node("Sub", "d plain", "d_plain"),
        node("Sub", "d_plain part", "left"),
        node("Div", "left deviation", "y"),
        node("Mul", "dy normal", "dy_normal"),
        node("ReduceSum", "dy_normal first", "dg", { keepdims: 0 }),
        node("ReduceSum", "dy first", "db", { keepdims: 0 }),
      ],
      { y: t.x!.shape, dg: t.g!.shape, db: t.g!.shape },
      { last: [-1], first: [0], epsilon: 1e-5 },
    ),
  conv_by_data: (t) =>
    graphOf(t, "dy w", [node("ConvTranspose", "dy w", "y", { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })], {
      y: t.x!.shape,
    }),
  conv_by_weights: (t) =>
    graphOf(t, "x dy", [
      node("Transpose", "x", "xt", { perm: [1, 0, 2, 3] }),
      node("Transpose", "dy", "dyt", { perm: [1, 0, 2, 3] }),
      node("Conv", "xt dyt", "yt", { kernel_shape: [56, 56], pads: [1, 1, 1, 1] }),
      node("Transpose", "yt", "y", { perm: [1, 0, 2, 3] }),
    ], { y: t.w!.shape }),
  attention: (t) =>
    graphOf(
      t,
      "q k v",
      [node("MultiHeadAttention", "q k v", "y", { num_heads: 1, unidirectional: 1 }, "com.microsoft")],
      { y: t.q!.shape },
    ),
};

await measure("ort-web", async (workload, tensors, folder): Promise<Prepared | undefined> => {
  const graph = graphs[workload]?.(tensors);
  if (!graph) return undefined;
  const dist = pathToFileURL(join(folder, "node_modules/onnxruntime-web/dist/")).href;
  const ort = await import(`${dist}ort.jspi.bundle.min.mjs`) as Package;
  ort.env.wasm.wasmPaths = dist;
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const session = await ort.InferenceSession.create(onnxModel(graph), {
    executionProviders: ["webgpu"],
    graphOptimizationLevel: "all",
    preferredOutputLocation: "gpu-buffer",
  });
  const device = await ort.env.webgpu.device as GPUDevice;
  const feeds: Record<string, Package> = {};
  for (const name of Object.keys(graph.inputs)) {
    const { data, shape } = tensors[name]!;
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    // ONNX Runtime asks for multiples of 16 bytes.
    const size = Math.ceil(data.byteLength / 16) * 16;
    const buffer = device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST });
    device.queue.writeBuffer(buffer, 0, data);
    feeds[name] = ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: shape });
  }
  return {
    async run() {
      for (const y of Object.values<Package>(await session.run(feeds))) y.dispose();
    },
    wait: () => device.queue.onSubmittedWorkDone().then(() => {}),
    async read() {
      const outputs: Record<string, Float32Array> = {};
      for (const [name, y] of Object.entries<Package>(await session.run(feeds))) {
        outputs[name] = await y.getData();
      }
      return outputs;
    },
  };
});
