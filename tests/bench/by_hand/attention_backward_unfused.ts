/**
 * The gradients of causal attention with two matrices of queries × keys in memory, so that no product is made twice:
 * δ = Σ o·∂o; the weights and their slopes, with queries as columns; then ∂v, ∂k and ∂q as products of those. All but the
 * first run once for all queries, or for a strip of queries after the other: then two matrices of a strip are all that is
 * kept, and ∂k and ∂v are added up over the strips.
 */

import { scaleOf } from "./attention_lane.ts";
import { across, bindings, each, eightLanes, type HandKernel, type HandWritten } from "./kernel.ts";

interface Sizes {
  readonly heads: number;
  readonly positions: number;
  readonly size: number;
  /** Rows that share a panel. */
  readonly rows: number;
  /** Queries of a strip, a multiple of 128. */
  readonly strip: number;
}

const depth = 16;
/** vec4s of queries, and of the result's columns, that a lane owns. */
const queryQuads = 4;
const valueQuads = 2;
const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** `y` is ∂q. The buffer `lse` is in base e. */
export function unfusedAttentionBackwardByHand(sizes: Sizes): HandWritten {
  const { heads, positions, size, strip } = sizes;
  const [rows, pairs] = [heads * positions, heads * positions * strip];
  const strips = range(positions / strip);
  const perStrip = (s: number): HandKernel[] => [
    weightsAndSlopes(sizes, s),
    overQueries(sizes, s, ["weights", "dy", "dv"]),
    overQueries(sizes, s, ["slopes", "q", "dk"]),
    overKeys(sizes),
  ];
  return {
    // The buffer `first` of a strip holds its first query.
    kernels: [
      deltas(sizes),
      ...strips.flatMap((s) =>
        perStrip(s).map((kernel) => ({ ...kernel, buffers: [`first${s}`, ...kernel.buffers] }))
      ),
    ],
    memory: {
      known: 2 * rows,
      weights: pairs,
      slopes: pairs,
      y: rows * size,
      dk: rows * size,
      dv: rows * size,
    },
    constants: Object.fromEntries(strips.map((s) => [`first${s}`, Uint32Array.of(s * strip, 0, 0, 0)])),
  };
}

/** Writes the log-sum-exp, in base 2, and δ behind all of those. */
function deltas({ heads, positions, size }: Sizes): HandKernel {
  const [rows, quads] = [heads * positions, size / 4];
  const wgsl = `${
    bindings([
      ["O", "vec4f", rows * quads],
      ["G", "vec4f", rows * quads],
      ["L", "f32", rows],
      ["R", "f32", 2 * rows],
    ])
  }
${
    eightLanes(`let row = group.x * 8u + lane;
  var s = vec4f();
  for (var i = 0u; i < ${quads}u + hidden; i++) { s += O[row * ${quads}u + i] * G[row * ${quads}u + i]; }
  R[row] = L[row] * ${Math.LOG2E};
  R[${rows}u + row] = ${across("s")};`)
  }`;
  return { wgsl, buffers: ["o", "dy", "lse", "known"], groups: [rows / 8] };
}

/** Sixteen products onto a column: load, multiply and add, store. */
const column = (to: string, at: string, j: number, quads: number, first: string) =>
  `{
        let at = ${at} + ${8 * j}u;
        var s = select(${to}[at], vec4f(), ${first});
        ${each(depth, (i) => `s += a${i >> 2}.${"xyzw"[i & 3]} * panel[${i * quads + j}];`)}
        ${to}[at] = s;
      }`;

/** Both as [key, query], for the keys that the strip sees; a block of 128 queries that sees none of a block of keys is left out. */
function weightsAndSlopes({ heads, positions, size, rows, strip }: Sizes, s: number): HandKernel {
  const [quads, width] = [size / 4, strip / 4];
  const [all, pairs, known] = [heads * positions * quads, heads * positions * width, heads * positions / 4];
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
      let row = (group.z * ${positions}u + key0 + i) * ${width}u + column4;
      ${each(queryQuads, (j) => column(to, "row", j, queryQuads, "d == 0u"))}
    }
  }`;
  const wgsl = `${
    bindings([
      ["first", "u32", 4],
      ["Q", "vec4f", all],
      ["K", "vec4f", all],
      ["V", "vec4f", all],
      ["G", "vec4f", all],
      ["R", "vec4f", 2 * known],
      ["P", "vec4f", pairs],
      ["S", "vec4f", pairs],
    ], 2)
  }
${
    eightLanes(`let column4 = group.x * ${8 * queryQuads}u + lane;
  let query4 = first[0] / 4u + column4;
  let key0 = group.y * ${rows}u;
  let head = group.z * ${positions * quads}u;
  let seen = first[0] + (group.x + 1u) * ${32 * queryQuads}u > key0;
  let end = select(0u, ${size}u, seen);
  var panel: array<vec4f, ${depth * queryQuads}>;
  ${productsOf("Q", "K", "P", scaleOf(size))}
  ${productsOf("G", "V", "S", 1)}
  ${
      each(queryQuads, (j) =>
        `let row${j} = group.z * ${positions / 4}u + query4 + ${8 * j}u;
  let lse${j} = R[row${j}];
  let delta${j} = R[${known}u + row${j}];
  let query${j} = vec4u(query4 + ${8 * j}u) * 4u + vec4u(0u, 1u, 2u, 3u);`)
    }
  for (var i = 0u; i < select(0u, ${rows}u, seen); i++) {
    let row = (group.z * ${positions}u + key0 + i) * ${width}u + column4;
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
    buffers: ["q", "k", "v", "dy", "known", "weights", "slopes"],
    groups: [strip / (32 * queryQuads), (s + 1) * strip / rows, heads],
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

/** For each key that the strip sees the sum of rows of its queries that see it. */
function overQueries(
  { heads, positions, size, rows, strip }: Sizes,
  s: number,
  buffers: readonly string[],
): HandKernel {
  const [quads, width] = [size / 4, strip / 4];
  const all = heads * positions * quads;
  const wgsl = `${
    bindings([
      ["first", "u32", 4],
      ["S", "vec4f", heads * positions * width],
      ["X", "vec4f", all],
      ["Y", "vec4f", all],
    ])
  }
${
    eightLanes(`let key0 = group.x * ${rows}u;
  let head = group.y * ${positions * quads}u + lane;
  var panel: array<vec4f, ${depth * valueQuads}>;
  for (var query = max(key0, first[0]); query < first[0] + ${strip}u; query += ${depth}u) {
    ${fill("X", "query", quads)}
    for (var i = 0u; i < ${rows}u + hidden; i++) {
      let key = key0 + i;
      let source = (group.y * ${positions}u + key) * ${width}u + (query - first[0]) / 4u;
      ${each(depth / 4, (q) => `let a${q} = S[source + ${q}u];`)}
      ${each(valueQuads, (j) => column("Y", `head + key * ${quads}u`, j, valueQuads, "query == key0"))}
    }
  }`)
  }`;
  return { wgsl, buffers, groups: [(s + 1) * strip / rows, heads] };
}

/** For each query the sum of keys that it sees; the slopes are read down a column. */
function overKeys({ heads, positions, size, rows, strip }: Sizes): HandKernel {
  const quads = size / 4;
  const all = heads * positions * quads;
  const wgsl = `${
    bindings([
      ["first", "u32", 4],
      ["S", "f32", heads * positions * strip],
      ["X", "vec4f", all],
      ["Y", "vec4f", all],
    ])
  }
${
    eightLanes(`let column0 = group.x * ${rows}u;
  let query0 = first[0] + column0;
  let head = group.y * ${positions * quads}u + lane;
  var panel: array<vec4f, ${depth * valueQuads}>;
  for (var key = 0u; key < query0 + ${rows}u; key += ${depth}u) {
    ${fill("X", "key", quads)}
    for (var i = 0u; i < ${rows}u + hidden; i++) {
      let query = query0 + i;
      let source = (group.y * ${positions}u + key) * ${strip}u + column0 + i;
      ${
      each(depth / 4, (q) =>
        `let a${q} = vec4f(${range(4).map((e) => `S[source + ${(4 * q + e) * strip}u]`).join(", ")});`)
    }
      ${
      each(valueQuads, (j) => column("Y", `head + query * ${quads}u`, j, valueQuads, "key == 0u"))
    }
    }
  }`)
  }`;
  return { wgsl, buffers: ["slopes", "k", "y"], groups: [strip / rows, heads] };
}
