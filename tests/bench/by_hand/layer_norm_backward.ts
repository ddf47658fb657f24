/**
 * The gradients of a layer norm from its input and a cotangent. A lane has two rows: one pass gives the moments and both
 * sums, a second writes dx and what the rows add to dγ and dβ. A second dispatch sums those by columns.
 */

import { across, bindings, each, eightLanes, type HandWritten } from "./kernel.ts";

const epsilon = 1e-5;

/** Moments as in the forward kernel, of the row less its first number; Σ g·x̂ follows from the same pass. */
export function layerNormBackwardByHand(rows: number, columns: number, perLane = 2): HandWritten {
  const [size, width, parts] = [rows * columns / 4, columns / 4, rows / perLane];
  const at = (p: number) => `row + i + ${p * width}u`;
  const lanes = (f: (p: number) => string) => each(perLane, f);
  const sum = (f: (p: number) => string) => Array.from({ length: perLane }, (_, p) => f(p)).join(" + ");
  const gradients = `${
    bindings([
      ["X", "vec4f", size],
      ["G", "vec4f", width],
      ["D", "vec4f", size],
      ["Y", "vec4f", size],
      ["P", "vec4f", parts * width * 2],
    ], 2)
  }
${
    eightLanes(`let number = group.x * 8u + lane;
  let row = number * ${perLane * width}u;
  ${
      lanes((p) =>
        `var s${p} = vec4f(); var q${p} = vec4f(); var t${p} = vec4f(); var u${p} = vec4f();
  let h${p} = X[row + ${p * width}u].x;`
      )
    }
  for (var i = 0u; i < ${width}u + hidden; i++) {
    let g = G[i];
    ${
      lanes((p) =>
        `let x${p} = X[${at(p)}] - h${p};
    let d${p} = D[${at(p)}] * g;
    s${p} += x${p}; q${p} += x${p} * x${p}; t${p} += d${p}; u${p} += d${p} * x${p};`
      )
    }
  }
  ${
      lanes((p) =>
        `let c${p} = ${across(`s${p}`)} / ${columns}.0;
  let r${p} = inverseSqrt(max(${across(`q${p}`)} / ${columns}.0 - c${p} * c${p}, 0.0) + ${epsilon});
  let m${p} = -(h${p} + c${p}) * r${p};
  let total${p} = ${across(`t${p}`)};
  let a${p} = total${p} * r${p} / ${columns}.0;
  let b${p} = (${across(`u${p}`)} - c${p} * total${p}) * r${p} * r${p} / ${columns}.0;`
      )
    }
  let part = number * ${2 * width}u;
  for (var i = 0u; i < ${width}u + hidden; i++) {
    let g = G[i];
    ${
      lanes((p) =>
        `let d${p} = D[${at(p)}];
    let x${p} = X[${at(p)}] * r${p} + m${p};
    Y[${at(p)}] = d${p} * (g * r${p}) - a${p} - x${p} * b${p};`
      )
    }
    P[part + i] = ${sum((p) => `d${p} * x${p}`)};
    P[part + ${width}u + i] = ${sum((p) => `d${p}`)};
  }`)
  }`;
  const totals = `${
    bindings([["P", "vec4f", parts * width * 2], ["DG", "vec4f", width], ["DB", "vec4f", width]], 2)
  }
${
    eightLanes(`let column = group.x * 8u + lane;
  var s = vec4f();
  for (var i = 0u; i < ${parts}u + hidden; i += 2u) {
    s += P[i * ${2 * width}u + column] + P[(i + 1u) * ${2 * width}u + column];
  }
  if (column < ${width}u) { DG[column] = s; } else { DB[column - ${width}u] = s; }`)
  }`;
  return {
    kernels: [
      { wgsl: gradients, buffers: ["x", "g", "dy", "y", "parts"], groups: [parts / 8] },
      { wgsl: totals, buffers: ["parts", "dg", "db"], groups: [2 * width / 8] },
    ],
    memory: { y: rows * columns, parts: parts * columns * 2, dg: columns, db: columns },
  };
}
