/**
 * Text from a bundle of `gptDecoder`: feeds it a prompt token by token, and then what it has written itself. Ordinary
 * JavaScript, for pages, Deno and Node.
 */

/** Numbers in [0, 1) that a seed decides: the same everywhere (mulberry32, by Tommy Ettinger). */
export function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let word = Math.imul(state ^ (state >>> 15), 1 | state);
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A token drawn from the `choices` likeliest; at temperature 0 the likeliest. */
export function draw(logits, { temperature, choices, random }) {
  const order = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b).slice(0, choices);
  if (temperature === 0) return order[0];
  const weights = order.map((token) => Math.exp((logits[token] - logits[order[0]]) / temperature));
  let rest = random() * weights.reduce((sum, weight) => sum + weight, 0);
  return order[weights.findIndex((weight) => (rest -= weight) < 0)] ?? order[0];
}

/**
 * Goes on from a prompt, a character at a time. Characters that the model doesn't know are left out of the prompt.
 *
 * Nothing of the bundle's state has to be put back between two texts: a run sees what stands at positions before its own,
 * and those are this text's. When the context is full, the latter half of the text is read again from position 0.
 *
 * @param bundle What `load` gave.
 * @param model What text.json says.
 */
export async function* write(bundle, { symbols, shape: { context } }, options) {
  const { prompt = "", temperature = 0.8, choices = 20, seed = 0, count = Infinity, signal } = options;
  const random = randomOf(seed);
  const letters = [...symbols];
  const known = [...prompt].map((character) => letters.indexOf(character)).filter((token) => token >= 0);
  let text = known.length > 0 ? known : [Math.max(0, letters.indexOf("\n"))];
  /** Tokens that the cache holds. */
  let read = 0;
  const run = (outputs) =>
    bundle.run({ token: Int32Array.of(text[read]), position: Int32Array.of(read++) }, { outputs });
  for (let written = 0; written < count && !signal?.aborted; written++) {
    if (text.length > context) [text, read] = [text.slice(-Math.ceil(context / 2)), 0];
    while (read < text.length - 1) await run([]);
    const { logits } = await run(["logits"]);
    const token = draw(logits, { temperature, choices, random });
    text.push(token);
    yield letters[token];
  }
}
