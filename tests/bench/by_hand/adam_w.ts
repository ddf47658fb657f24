/** One AdamW update: each lane walks over 250 vec4s of parameter, moments and gradient, eight apart. */

import { bindings, eightLanes, type HandWritten } from "./kernel.ts";

const perLane = 250;

export interface AdamWRule {
  readonly rate: number;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  readonly decay: number;
}

/** The buffer `scales` holds rate / (1 − β₁ᵗ) and 1 / √(1 − β₂ᵗ), which the host knows. */
export function adamWByHand(
  n: number,
  { rate, betas: [first, second], epsilon, decay }: AdamWRule,
): HandWritten {
  const wgsl = `${
    bindings([
      ["G", "vec4f", n / 4],
      ["scales", "vec4f", 1],
      ["P", "vec4f", n / 4],
      ["M", "vec4f", n / 4],
      ["V", "vec4f", n / 4],
    ], 3)
  }
${
    eightLanes(`let begin = group.x * ${8 * perLane}u + lane;
  let scale = scales[0];
  for (var i = 0u; i < ${8 * perLane}u + hidden; i += 8u) {
    let at = begin + i;
    let g = G[at];
    let m = M[at] * ${first} + g * ${(1 - first).toPrecision(8)};
    let v = V[at] * ${second} + g * g * ${(1 - second).toPrecision(8)};
    M[at] = m;
    V[at] = v;
    P[at] = P[at] * ${1 - rate * decay} - m * scale.x / (sqrt(v) * scale.y + ${epsilon});
  }`)
  }`;
  return {
    kernels: [{ wgsl, buffers: ["g", "scales", "p", "m", "v"], groups: [n / 4 / 8 / perLane] }],
    memory: {},
  };
}
