/** The run itself: compile, train, validate, and in the end write a text. */

import { basename, join } from "node:path";
import {
  adamW,
  compile,
  type Device,
  openDevice,
  type Optimizer,
  type State,
  trainStep,
  warmupCosine,
} from "../../mod.ts";
import { gpt, type GptOptions } from "../gpt.ts";
import { type Checkpoint, openFolder, readLosses, saveCheckpoint } from "./checkpoint.ts";
import { lossCurve, type LossPoint } from "./curve.ts";
import { Batches, type Corpus, readCorpus } from "./data.ts";
import { LateLosses } from "./late_losses.ts";
import { UsageError } from "../command_line.ts";
import type { Options } from "./options.ts";
import { showProgress } from "./progress.ts";
import { type Stop, write } from "./sample.ts";
import { covering, judgeModel, spread, validate } from "./validate.ts";

export interface Outcome {
  /** Steps that are done. */
  readonly step: number;
  readonly losses: readonly LossPoint[];
  /** The loss on the whole validation split; undefined where the run was stopped. */
  readonly validation: number | undefined;
  readonly text: string | undefined;
}

/** Trains from the beginning, or from a checkpoint, until all steps are done or somebody stops it. */
export async function train(
  options: Options,
  checkpoint: Checkpoint | undefined,
  stop: Stop,
): Promise<Outcome> {
  const corpus = await readCorpus(options.text);
  checkCorpus(corpus, options, checkpoint);
  if (!options.report) await openFolder(options.out);
  using device = await openDevice({ device: options.device });
  const shape = shapeOf(options, corpus.symbols.length);
  const { batch, context, seed, steps } = options;
  using trainer = await compile(trainerModel(options, shape), { device, seed, sizes: { batch } });
  if (options.report) {
    console.log(trainer.report());
    return { step: checkpoint?.step ?? 0, losses: [], validation: undefined, text: undefined };
  }
  const pieces = 4 * batch;
  using judge = await compile(judgeModel(shape), { device, sizes: { pieces }, state: trainer.state });
  if (checkpoint !== undefined) await trainer.state.load(checkpoint.path);

  const from = checkpoint?.step ?? 0;
  const losses = checkpoint === undefined ? [] : await readLosses(checkpoint);
  const judged = covering(corpus.validation.length, context);
  const some = spread(judged, options.evalBatches * batch);
  const save = (step: number) =>
    saveCheckpoint(trainer.state, { step, options, symbols: corpus.symbols }, losses);
  console.log(describe(corpus, trainer.state, device));

  const progress = showProgress({ from, steps, tokens: batch * context });
  const batches = new Batches(corpus.training, { seed, batch, context });
  const late = new LateLosses();
  let done = from;
  const collect = async () => {
    const read = await late.read();
    read.forEach((training, i) => losses.push({ step: done - read.length + i + 1, training }));
    const last = read.at(-1);
    if (last === undefined) return;
    if (!Number.isFinite(last)) throw new UsageError(tooFast(done));
    progress.update(done, last);
  };
  try {
    while (done < steps && !stop.aborted) {
      late.add(trainer.run(batches.at(done)).loss);
      done++;
      if (late.due) await collect();
      if (options.eval === 0 || done % options.eval !== 0 || done === steps) continue;
      await collect();
      const validation = await validate(judge, corpus.validation, some, { pieces, context });
      losses.push({ step: done, validation });
      progress.say(`step ${done}: validation loss ${validation.toFixed(4)} (${some.length} pieces)`);
      await save(done);
    }
    await collect();
  } finally {
    progress.end();
  }

  if (stop.aborted) {
    await save(done);
    await writeCurve(losses, options);
    console.log(`Stopped after step ${done}. Go on with: deno task train --resume ${options.out}`);
    return { step: done, losses, validation: undefined, text: undefined };
  }
  const validation = await validate(judge, corpus.validation, judged, { pieces, context });
  losses.push({ step: done, validation });
  console.log(`validation loss after ${done} steps: ${validation.toFixed(4)} (the whole validation split)`);
  await save(done);
  await writeCurve(losses, options);
  const text = await writeText(options, corpus, shape, { device, state: trainer.state, stop });
  console.log(`${options.out}: checkpoint, losses.csv, loss.svg${text === undefined ? "" : ", sample.txt"}`);
  return { step: done, losses, validation, text };
}

/** The network that the options ask for, for a text of so many different characters. */
export const shapeOf = (options: Options, symbols: number): GptOptions => ({
  layers: options.layers,
  heads: options.heads,
  width: options.width,
  context: options.context,
  symbols,
  bias: options.biases,
  tied: options.tied,
  dropout: options.dropout,
});

const lossOf = (shape: GptOptions) => gpt(shape).only("loss");

/** One training step, as the options want it. */
export const trainerModel = (options: Options, shape: GptOptions): ReturnType<typeof lossOf> =>
  trainStep(lossOf(shape), optimizerOf(options));

/** AdamW as nanoGPT has it: matrices decay, and the rate comes down by half a cosine. */
const optimizerOf = ({ rate, minRate, warmup, steps, decay, clip }: Options): Optimizer =>
  adamW({
    rate: warmupCosine({ peak: rate, floor: minRate, warmup, steps }),
    betas: [0.9, 0.99],
    decay,
    ...clip > 0 && { clip },
  });

function checkCorpus(corpus: Corpus, { context }: Options, checkpoint: Checkpoint | undefined): void {
  const { name, symbols, training, validation } = corpus;
  const shortest = Math.min(training.length, validation.length);
  if (shortest <= context) {
    throw new UsageError(
      `${name} is too short: its validation split has ${shortest} characters, and --context ${context} needs more.`,
    );
  }
  if (checkpoint !== undefined && checkpoint.symbols.join("") !== symbols.join("")) {
    throw new UsageError(
      `${checkpoint.path} was trained on a text with other characters than ${name}; give its text with --text.`,
    );
  }
}

async function writeCurve(losses: readonly LossPoint[], { out, text }: Options): Promise<void> {
  const title = `Loss on ${text === "" ? "Weft's own sources" : basename(text)}`;
  await Deno.writeTextFile(join(out, "loss.svg"), await lossCurve(losses, title));
}

/** Shows and keeps a text that the model writes. */
async function writeText(
  options: Options,
  { symbols }: Corpus,
  shape: GptOptions,
  place: { readonly device: Device; readonly state: State; readonly stop: Stop },
): Promise<string | undefined> {
  const { sample: count, temperature, topK, seed, out } = options;
  if (count === 0) return undefined;
  const known = [...options.prompt].map((character) => symbols.indexOf(character)).filter((token) =>
    token >= 0
  );
  const prompt = known.length > 0 ? known : [0];
  const tokens = await write(shape, { ...place, seed, prompt, count, temperature, topK });
  const text = [...prompt, ...tokens].map((token) => symbols[token]).join("");
  console.log(`\n${text}\n`);
  await Deno.writeTextFile(join(out, "sample.txt"), text);
  return text;
}

function describe(
  { name, symbols, training, validation }: Corpus,
  state: State,
  device: Device,
): string {
  const parameters = state.names.map((name) => state.type(name)).filter(({ role }) => role === "parameter")
    .reduce((sum, { shape }) => sum + shape.reduce((n, size) => n * size, 1), 0);
  const count = (n: number) => n.toLocaleString("en");
  return `${name}: ${count(training.length + validation.length)} characters, ${symbols.length} different. ` +
    `${count(parameters)} parameters on ${device.name}.`;
}

const tooFast = (step: number): string =>
  `The loss is no number any more by step ${step}. A lower --rate, a longer --warmup or a --clip helps where it grew ` +
  "first; where it did not, a label lies outside its classes: crossEntropy makes of such a row NaN.";
