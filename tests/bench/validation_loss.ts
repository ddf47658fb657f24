/**
 * The loss of the training program on the whole validation split, for several seeds: how well what it trains has learned.
 *
 *     deno run -A runtime/setup/main.ts tests/bench/validation_loss.ts --text FILE [--seeds 1,2,3] [--rate X]
 *
 * All other options are the training program's defaults. nanoGPT publishes 1.88 for its small configuration on tiny
 * Shakespeare, an estimate on 240 random pieces of the validation split; the whole split is what is measured here.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { withDefaults } from "../../examples/train_gpt/options.ts";
import { train } from "../../examples/train_gpt/train.ts";

const { values } = parseArgs({
  options: {
    text: { type: "string" },
    seeds: { type: "string", default: "1,2,3" },
    rate: { type: "string" },
  },
});
if (values.text === undefined) {
  console.error("Which text? --text FILE");
  Deno.exit(2);
}

const losses: number[] = [];
for (const seed of values.seeds.split(",").map(Number)) {
  const out = await Deno.makeTempDir({ prefix: "weft" });
  const said = { text: values.text, seed, out, sample: 0, ...values.rate && { rate: Number(values.rate) } };
  const { validation } = await train(withDefaults(said), undefined, { aborted: false });
  await Deno.remove(out, { recursive: true });
  losses.push(validation!);
}
const sorted = losses.toSorted((a, b) => a - b);
console.log(`whole validation split, by seed: ${losses.map((loss) => loss.toFixed(4)).join(" ")}`);
console.log(`median: ${sorted[sorted.length >> 1]!.toFixed(4)}`);
