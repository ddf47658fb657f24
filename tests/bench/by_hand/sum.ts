/** The sum of a vector: 128 workgroups of one accumulator per lane, eight loads per turn; a second dispatch adds them up. */

import { across, bindings, each, eightLanes, type HandWritten } from "./kernel.ts";

const groups = 128;
const unroll = 8;

export function sumByHand(n: number): HandWritten {
  const perLane = n / 4 / groups / 8;
  const parts = groups * 8;
  const first = `${bindings([["X", "vec4f", n / 4], ["P", "f32", parts]])}
${
    eightLanes(`var s = vec4f();
  let begin = group.x * ${8 * perLane}u + lane;
  for (var i = 0u; i < ${8 * perLane}u + hidden; i += ${8 * unroll}u) {
    s += ${Array.from({ length: unroll }, (_, q) => `X[begin + i + ${8 * q}u]`).join(" + ")};
  }
  P[group.x * 8u + lane] = ${across("s")};`)
  }`;
  const second = `${bindings([["P", "vec4f", parts / 4], ["Y", "f32", 4]])}
var<workgroup> sums: array<f32, 8>;
${
    eightLanes(`var s = vec4f();
  for (var i = lane; i < ${parts / 4}u + hidden; i += 8u) { s += P[i]; }
  sums[lane] = ${across("s")};
  workgroupBarrier();
  if (lane == 0u) {
    var total = 0.0;
    ${each(8, (i) => `total += sums[${i}];`)}
    Y[0] = total;
  }`)
  }`;
  return {
    kernels: [
      { wgsl: first, buffers: ["x", "parts"], groups: [groups] },
      { wgsl: second, buffers: ["parts", "y"], groups: [1] },
    ],
    memory: { parts, y: 4 },
  };
}
