/**
 * A convolution of 3×3 with a border of one pixel, and its gradient by the data, which is the same with turned weights.
 *
 * The image is laid out as [N, H + 2, W + 2, C] first. Then a lane owns eight output channels: it keeps their weights for a
 * few input channels in a private array, slides a window of 3×3 pixels along the rows (all lanes load the same), and adds
 * up in memory at places that only it touches. A third kernel brings the result back to [N, C, H, W].
 */

import { bindings, each, eightLanes, type HandKernel, type HandWritten } from "./kernel.ts";

export interface ConvolutionSizes {
  readonly batch: number;
  /** Channels of what is read and of what is written. */
  readonly from: number;
  readonly to: number;
  readonly height: number;
  readonly width: number;
  /** Input channels whose weights a lane keeps at a time. */
  readonly depth: number;
  /** Rows of the image that share a panel of weights. */
  readonly rows: number;
}

const perLane = 8;
const taps = 9;
const range = (n: number) => Array.from({ length: n }, (_, i) => i);

/** y = x ⋆ w with x [N, C, H, W] and w [O, C, 3, 3]. */
export function convolutionByHand(sizes: ConvolutionSizes): HandWritten {
  return convolution(sizes, "x", (o, c, tap) => `((${o}) * ${sizes.from}u + ${c}) * ${taps}u + ${tap}`);
}

/** ∂x from dy [N, O, H, W] and w [O, C, 3, 3]; here `from` is O. */
export function convolutionByDataByHand(sizes: ConvolutionSizes): HandWritten {
  return convolution(sizes, "dy", (c, o, tap) => `((${o}) * ${sizes.to}u + ${c}) * ${taps}u + 8u - ${tap}`);
}

function convolution(
  { batch, from, to, height, width, depth, rows }: ConvolutionSizes,
  image: string,
  weightAt: (to: string, from: string, tap: string) => string,
): HandWritten {
  const padded = batch * (height + 2) * (width + 2) * from;
  const moved = batch * height * width * to;
  const lanesAcross = to / perLane;
  const rowsAtOnce = 8 / lanesAcross;
  const [from4, to4, quads] = [from / 4, to / 4, depth / 4];
  const window = (column: string, make: (row: number, quad: number) => string) =>
    range(3).flatMap((row) =>
      range(quads).map((quad) =>
        `${make(row, quad)} = X[pixel + ${row * (width + 2) * from4 + quad}u + ${column}];`
      )
    ).join("\n");
  const outputs = (v: number) =>
    `{
      var s = select(Y[at + ${v}u], vec4f(), c0 == 0u);
      ${
      range(depth).flatMap((c) =>
        range(taps).map((tap) =>
          `s += x${tap % 3}_${Math.floor(tap / 3)}_${c >> 2}.${"xyzw"[c & 3]} * panel[${
            (c * taps + tap) * 2 + v
          }];`
        )
      ).join("\n")
    }
      Y[at + ${v}u] = s;
    }`;
  const wgsl = `${
    bindings([["X", "vec4f", padded / 4], ["W", "f32", from * to * taps], ["Y", "vec4f", moved / 4]])
  }
${
    eightLanes(`let channel = (lane % ${lanesAcross}u) * ${perLane}u;
  let row0 = group.x * ${rows}u + lane / ${lanesAcross}u;
  var panel: array<vec4f, ${depth * taps * 2}>;
  for (var c0 = 0u; c0 < ${from}u + hidden; c0 += ${depth}u) {
    for (var i = 0u; i < ${depth * taps}u + hidden; i++) {
      let c = c0 + i / ${taps}u;
      let tap = i % ${taps}u;
      ${
      each(2, (v) =>
        `panel[i * 2u + ${v}u] = vec4f(${
          range(4).map((e) => `W[${weightAt(`channel + ${4 * v + e}u`, "c", "tap")}]`).join(", ")
        });`)
    }
    }
    for (var i = 0u; i < ${rows}u + hidden; i += ${rowsAtOnce}u) {
      let row = row0 + i;
      let pixel = (group.y * ${height + 2}u + row) * ${(width + 2) * from4}u + c0 / 4u;
      let result = (group.y * ${height}u + row) * ${width * to4}u + channel / 4u;
      ${
      window("0u", (row, quad) => `var x0_${row}_${quad}`)
    }
      ${window(`${from4}u`, (row, quad) => `var x1_${row}_${quad}`)}
      for (var j = 0u; j < ${width}u + hidden; j++) {
        let at = result + j * ${to4}u;
        ${window(`(j + 2u) * ${from4}u`, (row, quad) => `let x2_${row}_${quad}`)}
        ${each(2, outputs)}
        ${
      range(3).flatMap((row) =>
        range(quads).map((quad) =>
          `x0_${row}_${quad} = x1_${row}_${quad}; x1_${row}_${quad} = x2_${row}_${quad};`
        )
      ).join("\n")
    }
      }
    }
  }`)
  }`;
  return {
    kernels: [
      channelsLast(image, { batch, channels: from, height, width }),
      { wgsl, buffers: ["padded", "w", "moved"], groups: [height / rows, batch] },
      channelsFirst({ batch, channels: to, pixels: height * width, perGroup: width }),
    ],
    memory: { padded, moved, y: moved },
  };
}

/** [N, C, H, W] to [N, H + 2, W + 2, C] with a border of zeros. A workgroup has a row. */
function channelsLast(
  image: string,
  { batch, channels, height, width }: {
    readonly batch: number;
    readonly channels: number;
    readonly height: number;
    readonly width: number;
  },
): HandKernel {
  const [plane, quads] = [height * width, channels / 4];
  const wgsl = `${
    bindings([
      ["X", "f32", batch * channels * plane],
      ["Y", "vec4f", batch * (height + 2) * (width + 2) * quads],
    ])
  }
${
    eightLanes(`let row = group.x;
  for (var q = 0u; q < ${quads}u + hidden; q++) {
    let source = (group.y * ${channels}u + q * 4u) * ${plane}u;
    for (var j = lane; j < ${width + 2}u; j += 8u) {
      let inside = row >= 1u && row <= ${height}u && j >= 1u && j <= ${width}u;
      let at = select(0u, source + (row - 1u) * ${width}u + j - 1u, inside);
      let v = vec4f(X[at], X[at + ${plane}u], X[at + ${2 * plane}u], X[at + ${3 * plane}u]);
      Y[((group.y * ${height + 2}u + row) * ${width + 2}u + j) * ${quads}u + q] = select(vec4f(), v, inside);
    }
  }`)
  }`;
  return { wgsl, buffers: [image, "padded"], groups: [height + 2, batch] };
}

/** [N, P, C] to [N, C, P]. A workgroup has `perGroup` pixels. */
function channelsFirst(
  { batch, channels, pixels, perGroup }: {
    readonly batch: number;
    readonly channels: number;
    readonly pixels: number;
    readonly perGroup: number;
  },
): HandKernel {
  const quads = channels / 4;
  const wgsl = `${bindings([["X", "vec4f", batch * pixels * quads], ["Y", "f32", batch * pixels * channels]])}
${
    eightLanes(`for (var i = 0u; i < ${perGroup}u + hidden; i += 8u) {
    let pixel = group.x * ${perGroup}u + i + lane;
    for (var q = 0u; q < ${quads}u + hidden; q++) {
      let v = X[(group.y * ${pixels}u + pixel) * ${quads}u + q];
      let at = (group.y * ${channels}u + q * 4u) * ${pixels}u + pixel;
      ${each(4, (e) => `Y[at + ${e * pixels}u] = v.${"xyzw"[e]};`)}
    }
  }`)
  }`;
  return { wgsl, buffers: ["moved", "y"], groups: [pixels / perGroup, batch] };
}
