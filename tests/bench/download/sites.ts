/**
 * A page per library that runs one network, with everything that it downloads: what an application that wants to be small
 * would serve.
 * @module
 */

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { buildBundle } from "../../../runtime/bundle/build.ts";
import type { Layer, Network, Weights } from "./networks.ts";

/** Files by path; the page is index.html, and leaves `{ ms, values }` in `globalThis.result`, or `{ error }`. */
export type Site = ReadonlyMap<string, readonly Uint8Array[] | string>;

export interface Library {
  readonly name: string;
  site(network: Network): Promise<Site>;
}

/** The libraries, those of other people from a folder with their packages installed. */
export function libraries(peers: string | undefined): readonly Library[] {
  const weft: Library = { name: "Weft", site: weftSite };
  if (peers === undefined) return [weft];
  return [
    weft,
    { name: "ONNX Runtime Web", site: (network) => ortSite(network, peers) },
    { name: "TensorFlow.js", site: (network) => tfSite(network, peers) },
  ];
}

/** The time counts from where the browser went to the page until numbers are there. */
const page = (head: string, script: string, { input }: Network) =>
  `<!doctype html><meta charset="utf-8"><title>Cold</title>${head}
<script type="module">
  const input = new Float32Array(await (await fetch("./input.bin")).arrayBuffer());
  const shape = ${JSON.stringify(input.shape)};
  try {
    const values = await (async () => {
      ${script}
    })();
    globalThis.result = { ms: performance.now(), values: [...values] };
  } catch (error) {
    globalThis.result = { error: String(error?.message ?? error) };
  }
</script>`;

const inputFile = ({ input: { data } }: Network) => [new Uint8Array(data.buffer as ArrayBuffer)];

async function weftSite(network: Network): Promise<Site> {
  const { input, output, model } = network;
  const { files } = await buildBundle(model, { name: "net", sizes: { batch: 1 }, selfTest: false });
  const script = `
      const { load } = await import("./dist/index.js");
      const bundle = await load();
      return (await bundle.run({ ${input.name}: input })).${output};`;
  return new Map<string, readonly Uint8Array[] | string>([
    ...[...files].map(([name, file]) => [`dist/${name}`, file as readonly Uint8Array[]] as const),
    ["input.bin", inputFile(network)],
    ["index.html", page("", script, network)],
  ]);
}

/** The build for engines whose WebAssembly can wait for promises: of those that know WebGPU, the smallest. */
async function ortSite(network: Network, peers: string): Promise<Site> {
  const dist = join(peers, "node_modules/onnxruntime-web/dist");
  const names = ["ort.jspi.min.mjs", "ort-wasm-simd-threaded.jspi.mjs", "ort-wasm-simd-threaded.jspi.wasm"];
  const files = await Promise.all(
    names.map(async (name) => [name, [await Deno.readFile(join(dist, name))]] as const),
  );
  const script = `
      const ort = await import("./ort.jspi.min.mjs");
      ort.env.wasm.numThreads = 1;
      ort.env.wasm.wasmPaths = new URL("./", location.href).href;
      const session = await ort.InferenceSession.create("./model.onnx", { executionProviders: ["webgpu"] });
      const { y } = await session.run({ x: new ort.Tensor("float32", input, shape) });
      return await y.getData();`;
  return new Map<string, readonly Uint8Array[] | string>([
    ...files,
    ["model.onnx", [await onnxModel(network, peers)]],
    ["input.bin", inputFile(network)],
    ["index.html", page("", script, network)],
  ]);
}

async function onnxModel({ input, layers }: Network, peers: string): Promise<Uint8Array> {
  const { model, node, f32const, i64const } = await import(pathToFileURL(join(peers, "onnxgen.mjs")).href);
  const [nodes, constants]: [unknown[], unknown[]] = [[], []];
  let last = "x";
  const put = (op: string, inputs: readonly string[], attributes: object = {}) => {
    const name = `t${nodes.length}`;
    nodes.push(node(op, [last, ...inputs], [name], attributes));
    last = name;
  };
  const stored = ({ shape, data }: Weights): string => {
    constants.push(f32const(`c${constants.length}`, data, shape));
    return `c${constants.length - 1}`;
  };
  for (const layer of layers) {
    if (layer.kind === "linear") {
      put("Gemm", [stored(layer.weight), stored(layer.bias)]);
      if (layer.relu) put("Relu", []);
    } else if (layer.kind === "conv") {
      const { weight, stride } = layer;
      put("Conv", [stored(weight), stored(layer.bias)], {
        auto_pad: "SAME_UPPER",
        kernel_shape: weight.shape.slice(2),
        strides: [stride, stride],
      });
      put("Relu", []);
    } else if (layer.kind === "flatten") {
      constants.push(i64const(`c${constants.length}`, [1, layer.shape.reduce((n, d) => n * d, 1)]));
      put("Reshape", [`c${constants.length - 1}`]);
    } else put("Softmax", [], { axis: 1 });
  }
  nodes.push(node("Identity", [last], ["y"]));
  return model(nodes, [["x", input.shape]], [["y", [1, 10]]], constants);
}

/** Core and the WebGPU backend alone: no layers, no converter, no second backend. The model is a few lines of the page. */
async function tfSite(network: Network, peers: string): Promise<Site> {
  const { layers, input } = network;
  const scripts = [
    ["tf-core.js", "tfjs-core/dist/tf-core.es2017.min.js"],
    ["tf-backend-webgpu.js", "tfjs-backend-webgpu/dist/tf-backend-webgpu.es2017.min.js"],
  ] as const;
  const files = await Promise.all(
    scripts.map(async ([name, path]) =>
      [name, [await Deno.readFile(join(peers, "node_modules/@tensorflow", path))]] as const
    ),
  );
  const parts: Float32Array[] = [];
  let at = 0;
  const stored = ({ shape, data }: Weights): string => {
    parts.push(data);
    at += data.length;
    return `weight(${at - data.length}, ${JSON.stringify(shape)})`;
  };
  const lines = layers.map((layer, i) => {
    if (layer.kind === "linear") {
      const y = `tf.add(tf.matMul(t, ${stored(afterFlatten(layers, i))}), ${stored(layer.bias)})`;
      return `t = ${layer.relu ? `tf.relu(${y})` : y};`;
    }
    if (layer.kind === "conv") {
      const { weight, bias, stride } = layer;
      return `t = tf.relu(tf.add(tf.conv2d(t, ${stored(channelsLast(weight))}, ${stride}, "same"), ${
        stored(bias)
      }));`;
    }
    if (layer.kind === "flatten") return "t = tf.reshape(t, [1, -1]);";
    return "t = tf.softmax(t);";
  });
  const [n, c, h, w] = input.shape;
  const shape = input.shape.length === 4 ? [n, h, w, c] : input.shape; // one channel: the order of elements is the same
  const script = `
      await tf.setBackend("webgpu");
      await tf.ready();
      const weights = await (await fetch("./weights.bin")).arrayBuffer();
      const weight = (at, shape) => tf.tensor(new Float32Array(weights, 4 * at, shape.reduce((n, d) => n * d, 1)), shape);
      let t = tf.tensor(input, ${JSON.stringify(shape)});
      ${lines.join("\n      ")}
      return await t.data();`;
  const head = scripts.map(([name]) => `<script src="${name}"></script>`).join("");
  return new Map<string, readonly Uint8Array[] | string>([
    ...files,
    [
      "weights.bin",
      parts.map((part) => new Uint8Array(part.buffer as ArrayBuffer, part.byteOffset, part.byteLength)),
    ],
    ["input.bin", inputFile(network)],
    ["index.html", page(head, script, network)],
  ]);
}

/** [outputs, inputs, height, width] → [height, width, inputs, outputs] */
function channelsLast({ shape, data }: Weights): Weights {
  const [o, c, h, w] = shape as [number, number, number, number];
  const out = new Float32Array(data.length);
  for (let n = 0; n < data.length; n++) {
    const [x, y, i, k] = [
      n % w,
      Math.floor(n / w) % h,
      Math.floor(n / (w * h)) % c,
      Math.floor(n / (w * h * c)),
    ];
    out[((y * w + x) * c + i) * o + k] = data[n]!;
  }
  return { shape: [h, w, c, o], data: out };
}

/** A linear layer's weight, its rows in the order in which a flattened image with channels last has them. */
function afterFlatten(layers: readonly Layer[], at: number): Weights {
  const { weight } = layers[at] as Layer & { kind: "linear" };
  const before = layers[at - 1];
  if (before?.kind !== "flatten") return weight;
  const [channels, height, width] = before.shape;
  const [rows, columns] = weight.shape as [number, number];
  const out = new Float32Array(weight.data.length);
  for (let row = 0; row < rows; row++) {
    const [channel, place] = [Math.floor(row / (height * width)), row % (height * width)];
    const to = place * channels + channel;
    out.set(weight.data.subarray(row * columns, (row + 1) * columns), to * columns);
  }
  return { shape: weight.shape, data: out };
}
