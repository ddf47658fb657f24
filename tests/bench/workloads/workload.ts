/**
 * A workload that is measured side by side: a model for Weft, kernels by hand where there are any, the name that the
 * peers' runners know it by, and the numbers that have to come out.
 * @module
 */

import { type Model, model, state, type Tensor } from "../../../mod.ts";
import type { HandWritten } from "../by_hand/kernel.ts";
import { numbers } from "../numbers.ts";

/** A tensor that lies on the device before anything is measured. */
export interface Resident {
  readonly shape: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
}

/** What every program in `peer_programs/` knows. */
export type PeerWorkload =
  | "matmul_nt"
  | "matmul_tn"
  | "softmax_backward"
  | "layer_norm_backward"
  | "conv_by_data"
  | "conv_by_weights"
  | "attention"
  | "attention_backward";

export interface Workload {
  /** What the peers' runners call it. */
  readonly peer?: string;
  /** What the programs in `peer_programs/` call it, for those that the runners don't know. */
  readonly peerProgram?: PeerWorkload;
  /** Floating-point operations of one run. */
  readonly flop?: number;
  /** Bytes that one run has to read and write. */
  readonly bytes?: number;
  readonly tensors: Readonly<Record<string, Resident>>;
  model(): Model;
  readonly sizes?: Readonly<Record<string, number>>;
  readonly feeds?: Readonly<Record<string, Float32Array | Int32Array>>;
  readonly byHand?: () => HandWritten;
  /** Some element of an output or a state, in f64, by its name. A training step has none. */
  readonly elements?: Readonly<Record<string, (i: number) => number>>;
  /** A run changes what it starts from: only the first one's numbers are known. */
  readonly advances?: boolean;
}

export type Floats = Tensor<readonly number[], "f32">;

export const resident = (shape: readonly number[], seed: number, lo?: number, hi?: number): Resident => ({
  shape,
  data: numbers(shape.reduce((n, d) => n * d, 1), seed, lo, hi),
});

/** A model whose inputs lie on the device, as those of the peers do. */
export function onDevice(
  tensors: Readonly<Record<string, Resident>>,
  f: (t: Readonly<Record<string, Floats>>) => Readonly<Record<string, Floats>>,
): () => Model {
  return () =>
    model({}, () => {
      const states = Object.entries(tensors).map(([name, { shape, data }]) =>
        [name, state(name, shape, () => data) as Floats] as const
      );
      return f(Object.fromEntries(states));
    });
}
