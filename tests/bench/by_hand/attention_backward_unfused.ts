/**
 * The gradients of causal attention in five kernels with two matrices of queries × keys in memory, so that no product is
 * made twice: δ = Σ o·∂o; the weights and their slopes, with queries as columns; then ∂v, ∂k and ∂q as products of those.
 */

import { scaleOf } from "./attention_lane.ts";
import { across, bindings, each, eightLanes, type HandKernel, type HandWritten } from "./kernel.ts";

interface Sizes {
  readonly heads: number;
  readonly positions: number;
  readonly size: number;
  /** Rows that share a panel. */
  readonly rows: number;
}

const depth = 16;
/** vec4s of queries, and of the result's columns, that a lane owns. */
const queryQuads = 4;
const valueQuads = 2;
const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** `y` is ∂q. The buffer `lse` is in base e. */
export function unfusedAttentionBackwardByHand(sizes: Sizes): HandWritten {
  const { heads, positions, size } = sizes;
  const [rows, pairs] = [heads * positions, heads * positions ** 2];
  return {
    kernels: [
      deltas(sizes),
      weightsAndSlopes(sizes),
      overQueries(sizes, ["weights", "dy", "dv"]),
      overQueries(sizes, ["slopes", "q", "dk"]),
      overKeys(sizes),
    ],
    memory: {
      delta: rows,
      weights: pairs,
      slopes: pairs,
      y: rows * size,
      dk: rows * size,
      dv: rows * size,
    },
  };
}

function deltas({ heads, positions, size }: Sizes): HandKernel {
  const [all, quads] = [heads * positions * size / 4, size / 4];
  const wgsl = `${bindings([["O", "vec4f", all], ["G", "vec4f", all], ["D", "f32", heads * positions]])}
${
    eightLanes(`let row = group.x * 8u + lane;
  var s = vec4f();
  for (var i = 0u; i < ${quads}u + hidden; i++) { s += O[row * ${quads}u + i] * G[row * ${quads}u + i]; }
  D[row] = ${across("s")};`)
  }`;
  return { wgsl, buffers: ["o", "dy", "delta"], groups: [heads * positions / 8] };
}

/** Sixteen products onto a column: load, multiply and add, store. */
const column = (to: string, at: string, j: number, quads: number, first: string) =>
  `{
        let at = ${at} + ${8 * j}u;
        var s = select(${to}[at], vec4f(), ${first});
        ${each(depth, (i) => `s += a${i >> 2}.${"xyzw"[i & 3]} * panel[${i * quads + j}];`)}
        ${to}[at] = s;
      }`;

/** Both as [key, query]; a block of 128 queries that sees none of a block of keys is left out. */
function weightsAndSlopes({ heads, positions, size, rows }: Sizes): HandKernel {
  const [quads, width] = [size / 4, positions / 4];
  const [all, pairs] = [heads * positions * quads, heads * positions * width];
  const productsOf = (columns: string, streamed: string, to: string, scale: number) =>
    `for (var d = 0u; d < end; d += ${depth}u) {
    for (var i = 0u; i < ${depth / 4}u + hidden; i++) {
      ${
      each(queryQuads, (j) =>
        `{
        let at = head + (query4 + ${8 * j}u) * ${4 * quads}u + d / 4u + i;
        ${each(4, (e) => `let c${e} = ${columns}[at + ${e * quads}u] * ${scale};`)}
        ${
          each(4, (e) =>
            `panel[i * ${4 * queryQuads}u + ${e * queryQuads + j}u] = vec4f(${
              range(4).map((c) => `c${c}.${"xyzw"[e]}`).join(", ")
            });`)
        }
      }`)
    }
    }
    for (var i = 0u; i < ${rows}u + hidden; i++) {
      ${each(depth / 4, (q) => `let a${q} = ${streamed}[head + (key0 + i) * ${quads}u + d / 4u + ${q}u];`)}
      let row = (group.z * ${positions}u + key0 + i) * ${width}u + query4;
      ${each(queryQuads, (j) => column(to, "row", j, queryQuads, "d == 0u"))}
    }
  }`;
  const wgsl = `${
    bindings([
      ["Q", "vec4f", all],
      ["K", "vec4f", all],
      ["V", "vec4f", all],
      ["G", "vec4f", all],
      ["L", "vec4f", heads * width],
      ["D", "vec4f", heads * width],
      ["P", "vec4f", pairs],
      ["S", "vec4f", pairs],
    ], 2)
  }
${
    eightLanes(`let query4 = group.x * ${8 * queryQuads}u + lane;
  let key0 = group.y * ${rows}u;
  let head = group.z * ${positions * quads}u;
  let seen = group.x * ${32 * queryQuads}u + ${32 * queryQuads}u > key0;
  let end = select(0u, ${size}u, seen);
  var panel: array<vec4f, ${depth * queryQuads}>;
  ${productsOf("Q", "K", "P", scaleOf(size))}
  ${productsOf("G", "V", "S", 1)}
  ${
      each(queryQuads, (j) =>
        `let lse${j} = L[group.z * ${width}u + query4 + ${8 * j}u] * ${Math.LOG2E};
  let delta${j} = D[group.z * ${width}u + query4 + ${8 * j}u];
  let query${j} = vec4u(query4 + ${8 * j}u) * 4u + vec4u(0u, 1u, 2u, 3u);`)
    }
  for (var i = 0u; i < select(0u, ${rows}u, seen); i++) {
    let row = (group.z * ${positions}u + key0 + i) * ${width}u + query4;
    ${
      each(queryQuads, (j) =>
        `{
      let at = row + ${8 * j}u;
      let w = select(vec4f(), exp2(P[at] - lse${j}), vec4u(key0 + i) <= query${j});
      P[at] = w;
      S[at] = w * (S[at] - delta${j}) * ${1 / Math.sqrt(size)};
    }`)
    }
  }`)
  }`;
  return {
    wgsl,
    buffers: ["q", "k", "v", "dy", "lse", "delta", "weights", "slopes"],
    groups: [positions / (32 * queryQuads), positions / rows, heads],
  };
}

const fill = (source: string, from: string, quads: number) =>
  `for (var i = 0u; i < ${depth}u + hidden; i++) {
      ${
    each(
      valueQuads,
      (j) => `panel[i * ${valueQuads}u + ${j}u] = ${source}[head + (${from} + i) * ${quads}u + ${8 * j}u];`,
    )
  }
    }`;

/** For each key the sum of rows of the queries that see it. */
function overQueries({ heads, positions, size, rows }: Sizes, buffers: readonly string[]): HandKernel {
  const [quads, width] = [size / 4, positions / 4];
  const all = heads * positions * quads;
  const wgsl = `${
    bindings([["S", "vec4f", heads * positions * width], ["X", "vec4f", all], ["Y", "vec4f", all]])
  }
${
    eightLanes(`let key0 = group.x * ${rows}u;
  let head = group.y * ${positions * quads}u + lane;
  var panel: array<vec4f, ${depth * valueQuads}>;
  for (var query = key0; query < ${positions}u + hidden; query += ${depth}u) {
    ${fill("X", "query", quads)}
    for (var i = 0u; i < ${rows}u + hidden; i++) {
      let key = key0 + i;
      let source = (group.y * ${positions}u + key) * ${width}u + query / 4u;
      ${each(depth / 4, (q) => `let a${q} = S[source + ${q}u];`)}
      ${each(valueQuads, (j) => column("Y", `head + key * ${quads}u`, j, valueQuads, "query == key0"))}
    }
  }`)
  }`;
  return { wgsl, buffers, groups: [positions / rows, heads] };
}

/** For each query the sum of keys that it sees; the slopes are read down a column. */
function overKeys({ heads, positions, size, rows }: Sizes): HandKernel {
  const quads = size / 4;
  const all = heads * positions * quads;
  const wgsl = `${bindings([["S", "f32", heads * positions ** 2], ["X", "vec4f", all], ["Y", "vec4f", all]])}
${
    eightLanes(`let query0 = group.x * ${rows}u;
  let head = group.y * ${positions * quads}u + lane;
  var panel: array<vec4f, ${depth * valueQuads}>;
  for (var key = 0u; key < query0 + ${rows}u; key += ${depth}u) {
    ${fill("X", "key", quads)}
    for (var i = 0u; i < ${rows}u + hidden; i++) {
      let query = query0 + i;
      let source = (group.y * ${positions}u + key) * ${positions}u + query;
      ${
      each(depth / 4, (q) =>
        `let a${q} = vec4f(${range(4).map((e) => `S[source + ${(4 * q + e) * positions}u]`).join(", ")});`)
    }
      ${
      each(valueQuads, (j) => column("Y", `head + query * ${quads}u`, j, valueQuads, "key == 0u"))
    }
    }
  }`)
  }`;
  return { wgsl, buffers: ["slopes", "k", "y"], groups: [positions / rows, heads] };
}
