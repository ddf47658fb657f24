/**
 * Causal attention in three kernels, with the scores in memory: products of queries and keys (a lane owns 16 keys, and the
 * queries are streamed past a panel of them), softmax (a lane has a row), products with the values (a lane owns 8 columns).
 * Blocks of scores that no query sees are neither computed nor read. The three run once for all queries, or for a strip of
 * queries after the other: then the scores of one strip are all that is kept.
 */

import { scaleOf } from "./attention_lane.ts";
import { across, bindings, each, eightLanes, type HandKernel, type HandWritten, largest } from "./kernel.ts";

interface Sizes {
  readonly heads: number;
  readonly positions: number;
  readonly size: number;
  /** Queries that share a panel. */
  readonly rows: number;
  /** Queries of a strip, a multiple of `rows`. */
  readonly strip: number;
}

const depth = 16;
const quadsOfKeys = 4;
const quadsOfValues = 2;
const range = (n: number) => Array.from({ length: n }, (_, i) => i);

export function unfusedAttentionByHand(sizes: Sizes): HandWritten {
  const { heads, positions, size, strip } = sizes;
  const three = [scores(sizes), softmax(sizes), weighted(sizes)];
  const strips = range(positions / strip);
  return {
    // The buffer `first` of a strip holds its first query.
    kernels: strips.flatMap((s) =>
      three.map((kernel) => ({ ...kernel, buffers: [`first${s}`, ...kernel.buffers] }))
    ),
    memory: { scores: heads * positions * strip, y: heads * positions * size },
    constants: Object.fromEntries(strips.map((s) => [`first${s}`, Uint32Array.of(s * strip, 0, 0, 0)])),
  };
}

/** What a lane adds to a column of the result: load, sixteen products, store. */
const column = (j: number, quads: number, at: string, first: string) =>
  `{
        let at = ${at} + ${8 * j}u;
        var s = select(Y[at], vec4f(), ${first});
        ${each(depth, (i) => `s += a${i >> 2}.${"xyzw"[i & 3]} * panel[${i * quads + j}];`)}
        Y[at] = s;
      }`;

/** Base-2 scores: exp2 of them is what softmax wants. */
function scores({ heads, positions, size, rows, strip }: Sizes): HandKernel {
  const [quads, width] = [size / 4, positions / 4];
  const wgsl = `${
    bindings([
      ["first", "u32", 4],
      ["Q", "vec4f", heads * positions * quads],
      ["K", "vec4f", heads * positions * quads],
      ["Y", "vec4f", heads * strip * width],
    ])
  }
${
    eightLanes(`let key = group.x * ${8 * quadsOfKeys}u + lane;
  let row0 = group.y * ${rows}u;
  let query0 = first[0] + row0;
  let head = group.z * ${positions * quads}u;
  let end = select(0u, ${size}u, group.x * ${32 * quadsOfKeys}u < query0 + ${rows}u);
  var panel: array<vec4f, ${depth * quadsOfKeys}>;
  for (var d = 0u; d < end; d += ${depth}u) {
    for (var i = 0u; i < ${depth / 4}u + hidden; i++) {
      ${
      each(quadsOfKeys, (j) =>
        `{
        let at = head + (key + ${8 * j}u) * ${4 * quads}u + d / 4u + i;
        ${each(4, (e) => `let c${e} = K[at + ${e * quads}u] * ${scaleOf(size)};`)}
        ${
          each(4, (e) =>
            `panel[i * ${4 * quadsOfKeys}u + ${e * quadsOfKeys + j}u] = vec4f(${
              range(4).map((c) => `c${c}.${"xyzw"[e]}`).join(", ")
            });`)
        }
      }`)
    }
    }
    for (var i = 0u; i < ${rows}u + hidden; i++) {
      ${each(depth / 4, (q) => `let a${q} = Q[head + (query0 + i) * ${quads}u + d / 4u + ${q}u];`)}
      let row = (group.z * ${strip}u + row0 + i) * ${width}u + key;
      ${each(quadsOfKeys, (j) => column(j, quadsOfKeys, "row", "d == 0u"))}
    }
  }`)
  }`;
  return {
    wgsl,
    buffers: ["q", "k", "scores"],
    groups: [positions / (32 * quadsOfKeys), strip / rows, heads],
  };
}

/** In place; zeros from a row's own position to the end of its block. */
function softmax({ heads, positions, rows, strip }: Sizes): HandKernel {
  const width = positions / 4;
  const seen = (quad: string) =>
    `select(vec4f(-1e30), Y[row + ${quad}], (vec4u(${quad}) * 4u + vec4u(0u, 1u, 2u, 3u)) <= vec4u(query))`;
  const wgsl = `${bindings([["first", "u32", 4], ["Y", "vec4f", heads * strip * width]])}
${
    eightLanes(`let query = first[0] + group.x * 8u + lane;
  let row = (group.y * ${strip}u + group.x * 8u + lane) * ${width}u;
  // All lanes' rows end within the same eight columns.
  let end = (query / 8u + 1u) * 2u;
  var m = -3e38;
  var s = 0.0;
  for (var i = 0u; i < end; i += 2u) {
    let x0 = ${seen("i")};
    let x1 = ${seen("i + 1u")};
    let top = max(x0, x1);
    let larger = max(m, ${largest("top")});
    let e = exp2(x0 - larger) + exp2(x1 - larger);
    s = s * exp2(m - larger) + ${across("e")};
    m = larger;
  }
  let shift = m + log2(s);
  for (var i = 0u; i < (query / ${rows}u + 1u) * ${rows / 4}u; i++) {
    Y[row + i] = exp2(${seen("i")} - shift);
  }`)
  }`;
  return { wgsl, buffers: ["scores"], groups: [strip / 8, heads] };
}

function weighted({ heads, positions, size, rows, strip }: Sizes): HandKernel {
  const [quads, width] = [size / 4, positions / 4];
  const wgsl = `${
    bindings([
      ["first", "u32", 4],
      ["S", "vec4f", heads * strip * width],
      ["V", "vec4f", heads * positions * quads],
      ["Y", "vec4f", heads * positions * quads],
    ])
  }
${
    eightLanes(`let row0 = group.x * ${rows}u;
  let query0 = first[0] + row0;
  let head = group.y * ${positions * quads}u + lane;
  var panel: array<vec4f, ${depth * quadsOfValues}>;
  for (var key = 0u; key < query0 + ${rows}u; key += ${depth}u) {
    for (var i = 0u; i < ${depth}u + hidden; i++) {
      ${
      each(
        quadsOfValues,
        (j) => `panel[i * ${quadsOfValues}u + ${j}u] = V[head + (key + i) * ${quads}u + ${8 * j}u];`,
      )
    }
    }
    for (var i = 0u; i < ${rows}u + hidden; i++) {
      let source = (group.y * ${strip}u + row0 + i) * ${width}u + key / 4u;
      ${each(depth / 4, (q) => `let a${q} = S[source + ${q}u];`)}
      ${each(quadsOfValues, (j) => column(j, quadsOfValues, `head + (query0 + i) * ${quads}u`, "key == 0u"))}
    }
  }`)
  }`;
  return { wgsl, buffers: ["scores", "v", "y"], groups: [strip / rows, heads] };
}
