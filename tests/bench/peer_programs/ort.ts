/** ONNX Runtime Web, on its WebGPU kernels alone. */

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Graph, onnxModel } from "./onnx.ts";
import { ortGraphs } from "./ort_graphs.ts";
import { measure, type Package, type Prepared } from "./program.ts";

await measure("ort-web", async (workload, tensors, folder): Promise<Prepared> => {
  const shapes = Object.entries(tensors).map(([name, { shape }]) => [name, shape]);
  const made = ortGraphs[workload](Object.fromEntries(shapes));
  const dist = pathToFileURL(join(folder, "node_modules/onnxruntime-web/dist/")).href;
  const ort = await import(`${dist}ort.jspi.bundle.min.mjs`) as Package;
  ort.env.wasm.wasmPaths = dist;
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const load = (graph: Graph) =>
    ort.InferenceSession.create(onnxModel(graph), {
      executionProviders: ["webgpu"],
      graphOptimizationLevel: "all",
      preferredOutputLocation: "gpu-buffer",
      // What WebGPU has no kernel for would run in WebAssembly, and its operands would travel.
      extra: { session: { disable_cpu_ep_fallback: "1" } },
    });
  const session = await load(made.graph);
  const device = await ort.env.webgpu.device as GPUDevice;
  const given: Record<string, Package> = {};
  for (const [name, { data, shape }] of Object.entries(tensors)) {
    const { STORAGE, COPY_SRC, COPY_DST } = GPUBufferUsage;
    // It asks for multiples of 16 bytes.
    const size = Math.ceil(data.byteLength / 16) * 16;
    const buffer = device.createBuffer({ size, usage: STORAGE | COPY_SRC | COPY_DST });
    device.queue.writeBuffer(buffer, 0, data);
    given[name] = ort.Tensor.fromGpuBuffer(buffer, { dataType: "float32", dims: shape });
  }
  const feedsOf = ({ inputs }: Graph) =>
    Object.fromEntries(Object.keys(inputs).map((name) => [name, given[name]]));
  if (made.before) Object.assign(given, await (await load(made.before)).run(feedsOf(made.before)));
  const feeds = feedsOf(made.graph);
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
