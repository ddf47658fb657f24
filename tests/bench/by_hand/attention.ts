/**
 * Causal attention in one kernel, with the softmax online (Milakov & Gimelshein 2018): a lane has several queries, and
 * streams the keys and values that they see, a block at a time.
 */

import {
  addRows,
  type AttentionSizes,
  dot,
  lines,
  loadRow,
  range,
  scaleOf,
  sumAt,
  sumsOf,
} from "./attention_lane.ts";
import { bindings, each, eightLanes, type HandWritten } from "./kernel.ts";

export function attentionByHand(
  { heads, positions, size, perLane, block }: AttentionSizes,
): HandWritten {
  const [quads, fours, perGroup] = [size / 4, perLane / 4, perLane * 8];
  const all = heads * positions * quads;
  // A group's queries see keys up to the last of them; each sees those up to itself.
  const score = (p: number) =>
    `${dot(`t${p}`, "k", "queries", p, quads)}
      let s${p} = select(-1e30, t${p}, key + j <= query + ${p}u);`;
  const weights = (f: number) => {
    const at = (j: number) => `weights[${j * fours + f}]`;
    return `${lines(block, (j) => `let e${f}_${j} = ${at(j)};`)}
    let larger${f} = ${range(block).reduce((most, j) => `max(${most}, e${f}_${j})`, `most${f}`)};
    let shrink${f} = exp2(most${f} - larger${f});
    most${f} = larger${f};
    total${f} *= shrink${f};
    ${
      lines(block, (j) =>
        `let w${f}_${j} = exp2(e${f}_${j} - larger${f}); ${at(j)} = w${f}_${j}; total${f} += w${f}_${j};`)
    }`;
  };
  const wgsl = `${
    bindings([["Q", "vec4f", all], ["K", "vec4f", all], ["V", "vec4f", all], ["Y", "vec4f", all]])
  }
${sumsOf("sums", { perLane, size })}
${
    eightLanes(`let head = group.y * ${positions * quads}u;
  let query0 = group.x * ${perGroup}u;
  let query = query0 + lane * ${perLane}u;
  let own = head + query * ${quads}u;
  var queries: array<vec4f, ${perLane * quads}>;
  var weights: array<vec4f, ${block * fours}>;
  for (var i = 0u; i < ${perLane * quads}u + hidden; i++) {
    queries[i] = Q[own + i] * ${scaleOf(size)};
  }
  ${each(fours, (f) => `var most${f} = vec4f(-1e30); var total${f} = vec4f();`)}
  for (var key = 0u; key < query0 + ${perGroup}u; key += ${block}u) {
    let first = head + key * ${quads}u;
    for (var j = 0u; j < ${block}u + hidden; j++) {
      ${loadRow("k", "K", `first + j * ${quads}u`, quads)}
      ${
      each(fours, (f) =>
        `${each(4, (e) => score(4 * f + e))}
      weights[j * ${fours}u + ${f}u] = vec4f(${range(4).map((e) => `s${4 * f + e}`).join(", ")});`)
    }
    }
    ${each(fours, weights)}
    ${
      addRows({
        sums: "sums",
        rows: "V",
        first: "first",
        weights: "weights",
        perLane,
        block,
        quads,
        factor: (p) => `shrink${p >> 2}.${"xyzw"[p & 3]}`,
      })
    }
  }
  ${each(fours, (f) => `let share${f} = 1.0 / total${f};`)}
  for (var d = 0u; d < ${quads}u + hidden; d++) {
    ${
      each(
        perLane,
        (p) => `Y[own + ${p * quads}u + d] = sums[${sumAt(p, perLane)}] * share${p >> 2}.${"xyzw"[p & 3]};`,
      )
    }
  }`)
  }`;
  return {
    kernels: [{ wgsl, buffers: ["q", "k", "v", "y"], groups: [positions / perGroup, heads] }],
    memory: { y: heads * positions * size },
  };
}
