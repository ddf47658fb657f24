/** What TensorFlow.js is measured with: each workload a few of its operations, gradients written out. */

import { type HostTensor, measure, type Package, packagesOf, type Prepared } from "./program.ts";
import type { PeerWorkload } from "../workloads/workload.ts";

await measure("tfjs", async (workload, tensors, folder): Promise<Prepared> => {
  const load = packagesOf(folder);
  const tf = load("@tensorflow/tfjs-core");
  load("@tensorflow/tfjs-backend-webgpu");
  if (!await tf.setBackend("webgpu")) throw new Error("there is no WebGPU backend");
  await tf.ready();
  const program = programs(tf)[workload];
  const given: Record<string, Package> = {};
  for (const [name, { shape, data }] of Object.entries<HostTensor>(tensors)) {
    given[name] = tf.tensor(data, shape);
  }
  const { run, read = (outputs) => outputs } = program(given);
  const backend = tf.backend();
  return {
    run() {
      tf.dispose(tf.tidy(run));
    },
    async wait() {
      backend.endComputePassEncoder();
      if (backend.commandEncoder) backend.submitQueue();
      await backend.queue.onSubmittedWorkDone();
    },
    async read() {
      const outputs: Record<string, Float32Array> = {};
      for (const [name, y] of Object.entries<Package>(tf.tidy(() => read(run())))) {
        outputs[name] = await y.data();
      }
      return outputs;
    },
  };
});

type Named = Readonly<Record<string, Package>>;

interface Program {
  readonly run: () => Named;
  /** From the peer's layout to the workload's; not part of what is timed. */
  readonly read?: (outputs: Named) => Named;
}

function programs(tf: Package): Readonly<Record<PeerWorkload, (t: Named) => Program>> {
  const channelsLast = (x: Package) => tf.keep(tf.tidy(() => tf.transpose(x, [0, 2, 3, 1])));
  const channelsFirst = (x: Package) => tf.transpose(x, [0, 3, 1, 2]);
  const weights = (q: Package, k: Package, mask: Package) => {
    const scaled = tf.mul(q, 1 / Math.sqrt(q.shape[2]));
    return tf.softmax(tf.add(tf.matMul(scaled, k, false, true), mask), -1);
  };
  const causalMask = (n: number) => {
    const mask = new Float32Array(n * n);
    for (let i = 0; i < n; i++) mask.fill(-1e9, i * n + i + 1, (i + 1) * n);
    return tf.tensor(mask, [n, n]);
  };
  return {
    matmul_nt: ({ a, b }) => ({ run: () => ({ y: tf.matMul(a, b, false, true) }) }),
    matmul_tn: ({ a, b }) => ({ run: () => ({ y: tf.matMul(a, b, true, false) }) }),
    softmax_backward: ({ s, g }) => ({
      run() {
        const product = tf.mul(g, s);
        return { y: tf.sub(product, tf.mul(tf.sum(product, -1, true), s)) };
      },
    }),
    layer_norm_backward: ({ x, g, dy }) => ({
      run() {
        const centered = tf.sub(x, tf.mean(x, -1, true));
        const inverse = tf.rsqrt(tf.add(tf.mean(tf.square(centered), -1, true), 1e-5));
        const normal = tf.mul(centered, inverse);
        const d = tf.mul(dy, g);
        const along = tf.mean(tf.mul(d, normal), -1, true);
        const y = tf.mul(tf.sub(tf.sub(d, tf.mean(d, -1, true)), tf.mul(normal, along)), inverse);
        return { y, dg: tf.sum(tf.mul(dy, normal), 0), db: tf.sum(dy, 0) };
      },
    }),
    // By the kernel of its own gradient, in the layout it prefers. Its other one, by matrices, takes twice as
    // long, and `conv2d` of a flipped kernel a third longer.
    conv_by_data({ dy, w }) {
      const [n, , height, width] = dy.shape;
      const gradient = channelsLast(dy);
      const filter = tf.transpose(w, [2, 3, 1, 0]);
      return {
        run: () => ({ y: tf.conv2dTranspose(gradient, filter, [n, height, width, w.shape[1]], 1, "same") }),
        read: ({ y }) => ({ y: channelsFirst(y) }),
      };
    },
    // As a convolution of the images by the results, which is a little faster than the kernel of its own
    // gradient.
    conv_by_weights({ x, dy }) {
      const [images, results] = [tf.transpose(x, [1, 2, 3, 0]), tf.transpose(dy, [2, 3, 0, 1])];
      return {
        run: () => ({ y: tf.conv2d(images, results, 1, 1) }),
        read: ({ y }) => ({ y: tf.transpose(y, [3, 0, 1, 2]) }),
      };
    },
    attention({ q, k, v }) {
      const mask = causalMask(q.shape[1]);
      return { run: () => ({ y: tf.matMul(weights(q, k, mask), v) }) };
    },
    // From the result, and the weights, which its forward pass would have kept.
    attention_backward({ q, k, v, o, dy }) {
      const scale = 1 / Math.sqrt(q.shape[2]);
      const p = tf.tidy(() => weights(q, k, causalMask(q.shape[1])));
      return {
        run() {
          const along = tf.sum(tf.mul(dy, o), -1, true);
          const slopes = tf.mul(p, tf.sub(tf.matMul(dy, v, false, true), along));
          return {
            y: tf.mul(tf.matMul(slopes, k), scale),
            dk: tf.mul(tf.matMul(slopes, q, true, false), scale),
            dv: tf.matMul(p, dy, true, false),
          };
        },
      };
    },
  };
}
