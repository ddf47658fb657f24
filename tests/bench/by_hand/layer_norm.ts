/** Layer norm of rows and its gradient: a lane has several rows, which share what they read of scale and shift. */

import { across, bindings, each, eightLanes, type HandWritten } from "./kernel.ts";

const epsilon = 1e-5;

/** Moments in one pass, of the row less its first number, so that their difference doesn't cancel. */
export function layerNormByHand(rows: number, columns: number, perLane = 4): HandWritten {
  const [size, width] = [rows * columns / 4, columns / 4];
  const at = (p: number) => `row + i + ${p * width}u`;
  const wgsl = `${
    bindings([["X", "vec4f", size], ["G", "vec4f", width], ["B", "vec4f", width], ["Y", "vec4f", size]])
  }
${
    eightLanes(`let row = (group.x * 8u + lane) * ${perLane * width}u;
  ${each(perLane, (p) => `var s${p} = vec4f(); var q${p} = vec4f(); let h${p} = X[row + ${p * width}u].x;`)}
  for (var i = 0u; i < ${width}u + hidden; i++) {
    ${each(perLane, (p) => `let x${p} = X[${at(p)}] - h${p}; s${p} += x${p}; q${p} += x${p} * x${p};`)}
  }
  ${
      each(perLane, (p) =>
        `let d${p} = ${across(`s${p}`)} / ${columns}.0;
  let r${p} = inverseSqrt(max(${across(`q${p}`)} / ${columns}.0 - d${p} * d${p}, 0.0) + ${epsilon});
  let m${p} = h${p} + d${p};`)
    }
  for (var i = 0u; i < ${width}u + hidden; i++) {
    let g = G[i];
    let b = B[i];
    ${each(perLane, (p) => `Y[${at(p)}] = (X[${at(p)}] - m${p}) * (r${p} * g) + b;`)}
  }`)
  }`;
  return {
    kernels: [{ wgsl, buffers: ["x", "g", "b", "y"], groups: [rows / perLane / 8] }],
    memory: { y: rows * columns },
  };
}
