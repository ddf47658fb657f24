/** A GPT that reads one token per run says what the whole context at once says, and the page's text follows from it. */

import assert from "node:assert/strict";
import { gpt } from "../../examples/gpt.ts";
import { gptDecoder } from "../../examples/gpt_decode.ts";
import { draw, randomOf, write } from "../../examples/pages/text.js";
import { compile, type Device, type ModelExecutable, openDevice } from "../../mod.ts";
import { buildBundle } from "../../runtime/bundle/build.ts";
import { randomOf as random } from "../support/random.ts";

const shape = { layers: 2, heads: 2, width: 16, context: 12, symbols: 19, tied: true, bias: false };
const { context, symbols } = shape;

interface Pair extends Disposable {
  readonly decoder: ModelExecutable<
    ReturnType<typeof gptDecoder>["inputs"],
    ReturnType<typeof gptDecoder>["outputs"]
  >;
  /** Logits [context, symbols] of a text of at most that many tokens. */
  whole(text: readonly number[]): Promise<Float32Array>;
}

/** Both models with the same parameters, large enough that tokens differ. */
async function pair(device: Device, options: typeof shape): Promise<Pair> {
  const model = gpt(options).only("logits").without("targets");
  const full = await compile(model, { device, sizes: { batch: 1 } });
  const next = random(5);
  for (const name of full.state.names) {
    const { shape } = full.state.type(name);
    const values = Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => next() * 0.8 - 0.4);
    full.state.write(name, values);
  }
  const decoder = await compile(gptDecoder(options), { device, state: full.state });
  return {
    decoder,
    async whole(text) {
      const tokens = new Int32Array(context);
      tokens.set(text);
      return await full.run({ tokens }).logits.read() as Float32Array;
    },
    [Symbol.dispose]() {
      decoder[Symbol.dispose]();
      full[Symbol.dispose]();
    },
  };
}

const read = async ({ decoder }: Pair, token: number, position: number): Promise<Float32Array> =>
  await decoder.run({ token: Int32Array.of(token), position: Int32Array.of(position) }).logits
    .read() as Float32Array;

function assertNear(got: Float32Array, wanted: Float32Array, what: string): void {
  assert.equal(got.length, wanted.length);
  got.forEach((x, i) => assert(Math.abs(x - wanted[i]!) < 1e-4, `${what}: ${x} is not ${wanted[i]} at ${i}`));
}

for (const options of [shape, { ...shape, tied: false, bias: true }]) {
  const named = options.tied ? "with tied weights" : "with biases and a head";
  Deno.test(`a GPT ${named} gives the same logits token by token as all at once, text after text`, async () => {
    using device = await openDevice({ device: "cpu" });
    using both = await pair(device, options);
    const next = random(9);
    for (const length of [context, 5]) {
      const text = Array.from({ length }, () => Math.floor(next() * symbols));
      const wanted = await both.whole(text);
      for (const [position, token] of text.entries()) {
        const row = wanted.subarray(position * symbols, (position + 1) * symbols);
        assertNear(await read(both, token, position), row, `position ${position} of ${length}`);
      }
      // What lies at later positions is never seen, whatever it is.
      for (const name of both.decoder.state.names.filter((name) => name.startsWith("cache"))) {
        const cache = await both.decoder.state.read(name) as Float32Array;
        both.decoder.state.write(name, cache.fill(NaN));
      }
    }
  });
}

Deno.test("the caches are written where they lie, one row per run", async () => {
  const { manifest } = await buildBundle(gptDecoder(shape), { name: "gpt", selfTest: false, format: "json" });
  const [program] = manifest.variants[0]!.programs;
  assert.deepEqual(program!.steps.filter((step) => "from" in step), []);
  const caches = manifest.state.filter(({ name }) => name.startsWith("cache"));
  assert.deepEqual(caches.map(({ shape }) => shape), Array(4).fill([1, 2, context, 8]));
});

Deno.test("the page's text is what the whole context would give, also where the text outgrows it", async () => {
  using device = await openDevice({ device: "cpu" });
  using both = await pair(device, shape);
  const letters = Array.from({ length: symbols }, (_, i) => String.fromCharCode(97 + i));
  const bundle = {
    async run(
      { token, position }: { readonly token: Int32Array; readonly position: Int32Array },
      { outputs }: { readonly outputs: readonly string[] },
    ) {
      const { logits } = both.decoder.run({ token, position });
      return outputs.length > 0 ? { logits: await logits.read() } : {};
    },
  };
  const generate = async (options: object) => {
    let text = "";
    for await (const letter of write(bundle, { symbols: letters.join(""), shape: { context } }, options)) {
      text += letter;
    }
    return text;
  };
  const options = { prompt: "cabXbage", temperature: 1.3, choices: 5, seed: 4, count: 3 * context };
  const written = await generate(options);
  const next = randomOf(4);
  let text = [..."cabbage"].map((letter) => letters.indexOf(letter));
  let wanted = "";
  while (wanted.length < options.count) {
    if (text.length > context) text = text.slice(-context / 2);
    const row = (await both.whole(text)).subarray((text.length - 1) * symbols, text.length * symbols);
    const token = draw(row, { temperature: 1.3, choices: 5, random: next });
    wanted += letters[token];
    text.push(token);
  }
  assert.equal(written, wanted);
  assert.equal(await generate(options), written, "a text before it changes nothing");
  assert.notEqual(await generate({ ...options, seed: 5 }), written);
  const stopped = new AbortController();
  stopped.abort();
  assert.equal(await generate({ ...options, signal: stopped.signal }), "");
});
