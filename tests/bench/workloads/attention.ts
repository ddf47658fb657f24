/** Causal attention, and its gradients from what the forward pass keeps: the result and the log-sum-exp of each row. */

import { attention } from "../../../mod.ts";
import { attentionBackward } from "../../../ops/nn/attention_backward.ts";
import { attentionByHand } from "../by_hand/attention.ts";
import { attentionBackwardByHand } from "../by_hand/attention_backward.ts";
import { unfusedAttentionBackwardByHand } from "../by_hand/attention_backward_unfused.ts";
import { unfusedAttentionByHand } from "../by_hand/attention_unfused.ts";
import { type Floats, onDevice, resident, type Workload } from "./workload.ts";

const [heads, positions, size] = [8, 1024, 64];
const shape = [heads, positions, size];
/** Pairs of a query and a key that it sees. */
const pairs = heads * positions * (positions + 1) / 2;
const scale = 1 / Math.sqrt(size);

const operands = () => ({ q: resident(shape, 21), k: resident(shape, 22), v: resident(shape, 23) });
type Operands = ReturnType<typeof operands>;

/** The product of row a of x and row b of y. */
function dot(x: Float32Array, a: number, y: Float32Array, b: number): number {
  let total = 0;
  for (let e = 0; e < size; e++) total += x[a * size + e]! * y[b * size + e]!;
  return total;
}

/** The weights of a query (its number counts through the heads), the first of its keys, and the log-sum-exp. */
function weigh({ q, k }: Operands, query: number) {
  const firstKey = query - query % positions;
  const scores = Float64Array.from(
    { length: query - firstKey + 1 },
    (_, j) => dot(q.data, query, k.data, firstKey + j) * scale,
  );
  const most = scores.reduce((a, b) => Math.max(a, b));
  const lse = most + Math.log(scores.reduce((s, x) => s + Math.exp(x - most), 0));
  return { firstKey, lse, weights: scores.map((x) => Math.exp(x - lse)) };
}

/** One number of the result. */
function attended({ v }: Operands, { firstKey, weights }: ReturnType<typeof weigh>, e: number): number {
  return weights.reduce((sum, w, j) => sum + w * v.data[(firstKey + j) * size + e]!, 0);
}

export function causalAttention(): Workload {
  const tensors = operands();
  return {
    flop: 4 * pairs * size,
    tensors,
    model: onDevice(tensors, ({ q, k, v }) => ({ y: attention(q!, k!, v!, { causal: true }) as Floats })),
    byHand: () => attentionByHand({ heads, positions, size, perLane: 16, block: 16 }),
    elements: { y: (i) => attended(tensors, weigh(tensors, Math.floor(i / size)), i % size) },
  };
}

/** Weft's one kernel beside three for each `strip` of queries, which keep its scores in memory. */
export const causalAttentionBesideThree = (strip = positions): Workload => ({
  ...causalAttention(),
  byHand: () => unfusedAttentionByHand({ heads, positions, size, rows: 128, strip }),
});

/** `y` is the gradient by q. Five products over the pairs are needed, and seven are done, so that no matrix of them is kept. */
export function causalAttentionBackward(): Workload {
  const given = operands();
  const o = resident(shape, 0, 0, 0);
  const lse = resident([heads, positions], 0, 0, 0);
  for (let query = 0; query < heads * positions; query++) {
    const row = weigh(given, query);
    lse.data[query] = row.lse;
    const sums = new Float64Array(size);
    row.weights.forEach((w, j) => {
      for (let e = 0; e < size; e++) sums[e]! += w * given.v.data[(row.firstKey + j) * size + e]!;
    });
    o.data.set(sums, query * size);
  }
  const tensors = { ...given, o, lse, dy: resident(shape, 24) };
  const weight = (query: number, key: number) =>
    Math.exp(dot(given.q.data, query, given.k.data, key) * scale - lse.data[query]!);
  const slope = (query: number, key: number) =>
    scale * weight(query, key) *
    (dot(tensors.dy.data, query, given.v.data, key) - dot(tensors.dy.data, query, o.data, query));
  /** The sum over the queries that see a key. */
  const overQueries = (i: number, rows: Float32Array, f: (query: number, key: number) => number) => {
    const key = Math.floor(i / size);
    let total = 0;
    for (let query = key; query < key - key % positions + positions; query++) {
      total += f(query, key) * rows[query * size + i % size]!;
    }
    return total;
  };
  return {
    flop: 10 * pairs * size,
    tensors,
    model: onDevice(tensors, ({ q, k, v, o, lse, dy }) => {
      const [dq, dk, dv] = attentionBackward(
        { q: q!, k: k!, v: v!, out: o!, lse: lse!, outGradient: dy! },
        { causal: true, scale: null },
      ) as readonly Floats[];
      return { y: dq!, dk: dk!, dv: dv! };
    }),
    byHand: () =>
      attentionBackwardByHand({
        heads,
        positions,
        size,
        queries: { perLane: 8, block: 8 },
        keys: { perLane: 8, block: 8 },
      }),
    elements: {
      y(i) {
        const query = Math.floor(i / size);
        let total = 0;
        for (let key = query - query % positions; key <= query; key++) {
          total += slope(query, key) * given.k.data[key * size + i % size]!;
        }
        return total;
      },
      dk: (i) => overQueries(i, given.q.data, slope),
      dv: (i) => overQueries(i, tensors.dy.data, weight),
    },
  };
}

/** Weft's two kernels beside those that keep the weights and slopes of a strip in memory and so do five products. */
export const causalAttentionBackwardBesideFive = (strip = positions): Workload => ({
  ...causalAttentionBackward(),
  byHand: () => unfusedAttentionBackwardByHand({ heads, positions, size, rows: 128, strip }),
});
