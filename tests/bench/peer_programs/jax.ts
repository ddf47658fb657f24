/**
 * What jax-js is measured with: each workload one function under `jit`. Values are used up by what they go
 * into.
 */

import { measure, type Package, packagesOf, type Prepared } from "./program.ts";
import type { PeerWorkload } from "../workloads/workload.ts";

await measure("jax-js", async (workload, tensors, folder): Promise<Prepared> => {
  const jax = packagesOf(folder)("@jax-js/jax");
  await jax.init("webgpu");
  jax.defaultDevice("webgpu");
  const program = programs(jax)[workload];
  const given: Record<string, Package> = {};
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    given[name] = jax.numpy.array(data).reshape(shape);
  }
  const { names, f, inputs } = program(given);
  await jax.blockUntilReady(inputs);
  const compiled = jax.jit(f);
  const run = () => compiled(...inputs.map((x: Package) => x.ref)) as Package[];
  let begun: Promise<void>[] = [];
  return {
    run() {
      const outputs = run();
      // This is what submits.
      begun.push(jax.blockUntilReady(outputs).then(() => jax.tree.dispose(outputs)));
      return Promise.resolve();
    },
    async wait() {
      await Promise.all(begun);
      begun = [];
    },
    async read() {
      const outputs = await Promise.all(run().map((y) => y.data()));
      return Object.fromEntries(outputs.map((y, i) => [names[i]!, new Float32Array(y)]));
    },
  };
});

interface Program {
  readonly inputs: readonly Package[];
  readonly f: (...inputs: Package[]) => Package[];
  /** Of the outputs. */
  readonly names: readonly string[];
}

function programs(
  { numpy: np, nn, lax, vjp, jit }: Package,
): Readonly<Record<PeerWorkload, (t: Readonly<Record<string, Package>>) => Program>> {
  const backward = (f: (x: Package) => Package, x: Package, cotangent: Package): Package[] => {
    const [y, pullback] = vjp(f, [x]);
    y.dispose();
    const gradients = pullback(cotangent);
    pullback.dispose();
    return gradients;
  };
  const weights = (q: Package, k: Package) => {
    const [, n, size] = q.shape;
    const scores = np.matmul(q, k.transpose([0, 2, 1])).mul(1 / Math.sqrt(size));
    return nn.softmax(np.where(np.tri(n, n, 0, { dtype: "bool" }), scores, -Infinity), -1);
  };
  return {
    matmul_nt: ({ a, b }) => ({
      inputs: [a, b],
      f: (a, b) => [np.matmul(a, b.transpose())],
      names: ["y"],
    }),
    matmul_tn: ({ a, b }) => ({
      inputs: [a, b],
      f: (a, b) => [np.matmul(a.transpose(), b)],
      names: ["y"],
    }),
    softmax_backward: ({ s, g }) => ({
      inputs: [s, g],
      f: (s, g) => [s.ref.mul(g.ref.sub(s.mul(g).sum(-1, { keepdims: true })))],
      names: ["y"],
    }),
    // Written out: what `vjp` makes of a layer norm takes a quarter longer.
    layer_norm_backward: ({ x, g, dy }) => ({
      inputs: [x, g, dy],
      f(x, g, dy) {
        const centered = x.ref.sub(x.mean(-1, { keepdims: true }));
        const variance = np.square(centered.ref).mean(-1, { keepdims: true });
        const inverse = np.reciprocal(np.sqrt(variance.add(1e-5)));
        const normal = centered.mul(inverse.ref);
        const d = dy.ref.mul(g);
        const along = d.ref.mul(normal.ref).mean(-1, { keepdims: true });
        const dx = d.ref.sub(d.mean(-1, { keepdims: true })).sub(normal.ref.mul(along)).mul(inverse);
        return [dx, dy.ref.mul(normal).sum(0), dy.sum(0)];
      },
      names: ["y", "dg", "db"],
    }),
    // The forward convolution is dead code under `jit`, and a flipped kernel by hand is no faster.
    conv_by_data: ({ dy, w, x }) => ({
      inputs: [dy, w, x],
      f: (dy, w, x) => backward((x) => lax.conv(x, w, [1, 1], "SAME"), x, dy),
      names: ["y"],
    }),
    conv_by_weights: ({ x, dy, w }) => ({
      inputs: [x, dy, w],
      f: (x, dy, w) => backward((w) => lax.conv(x, w, [1, 1], "SAME"), w, dy),
      names: ["y"],
    }),
    // Heads are images here: their own axis would have to lie between positions and features.
    attention: ({ q, k, v }) => ({
      inputs: [q, k, v],
      f(q, k, v) {
        const [heads, positions, size] = q.shape;
        const alone = (x: Package) => x.reshape([heads, positions, 1, size]);
        return [nn.dotProductAttention(alone(q), alone(k), alone(v), { isCausal: true })];
      },
      names: ["y"],
    }),
    // From the result, and the weights, which its forward pass would have kept; `along` is also their sum
    // times `dp`.
    attention_backward: ({ q, k, v, o, dy }) => ({
      inputs: [jit(weights)(q.ref, k.ref), q, k, v, o, dy],
      f: (p, q, k, v, o, dy) => {
        const scale = 1 / Math.sqrt(q.shape[2]);
        const dp = np.matmul(dy.ref, v.transpose([0, 2, 1]));
        const along = dy.ref.mul(o).sum(-1, { keepdims: true });
        const slopes = p.ref.mul(dp.sub(along));
        return [
          np.matmul(slopes.ref, k).mul(scale),
          np.matmul(slopes.transpose([0, 2, 1]), q).mul(scale),
          np.matmul(p.transpose([0, 2, 1]), dy),
        ];
      },
      names: ["y", "dk", "dv"],
    }),
  };
}
