/** gelu(1.3·x + 0.1)·sigmoid(x): each lane walks over 256 vec4s, eight apart, two per turn. */

import { bindings, each, eightLanes, type HandWritten } from "./kernel.ts";

const perLane = 256;
const unroll = 2;

export function chainByHand(n: number): HandWritten {
  // gelu by tanh is u·sigmoid(2·√(2/π)·(u + 0.044715·u³)), and a sigmoid is 1 / (1 + 2^(−log₂e·x)).
  const wgsl = `${bindings([["X", "vec4f", n / 4], ["Y", "vec4f", n / 4]])}
fn f(x: vec4f) -> vec4f {
  let u = x * 1.3 + 0.1;
  let z = u * (u * u * -0.10294324 - 2.3022082);
  return u / ((1.0 + exp2(z)) * (1.0 + exp2(x * -1.44269504)));
}
${
    eightLanes(`let first = group.x * ${8 * perLane}u + lane;
  for (var i = 0u; i < ${8 * perLane}u + hidden; i += ${8 * unroll}u) {
    ${each(unroll, (q) => `Y[first + i + ${8 * q}u] = f(X[first + i + ${8 * q}u]);`)}
  }`)
  }`;
  return {
    kernels: [{ wgsl, buffers: ["x", "y"], groups: [n / 4 / 8 / perLane] }],
    memory: { y: n },
  };
}
