/** Convolutions of any stride, dilation and number of groups. */

import { conv } from "../../../mod.ts";
import { type Floats, onDevice, resident, type Workload } from "./workload.ts";

export interface ConvolutionShape {
  readonly batch: number;
  readonly channels: number;
  readonly filters: number;
  readonly height: number;
  readonly width: number;
  /** Of the kernel, which is a square; its border keeps the size of an image where the stride is 1. */
  readonly kernel: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly groups?: number;
}

export function anyConvolution(
  { batch, channels, filters, height, width, kernel, stride = 1, dilation = 1, groups = 1 }: ConvolutionShape,
): Workload {
  const [inGroup, border] = [channels / groups, (kernel - 1) / 2 * dilation];
  const [rows, columns] = [height, width].map((n) => Math.floor((n - 1) / stride) + 1) as [number, number];
  const tensors = {
    x: resident([batch, channels, height, width], 12),
    w: resident([filters, inGroup, kernel, kernel], 13),
  };
  const results = batch * filters * rows * columns;
  return {
    flop: 2 * results * inGroup * kernel * kernel,
    bytes: 4 * (tensors.x.data.length + results),
    tensors,
    model: onDevice(tensors, ({ x, w }) => ({
      y: conv(x!, w!, { padding: border, stride, dilation, groups }) as Floats,
    })),
    elements: {
      y(at) {
        const [column, row] = [at % columns, Math.floor(at / columns) % rows];
        const [filter, n] = [
          Math.floor(at / columns / rows) % filters,
          Math.floor(at / columns / rows / filters),
        ];
        const firstChannel = Math.floor(filter / (filters / groups)) * inGroup;
        let total = 0;
        for (let c = 0; c < inGroup; c++) {
          for (let tap = 0; tap < kernel * kernel; tap++) {
            const i = row * stride - border + Math.floor(tap / kernel) * dilation;
            const j = column * stride - border + tap % kernel * dilation;
            if (i < 0 || j < 0 || i >= height || j >= width) continue;
            total += tensors.x.data[((n * channels + firstChannel + c) * height + i) * width + j]! *
              tensors.w.data[(filter * inGroup + c) * kernel * kernel + tap]!;
          }
        }
        return total;
      },
    },
  };
}
