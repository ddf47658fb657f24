/** Products of matrices, alone and in stacks. */

import { matmul, transpose } from "../../../mod.ts";
import { matmulByHand } from "../by_hand/matmul.ts";
import { type Floats, onDevice, type PeerWorkload, resident, type Workload } from "./workload.ts";

interface MatmulOptions {
  readonly batch?: number;
  readonly transposedA?: boolean;
  readonly transposedB?: boolean;
  readonly seeds?: readonly [number, number];
  readonly peer?: string;
  readonly peerProgram?: PeerWorkload;
  /** Rows that share a panel, by hand. */
  readonly rows?: number;
}

export function product(
  [m, k, n]: readonly [number, number, number],
  { batch, transposedA = false, transposedB = false, seeds = [1, 2], peer, peerProgram, rows }:
    MatmulOptions = {},
): Workload {
  const stack = batch === undefined ? [] : [batch];
  const tensors = {
    a: resident([...stack, ...transposedA ? [k, m] : [m, k]], seeds[0]),
    b: resident([...stack, ...transposedB ? [n, k] : [k, n]], seeds[1]),
  };
  const times = (a: Floats, b: Floats) => (matmul as unknown as (a: Floats, b: Floats) => Floats)(a, b);
  return {
    ...peer !== undefined && { peer },
    ...peerProgram !== undefined && { peerProgram },
    flop: 2 * (batch ?? 1) * m * k * n,
    tensors,
    model: onDevice(tensors, ({ a, b }) => ({
      y: times(
        transposedA ? transpose(a!) as Floats : a!,
        transposedB ? transpose(b!) as Floats : b!,
      ),
    })),
    ...rows !== undefined && {
      byHand: () =>
        matmulByHand({ m, k, n, rows, transposedA, transposedB, ...batch !== undefined && { batch } }),
    },
    elements: {
      y(i) {
        const [column, row, matrix] = [i % n, Math.floor(i / n) % m, Math.floor(i / n / m)];
        const [a0, b0] = [matrix * m * k, matrix * k * n];
        let total = 0;
        for (let step = 0; step < k; step++) {
          const a = tensors.a.data[a0 + (transposedA ? step * m + row : row * k + step)]!;
          total += a * tensors.b.data[b0 + (transposedB ? column * k + step : step * n + column)]!;
        }
        return total;
      },
    },
  };
}
