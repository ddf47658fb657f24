/**
 * A GPT that reads one token per run: what earlier tokens left for later ones to see, their keys and values, stays on the
 * device as state. A token costs one row of every product, and attention over a cache.
 *
 * Its parameters are those of gpt.ts, under the same names, so it runs what `deno task train` has trained.
 */

import {
  attention,
  equal,
  init,
  input,
  type InputSpec,
  iota,
  lessEqual,
  type Model,
  model,
  named,
  setState,
  type Shape,
  state,
  type Tensor,
  where,
} from "../mod.ts";
import { gptNetwork, type GptOptions } from "./gpt.ts";

export type DecoderInputs = {
  token: InputSpec<readonly [1, 1], "i32">;
  position: InputSpec<readonly [1], "i32">;
};

/**
 * A token and its position, 0 … context - 1, to the logits [1, 1, symbols] of the token that follows.
 *
 * A run sees what stands at positions up to its own, so a text is fed from position 0 on; what a text before it has left
 * further behind is never seen, and nothing has to be cleared in between.
 */
export function gptDecoder(
  options: GptOptions,
): Model<DecoderInputs, { logits: Tensor<Shape, "f32"> }> {
  const { heads, width, context } = options;
  const cached = [1, heads, context, width / heads] as const;
  return model({ token: input([1, 1], "i32"), position: input([1], "i32") }, ({ token, position }) => {
    const network = gptNetwork(options);
    const isHere = equal(iota([context, 1], 0), position);
    const isSeen = lessEqual(iota([1, context]), position);
    /** The cache with a row more, which it holds from now on. */
    const remembered = (name: string, row: Tensor<Shape, "f32">) => {
      const cache = state(name, cached, init.zeros());
      const next = where(isHere, row, cache) as typeof cache;
      setState(cache, next);
      return next;
    };
    const hidden = network.hidden(token, {
      positions: position,
      attend: (layer) => (q, k, v) =>
        named(`cache${layer}`, () => {
          return attention(q, remembered("keys", k), remembered("values", v), { mask: isSeen });
        }),
    });
    return { logits: network.logits(hidden) };
  });
}
