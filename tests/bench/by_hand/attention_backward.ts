/**
 * The gradients of causal attention from its result, the log-sum-exp of its rows and a cotangent, in two kernels that
 * recompute the weights: a lane has queries and streams keys for ∂q; a lane has keys and streams queries for ∂k and ∂v.
 */

import {
  addRows,
  type AttentionSizes,
  dot,
  loadRow,
  range,
  scaleOf,
  sumAt,
  sumsOf,
} from "./attention_lane.ts";
import { bindings, each, eightLanes, type HandKernel, type HandWritten } from "./kernel.ts";

/** How each of the kernels is cut. */
export interface AttentionBackwardSizes extends Omit<AttentionSizes, "perLane" | "block"> {
  readonly queries: Pick<AttentionSizes, "perLane" | "block">;
  readonly keys: Pick<AttentionSizes, "perLane" | "block">;
}

/** `y` is ∂q. The buffer `lse` is in base e. */
export function attentionBackwardByHand(
  { queries, keys, ...sizes }: AttentionBackwardSizes,
): HandWritten {
  const rows = sizes.heads * sizes.positions;
  return {
    kernels: [byQueries({ ...sizes, ...queries }), byKeys({ ...sizes, ...keys })],
    memory: { y: rows * sizes.size, dk: rows * sizes.size, dv: rows * sizes.size, delta: rows },
  };
}

/** Writes sums to where the lane's rows are in memory. */
const store = (places: Readonly<Record<string, string>>, perLane: number, quads: number): string =>
  `for (var d = 0u; d < ${quads}u + hidden; d++) {
    ${
    each(perLane, (p) =>
      Object.entries(places).map(([to, sums]) =>
        `${to}[own + ${p * quads}u + d] = ${sums}[${sumAt(p, perLane)}];`
      ).join("\n"))
  }
  }`;

/** ∂q, and for each query δ = Σ o·∂o, which the other kernel needs as well. */
function byQueries({ heads, positions, size, perLane, block }: AttentionSizes): HandKernel {
  const [quads, fours, perGroup] = [size / 4, perLane / 4, perLane * 8];
  const all = heads * positions * quads;
  const weight = (p: number) =>
    `${dot(`t${p}`, "k", "queries", p, quads)}
      let w${p} = select(0.0, exp2(t${p} - lse${p >> 2}.${"xyzw"[p & 3]}), key + j <= query + ${p}u);`;
  const slope = (p: number) =>
    `${dot(`t${p}`, "v", "slopes", p, quads)}
      let s${p} = t${p} - delta${p >> 2}.${"xyzw"[p & 3]};`;
  const vector = (name: string, f: number) =>
    `vec4f(${range(4).map((e) => `${name}${4 * f + e}`).join(", ")})`;
  const wgsl = `${
    bindings([
      ["Q", "vec4f", all],
      ["K", "vec4f", all],
      ["V", "vec4f", all],
      ["O", "vec4f", all],
      ["L", "vec4f", heads * positions / 4],
      ["G", "vec4f", all],
      ["Y", "vec4f", all],
      ["D", "vec4f", heads * positions / 4],
    ], 2)
  }
${sumsOf("sums", { perLane, size })}
${
    eightLanes(`let head = group.y * ${positions * quads}u;
  let query0 = group.x * ${perGroup}u;
  let query = query0 + lane * ${perLane}u;
  let own = head + query * ${quads}u;
  let row = (group.y * ${positions}u + query) / 4u;
  var queries: array<vec4f, ${perLane * quads}>;
  var slopes: array<vec4f, ${perLane * quads}>;
  var weights: array<vec4f, ${block * fours}>;
  ${each(perLane, (p) => `var d${p} = vec4f();`)}
  for (var i = 0u; i < ${quads}u + hidden; i++) {
    ${
      each(perLane, (p) =>
        `let g${p} = G[own + ${p * quads}u + i];
    queries[${p * quads}u + i] = Q[own + ${p * quads}u + i] * ${scaleOf(size)};
    slopes[${p * quads}u + i] = g${p};
    d${p} += g${p} * O[own + ${p * quads}u + i];`)
    }
  }
  ${
      each(fours, (f) =>
        `let delta${f} = vec4f(${range(4).map((e) => `dot(d${4 * f + e}, vec4f(1.0))`).join(", ")});
  D[row + ${f}u] = delta${f};
  let lse${f} = L[row + ${f}u] * ${Math.LOG2E};`)
    }
  for (var key = 0u; key < query0 + ${perGroup}u; key += ${block}u) {
    let first = head + key * ${quads}u;
    for (var j = 0u; j < ${block}u + hidden; j++) {
      ${loadRow("k", "K", `first + j * ${quads}u`, quads)}
      ${
      each(fours, (f) =>
        `${
          each(4, (e) => weight(4 * f + e))
        }
      weights[j * ${fours}u + ${f}u] = ${vector("w", f)} * ${1 / Math.sqrt(size)};`)
    }
    }
    for (var j = 0u; j < ${block}u + hidden; j++) {
      ${loadRow("v", "V", `first + j * ${quads}u`, quads)}
      ${
      each(fours, (f) =>
        `${each(4, (e) => slope(4 * f + e))}
      weights[j * ${fours}u + ${f}u] *= ${vector("s", f)};`)
    }
    }
    ${addRows({ sums: "sums", rows: "K", first: "first", weights: "weights", perLane, block, quads })}
  }
  ${store({ Y: "sums" }, perLane, quads)}`)
  }`;
  return {
    wgsl,
    buffers: ["q", "k", "v", "o", "lse", "dy", "y", "delta"],
    groups: [positions / perGroup, heads],
  };
}

/** ∂k and ∂v. */
function byKeys({ heads, positions, size, perLane, block }: AttentionSizes): HandKernel {
  const [quads, fours, perGroup] = [size / 4, perLane / 4, perLane * 8];
  const all = heads * positions * quads;
  const weight = (p: number) =>
    `${dot(`t${p}`, "q", "keys", p, quads)}
      let w${p} = select(0.0, exp2(t${p} - lse), key + ${p}u <= query + i);`;
  const slope = (p: number) => dot(`t${p}`, "g", "values", p, quads);
  const vector = (name: string, f: number) =>
    `vec4f(${range(4).map((e) => `${name}${4 * f + e}`).join(", ")})`;
  const sums = (name: string, rows: string, weights: string) =>
    addRows({ sums: name, rows, first: "first", weights, perLane, block, quads });
  const wgsl = `${
    bindings([
      ["Q", "vec4f", all],
      ["K", "vec4f", all],
      ["V", "vec4f", all],
      ["L", "f32", heads * positions],
      ["D", "f32", heads * positions],
      ["G", "vec4f", all],
      ["DK", "vec4f", all],
      ["DV", "vec4f", all],
    ], 2)
  }
${sumsOf("keySums", { perLane, size })}
${sumsOf("valueSums", { perLane, size })}
${
    eightLanes(`let head = group.y * ${positions * quads}u;
  let row = group.y * ${positions}u;
  let key0 = group.x * ${perGroup}u;
  let key = key0 + lane * ${perLane}u;
  let own = head + key * ${quads}u;
  var keys: array<vec4f, ${perLane * quads}>;
  var values: array<vec4f, ${perLane * quads}>;
  var weights: array<vec4f, ${block * fours}>;
  var slopes: array<vec4f, ${block * fours}>;
  for (var i = 0u; i < ${perLane * quads}u + hidden; i++) {
    keys[i] = K[own + i] * ${scaleOf(size)};
    values[i] = V[own + i];
  }
  for (var query = key0; query < ${positions}u + hidden; query += ${block}u) {
    let first = head + query * ${quads}u;
    for (var i = 0u; i < ${block}u + hidden; i++) {
      ${loadRow("q", "Q", `first + i * ${quads}u`, quads)}
      let lse = L[row + query + i] * ${Math.LOG2E};
      ${
      each(fours, (f) =>
        `${each(4, (e) => weight(4 * f + e))}
      weights[i * ${fours}u + ${f}u] = ${vector("w", f)};`)
    }
    }
    for (var i = 0u; i < ${block}u + hidden; i++) {
      ${loadRow("g", "G", `first + i * ${quads}u`, quads)}
      let delta = D[row + query + i];
      ${
      each(fours, (f) =>
        `${each(4, (e) => slope(4 * f + e))}
      slopes[i * ${fours}u + ${f}u] = weights[i * ${fours}u + ${f}u] * (${vector("t", f)} - delta) * ${
          1 / Math.sqrt(size)
        };`)
    }
    }
    ${sums("valueSums", "G", "weights")}
    ${sums("keySums", "Q", "slopes")}
  }
  ${store({ DK: "keySums", DV: "valueSums" }, perLane, quads)}`)
  }`;
  return {
    wgsl,
    buffers: ["q", "k", "v", "lse", "delta", "dy", "dk", "dv"],
    groups: [positions / perGroup, heads],
  };
}
