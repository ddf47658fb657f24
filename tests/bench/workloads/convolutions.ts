/** A convolution of 3×3 with a border of one pixel, and its gradients by the data and by the weights. */

import { conv, gradient } from "../../../mod.ts";
import { convolutionByDataByHand, convolutionByHand } from "../by_hand/convolution.ts";
import { convolutionByWeightsByHand } from "../by_hand/convolution_weights.ts";
import { type Floats, onDevice, resident, type Workload } from "./workload.ts";

const [batch, channels, filters, side] = [8, 32, 64, 56];
const flop = 2 * batch * filters * side * side * channels * 9;
const image = [batch, channels, side, side];
const result = [batch, filters, side, side];
const kernel = [filters, channels, 3, 3];

/** The sum over the taps whose pixel, `toward` (1 or −1) away from this one, lies inside. */
function overTaps(
  row: number,
  column: number,
  toward: number,
  f: (row: number, column: number, tap: number) => number,
): number {
  let total = 0;
  for (let tap = 0; tap < 9; tap++) {
    const [i, j] = [row + toward * (Math.floor(tap / 3) - 1), column + toward * (tap % 3 - 1)];
    if (i >= 0 && j >= 0 && i < side && j < side) total += f(i, j, tap);
  }
  return total;
}

const pixel = (plane: number, row: number, column: number) => (plane * side + row) * side + column;
const placeOf = (i: number, planes: number) => ({
  column: i % side,
  row: Math.floor(i / side) % side,
  plane: Math.floor(i / side / side) % planes,
  n: Math.floor(i / side / side / planes),
});

export function convolution(): Workload {
  const tensors = { x: resident(image, 12), w: resident(kernel, 13) };
  const [x, w] = [tensors.x.data, tensors.w.data];
  return {
    peer: "conv2d",
    flop,
    tensors,
    model: onDevice(tensors, ({ x, w }) => ({ y: conv(x!, w!, { padding: 1 }) as Floats })),
    byHand: () =>
      convolutionByHand({
        batch,
        from: channels,
        to: filters,
        height: side,
        width: side,
        depth: 8,
        rows: 14,
      }),
    elements: {
      y(at) {
        const { n, plane, row, column } = placeOf(at, filters);
        let total = 0;
        for (let c = 0; c < channels; c++) {
          total += overTaps(
            row,
            column,
            1,
            (i, j, tap) => x[pixel(n * channels + c, i, j)]! * w[(plane * channels + c) * 9 + tap]!,
          );
        }
        return total;
      },
    },
  };
}

export function convolutionByData(): Workload {
  const tensors = { dy: resident(result, 14), w: resident(kernel, 13), x: resident(image, 12) };
  const [dy, w] = [tensors.dy.data, tensors.w.data];
  return {
    peerProgram: "conv_by_data",
    flop,
    tensors,
    model: onDevice(tensors, ({ dy, w, x }) => ({
      y: gradient(conv(x!, w!, { padding: 1 }), [x!], dy!)[0] as Floats,
    })),
    byHand: () =>
      convolutionByDataByHand({
        batch,
        from: filters,
        to: channels,
        height: side,
        width: side,
        depth: 8,
        rows: 28,
      }),
    elements: {
      y(at) {
        const { n, plane, row, column } = placeOf(at, channels);
        let total = 0;
        for (let o = 0; o < filters; o++) {
          total += overTaps(
            row,
            column,
            -1,
            (i, j, tap) => dy[pixel(n * filters + o, i, j)]! * w[(o * channels + plane) * 9 + tap]!,
          );
        }
        return total;
      },
    },
  };
}

export function convolutionByWeights(): Workload {
  const tensors = { x: resident(image, 12), dy: resident(result, 14), w: resident(kernel, 13) };
  const [x, dy] = [tensors.x.data, tensors.dy.data];
  return {
    peerProgram: "conv_by_weights",
    flop,
    tensors,
    model: onDevice(tensors, ({ x, dy, w }) => ({
      y: gradient(conv(x!, w!, { padding: 1 }), [w!], dy!)[0] as Floats,
    })),
    byHand: () =>
      convolutionByWeightsByHand({
        batch,
        channels,
        filters,
        height: side,
        width: side,
        pixels: 28,
        depth: 8,
      }),
    elements: {
      y(at) {
        const [tap, c, o] = [at % 9, Math.floor(at / 9) % channels, Math.floor(at / 9 / channels)];
        let total = 0;
        for (let n = 0; n < batch; n++) {
          for (let row = 0; row < side; row++) {
            for (let column = 0; column < side; column++) {
              const [i, j] = [row + Math.floor(tap / 3) - 1, column + tap % 3 - 1];
              if (i < 0 || j < 0 || i >= side || j >= side) continue;
              total += dy[pixel(n * filters + o, row, column)]! * x[pixel(n * channels + c, i, j)]!;
            }
          }
        }
        return total;
      },
    },
  };
}
