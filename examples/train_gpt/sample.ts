/**
 * Writing text: a program that keeps what it has written so far, and adds a character per run.
 *
 * The text stays on the device as state; the host only reads the characters, some runs late.
 */

import {
  add,
  categorical,
  compile,
  type Device,
  type DeviceTensor,
  div,
  equal,
  expandDims,
  expectShape,
  gather,
  init,
  input,
  type InputSpec,
  iota,
  less,
  minimum,
  type Model,
  model,
  named,
  reshape,
  roll,
  setState,
  type Shape,
  type State,
  state,
  sub,
  takeAlongAxis,
  type Tensor,
  topK,
  where,
} from "../../mod.ts";
import { gptNetwork, type GptOptions } from "../gpt.ts";

type WriterInputs = { temperature: InputSpec<readonly [], "f32"> };
type WriterOutputs = { token: Tensor<readonly [1], "i32"> };

/** One run adds one character, drawn from the `choices` likeliest. */
export function writerModel(shape: GptOptions, choices: number): Model<WriterInputs, WriterOutputs> {
  const { context, symbols } = shape;
  return model({ temperature: input([], "f32") }, ({ temperature }) => {
    const network = gptNetwork(shape);
    return named("writer", () => {
      // What is written, from the left; when it is full, the oldest character makes room.
      const text = state("text", [1, context], init.zeros(), "i32");
      const length = state("length", [1], init.ones(), "i32");
      const last = gather(network.hidden(text), sub(length, 1), 1);
      const { values, indices } = topK(network.logits(last), Math.min(choices, symbols));
      const choice = categorical(div(values, temperature) as Tensor<Shape, "f32">);
      const token = reshape(takeAlongAxis(indices, expandDims(choice, -1) as Tensor<Shape, "i32">), [1]);

      const kept = where(less(length, context), text, roll(text, -1) as typeof text);
      const place = equal(iota([1, context]), minimum(length, context - 1));
      setState(text, expectShape(where(place, token, kept), [1, context]));
      setState(length, minimum(add(length, 1), context));
      return { token };
    });
  });
}

/** Asked before each step; an AbortSignal is one. */
export interface Stop {
  readonly aborted: boolean;
}

export interface WriteOptions {
  readonly device: Device;
  /** Where the parameters are. */
  readonly state: State;
  readonly seed: number;
  /** What the text goes on from; at least one token. */
  readonly prompt: readonly number[];
  readonly count: number;
  readonly temperature: number;
  /** Tokens among which each is chosen. */
  readonly topK: number;
  readonly stop: Stop;
}

/** Runs whose tokens are read at a time; as many as a small result stays valid for. */
const READ_TOGETHER = 8;

/** Tokens that go on from the prompt. */
export async function write(shape: GptOptions, options: WriteOptions): Promise<number[]> {
  const { device, state, seed, count, temperature, stop } = options;
  const choices = temperature === 0 ? 1 : options.topK;
  using writer = await compile(writerModel(shape, choices), { device, state, seed });
  const prompt = options.prompt.slice(-shape.context);
  const text = new Int32Array(shape.context);
  text.set(prompt);
  writer.state.write("writer/text", text);
  writer.state.write("writer/length", Int32Array.of(prompt.length));
  const feeds = { temperature: Float32Array.of(temperature === 0 ? 1 : temperature) };
  const written: number[] = [];
  while (written.length < count && !stop.aborted) {
    const runs: DeviceTensor<readonly [1], "i32">[] = [];
    for (let i = 0; i < Math.min(READ_TOGETHER, count - written.length); i++) {
      runs.push(writer.run(feeds).token);
    }
    for (const token of await Promise.all(runs.map((run) => run.read()))) written.push(token[0]!);
  }
  return written;
}
