/**
 * Two networks with their weights, told layer by layer, so that other libraries can be given the same.
 * @module
 */

import { digits } from "../../../examples/pages/models.ts";
import { mlp } from "../../../examples/mnist_mlp.ts";
import { compile, type Model, openDevice } from "../../../mod.ts";
import { randomOf } from "../../support/random.ts";

/** Weights as Weft has them: linear [inputs, outputs], convolutions [outputs, inputs, height, width]. */
export type Layer =
  | { readonly kind: "linear"; readonly weight: Weights; readonly bias: Weights; readonly relu: boolean }
  | { readonly kind: "conv"; readonly weight: Weights; readonly bias: Weights; readonly stride: number }
  | { readonly kind: "flatten"; readonly shape: readonly [number, number, number] }
  | { readonly kind: "softmax" };

export interface Weights {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface Network {
  readonly name: string;
  // deno-lint-ignore no-explicit-any -- of any inputs and outputs
  readonly model: Model<any, any>;
  /** The one input and the one output, for a batch of one. */
  readonly input: { readonly name: string; readonly shape: readonly number[]; readonly data: Float32Array };
  readonly output: string;
  readonly layers: readonly Layer[];
}

/** The MLP of examples/mnist_mlp.ts, and the reader of digits of examples/pages with two convolutions. */
export function networks(): readonly Network[] {
  const plain = mlp.only("logits").without("y");
  const [l1, l2, l3] = pairsOf(plain);
  const [c1, c2, hidden, out] = pairsOf(digits);
  return [
    {
      name: "MLP 784-512-256-10",
      model: plain,
      input: { name: "x", shape: [1, 784], data: inputOf(784) },
      output: "logits",
      layers: [
        { kind: "linear", ...l1!, relu: true },
        { kind: "linear", ...l2!, relu: true },
        { kind: "linear", ...l3!, relu: false },
      ],
    },
    {
      name: "CNN of two convolutions",
      model: digits,
      input: { name: "image", shape: [1, 1, 28, 28], data: inputOf(784) },
      output: "probabilities",
      layers: [
        { kind: "conv", ...c1!, stride: 2 },
        { kind: "conv", ...c2!, stride: 2 },
        { kind: "flatten", shape: [16, 7, 7] },
        { kind: "linear", ...hidden!, relu: true },
        { kind: "linear", ...out!, relu: false },
        { kind: "softmax" },
      ],
    },
  ];
}

/** Weights and biases in the order in which layers declare them, as the model's initializers give them. */
function pairsOf({ graph }: Model): { readonly weight: Weights; readonly bias: Weights }[] {
  const all = graph.states.map(({ path, tensor, initializer }): Weights => {
    const shape = tensor.shape as readonly number[];
    return { shape, data: initializer({ shape, dtype: "f32", seed: 0, path }) as Float32Array };
  });
  return Array.from({ length: all.length / 2 }, (_, i) => ({ weight: all[2 * i]!, bias: all[2 * i + 1]! }));
}

function inputOf(elements: number): Float32Array {
  const random = randomOf(3);
  return Float32Array.from({ length: elements }, () => random());
}

/** What the network gives for its input, on the CPU. */
export async function expected({ model, input, output }: Network): Promise<Float32Array> {
  using device = await openDevice({ device: "cpu" });
  using run = await compile(model, { device, sizes: { batch: 1 } });
  return await run.run({ [input.name]: input.data } as never)[output]!.read() as Float32Array;
}
