/** Softmax of rows and its gradient: a lane has a row of its own, and reads it twice. */

import { across, bindings, each, eightLanes, type HandWritten, largest } from "./kernel.ts";

const log2e = 1.4426950408889634;

/** Maximum and sum in one pass, the sum rescaled where the maximum moves (Milakov & Gimelshein 2018). */
export function softmaxByHand(rows: number, columns: number): HandWritten {
  const [size, width] = [rows * columns / 4, columns / 4];
  const names = [0, 1, 2, 3].map((q) => `x${q}`);
  const wgsl = `${bindings([["X", "vec4f", size], ["Y", "vec4f", size]])}
${
    eightLanes(`let row = (group.x * 8u + lane) * ${width}u;
  var m = -3e38;
  var s = 0.0;
  for (var i = 0u; i < ${width}u + hidden; i += 4u) {
    ${each(4, (q) => `let x${q} = X[row + i + ${q}u] * ${log2e};`)}
    let top = ${names.reduce((a, b) => `max(${a}, ${b})`)};
    let larger = max(m, ${largest("top")});
    let e = ${names.map((x) => `exp2(${x} - larger)`).join(" + ")};
    s = s * exp2(m - larger) + ${across("e")};
    m = larger;
  }
  let shift = m + log2(s);
  for (var i = 0u; i < ${width}u + hidden; i += 2u) {
    ${each(2, (q) => `Y[row + i + ${q}u] = exp2(X[row + i + ${q}u] * ${log2e} - shift);`)}
  }`)
  }`;
  return { kernels: [{ wgsl, buffers: ["x", "y"], groups: [rows / 8] }], memory: { y: rows * columns } };
}

/** dx = y·(dy − Σ y·dy) from the softmax y and the cotangent dy. */
export function softmaxBackwardByHand(rows: number, columns: number): HandWritten {
  const [size, width] = [rows * columns / 4, columns / 4];
  const wgsl = `${bindings([["S", "vec4f", size], ["G", "vec4f", size], ["Y", "vec4f", size]])}
${
    eightLanes(`let row = (group.x * 8u + lane) * ${width}u;
  var dot = vec4f();
  for (var i = 0u; i < ${width}u + hidden; i += 2u) {
    ${each(2, (q) => `dot += S[row + i + ${q}u] * G[row + i + ${q}u];`)}
  }
  let shift = ${across("dot")};
  for (var i = 0u; i < ${width}u + hidden; i += 2u) {
    ${each(2, (q) => `Y[row + i + ${q}u] = S[row + i + ${q}u] * (G[row + i + ${q}u] - shift);`)}
  }`)
  }`;
  return { kernels: [{ wgsl, buffers: ["s", "g", "y"], groups: [rows / 8] }], memory: { y: rows * columns } };
}
