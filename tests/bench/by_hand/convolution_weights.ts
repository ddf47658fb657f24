/**
 * The gradient of a 3×3 convolution by its weights. A lane owns eight of the output channels: it keeps dy of a few pixels of
 * a row in a private array and streams the rows of x past it, (channel, row of the window) by (channel, row of the window);
 * the sums lie in workgroup memory at places that only this lane touches. One part per image; a last kernel adds them up.
 */

import { bindings, each, eightLanes, type HandWritten } from "./kernel.ts";

export interface ConvolutionWeightsSizes {
  readonly batch: number;
  readonly channels: number;
  /** Must be 64: eight lanes with eight each. */
  readonly filters: number;
  readonly height: number;
  readonly width: number;
  /** Pixels of dy that a lane keeps, and channels of x per workgroup. */
  readonly pixels: number;
  readonly depth: number;
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** ∂w [O, C, 3, 3] from x [N, C, H, W] and dy [N, O, H, W]. */
export function convolutionByWeightsByHand(
  { batch, channels, filters, height, width, pixels, depth }: ConvolutionWeightsSizes,
): HandWritten {
  // Rows of x with one zero in front and three behind, so that a row is whole vec4s and a window's vec4s are aligned.
  const width4 = (width + 4) / 4;
  const padded = batch * channels * (height + 2) * width4;
  const slots = depth * 3 * 6 * 8;
  const plane4 = height * width / 4;
  const borders = `${bindings([["X", "f32", batch * channels * height * width], ["Y", "vec4f", padded]])}
${
    eightLanes(`let row = group.x;
  for (var c = 0u; c < ${channels}u + hidden; c++) {
    let source = ((group.y * ${channels}u + c) * ${height}u + row - 1u) * ${width}u;
    for (var j = lane; j < ${width4}u; j += 8u) {
      var v = vec4f();
      if (row >= 1u && row <= ${height}u) {
        let first = j * 4u;
        v = vec4f(${
      range(4).map((e) =>
        `select(0.0, X[source + first + ${e}u - 1u], first + ${e}u >= 1u && first + ${e}u <= ${width}u)`
      ).join(", ")
    });
      }
      Y[((group.y * ${channels}u + c) * ${height + 2}u + row) * ${width4}u + j] = v;
    }
  }`)
  }`;
  const sum = (tap: number, v: number) =>
    `{
        var s = sums[slot + ${(tap * 2 + v) * 8}u];
        ${each(pixels, (p) => `s += x${(p + tap) >> 2}.${"xyzw"[(p + tap) & 3]} * panel[${p * 2 + v}];`)}
        sums[slot + ${(tap * 2 + v) * 8}u] = s;
      }`;
  const products = `${
    bindings([
      ["X", "vec4f", padded],
      ["D", "vec4f", batch * filters * plane4],
      ["P", "vec4f", batch * channels * 9 * filters / 4],
    ])
  }
var<workgroup> sums: array<vec4f, ${slots}>;
${
    eightLanes(`let c0 = group.x * ${depth}u;
  var panel: array<vec4f, ${2 * pixels}>;
  for (var chunk = 0u; chunk < ${height * width / pixels}u + hidden; chunk++) {
    let row = chunk / ${width / pixels}u;
    let column = (chunk % ${width / pixels}u) * ${pixels / 4}u;
    for (var i = 0u; i < ${pixels / 4}u + hidden; i++) {
      for (var v = 0u; v < 2u + hidden; v++) {
        let at = (group.y * ${filters}u + lane * 8u + v * 4u) * ${plane4}u + row * ${width / 4}u + column + i;
        ${each(4, (e) => `let d${e} = D[at + ${e * plane4}u];`)}
        ${
      each(4, (e) =>
        `panel[i * 8u + ${2 * e}u + v] = vec4f(${range(4).map((o) => `d${o}.${"xyzw"[e]}`).join(", ")});`)
    }
      }
    }
    for (var i = 0u; i < ${3 * depth}u + hidden; i++) {
      let at = ((group.y * ${channels}u + c0 + i / 3u) * ${height + 2}u + row + i % 3u) * ${width4}u + column;
      let slot = i * 48u + lane;
      ${
      each(pixels / 4 + 1, (q) => `let x${q} = X[at + ${q}u];`)
    }
      ${range(3).flatMap((tap) => range(2).map((v) => sum(tap, v))).join("\n")}
    }
  }
  let part = (group.y * ${channels / depth}u + group.x) * ${slots}u;
  for (var i = 0u; i < ${slots / 8}u + hidden; i++) { P[part + i * 8u + lane] = sums[i * 8u + lane]; }`)
  }`;
  const total = channels * 9 * filters;
  const totals = `${bindings([["P", "vec4f", batch * total / 4], ["Y", "f32", total]])}
${
    eightLanes(`var s = vec4f();
  for (var p = 0u; p < ${batch}u + hidden; p++) { s += P[p * ${total / 4}u + group.x * 8u + lane]; }
  let at = (lane * 8u + group.x % 2u * 4u) * ${channels * 9}u + group.x / 2u;
  ${each(4, (e) => `Y[at + ${e * channels * 9}u] = s.${"xyzw"[e]};`)}`)
  }`;
  return {
    kernels: [
      { wgsl: borders, buffers: ["x", "padded"], groups: [height + 2, batch] },
      { wgsl: products, buffers: ["padded", "dy", "parts"], groups: [channels / depth, batch] },
      { wgsl: totals, buffers: ["parts", "y"], groups: [channels * 9 * 2] },
    ],
    memory: { padded: padded * 4, parts: batch * total, y: total },
  };
}
