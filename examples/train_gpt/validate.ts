/** The loss on text that is not trained on. */

import {
  crossEntropyRows,
  input,
  type InputSpec,
  type Model,
  model,
  type ModelExecutable,
  type Shape,
  type Tensor,
} from "../../mod.ts";
import { gptNetwork, type GptOptions } from "../gpt.ts";
import { piecesAt } from "./data.ts";

type Ids = InputSpec<readonly ["pieces", number], "i32">;
export type JudgeInputs = { tokens: Ids; targets: Ids };
export type JudgeOutputs = { losses: Tensor<Shape, "f32"> };

/** The loss of every character, so that those which are in a batch twice can be left out. */
export function judgeModel(shape: GptOptions): Model<JudgeInputs, JudgeOutputs> {
  const ids = input(["pieces", shape.context], "i32");
  return model({ tokens: ids, targets: ids }, ({ tokens, targets }) => {
    const network = gptNetwork(shape);
    return { losses: crossEntropyRows(network.logits(network.hidden(tokens)), targets) };
  });
}

/** A piece of text, and from which of its characters on the loss counts. */
export interface Judged {
  readonly start: number;
  readonly from: number;
}

/** Pieces that cover a text: every character but the first is predicted once, from those before it in its piece. */
export function covering(characters: number, context: number): Judged[] {
  const last = characters - 1 - context;
  const pieces: Judged[] = [];
  for (let start = 0; start <= last; start += context) pieces.push({ start, from: 0 });
  const covered = pieces.length * context;
  // The rest, seen from as far back as a piece reaches.
  if (covered < characters - 1) pieces.push({ start: last, from: covered - last });
  return pieces;
}

/** At most `count` of the pieces, evenly spread: the same ones each time. */
export const spread = <T>(pieces: readonly T[], count: number): readonly T[] =>
  pieces.length <= count
    ? pieces
    : Array.from({ length: count }, (_, i) => pieces[Math.floor(i * pieces.length / count)]!);

/** The mean loss of the pieces' characters. */
export async function validate(
  judge: ModelExecutable<JudgeInputs, JudgeOutputs>,
  tokens: Int32Array,
  judged: readonly Judged[],
  { pieces, context }: { readonly pieces: number; readonly context: number },
): Promise<number> {
  let sum = 0;
  let count = 0;
  for (let at = 0; at < judged.length; at += pieces) {
    const batch = judged.slice(at, at + pieces);
    // All batches have one size, so that there is one program; what fills the last one up doesn't count.
    const starts = Array.from({ length: pieces }, (_, row) => (batch[row] ?? batch[0]!).start);
    const losses = await judge.run(piecesAt(tokens, starts, context)).losses.read();
    batch.forEach(({ from }, row) => {
      for (let i = from; i < context; i++) sum += losses[row * context + i]!;
      count += context - from;
    });
  }
  return sum / count;
}
