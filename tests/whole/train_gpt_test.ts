/** The training program's command line, text, checkpoints and Ctrl-C, on the CPU. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { helpText, parseCommandLine, UsageError } from "../../examples/command_line.ts";
import { openCheckpoint, resumedOptions } from "../../examples/train_gpt/checkpoint.ts";
import { lossCurve } from "../../examples/train_gpt/curve.ts";
import { Batches, makeCorpus, readCorpus } from "../../examples/train_gpt/data.ts";
import { commandLine, withDefaults } from "../../examples/train_gpt/options.ts";
import { showTime } from "../../examples/train_gpt/progress.ts";
import { train } from "../../examples/train_gpt/train.ts";
import { covering, spread } from "../../examples/train_gpt/validate.ts";
import { writeSafetensors } from "../../mod.ts";
import { never, runFolder, stopAfter, tinyOptions } from "../support/examples.ts";

const program = new URL("../../examples/train_gpt.ts", import.meta.url).pathname;
const command = (...args: string[]) =>
  new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", program, ...args],
    stdout: "piped",
    stderr: "piped",
  });

const refuses = (args: readonly string[], message: RegExp) =>
  assert.throws(() => {
    const said = parseCommandLine(commandLine, args);
    assert(said !== "help");
    withDefaults(said);
  }, (error) => error instanceof UsageError && message.test(error.message) || assert.fail(String(error)));

Deno.test("options have nanoGPT's small configuration as defaults, with twice its learning rate", () => {
  const options = withDefaults({});
  const { layers, heads, width, context, batch, steps, rate, minRate, warmup, decay, clip, dropout } =
    options;
  assert.deepEqual(
    { layers, heads, width, context, batch, steps, rate, minRate, warmup, decay, clip, dropout },
    {
      layers: 4,
      heads: 4,
      width: 128,
      context: 64,
      batch: 12,
      steps: 2000,
      rate: 2e-3,
      minRate: 1e-4,
      warmup: 100,
      decay: 0.1,
      clip: 1,
      dropout: 0,
    },
  );
});

Deno.test("parseCommandLine() reads numbers, texts and switches", () => {
  const said = parseCommandLine(commandLine, [
    "--steps",
    "9",
    "--min-rate=0",
    "--no-tied",
    "--biases",
    "--text",
    "a.txt",
  ]);
  assert.deepEqual(said, { steps: 9, minRate: 0, tied: false, biases: true, text: "a.txt" });
});

Deno.test("a mistake on the command line is answered by a sentence", () => {
  refuses(
    ["--steps", "-3"],
    /--steps needs a value that is a whole number from 1 up; one .* --steps=VALUE\./,
  );
  refuses(["--steps=-3"], /--steps must be a whole number from 1 up, not "-3"\./);
  refuses(["--rate"], /--rate needs a value that is a number from 0 up;/);
  refuses(["--steps", "many"], /--steps must be a whole number from 1 up, not "many"\./);
  refuses(["--steps", "0"], /whole number from 1 up/);
  refuses(["--seed", "99999999999999999999"], /whole number from 0 up/);
  refuses(["--rate=-1"], /--rate must be a number from 0 up, not "-1"/);
  refuses(["--dropout", "1"], /from 0 up to below 1/);
  refuses(["--device", "gpu"], /one of auto, webgpu, cpu/);
  refuses(["--step", "3"], /Unknown option '--step'.*`--help` lists the options/);
  refuses(["text.txt"], /`--help` lists the options/);
  refuses(["--heads", "3"], /--width 128 is not a multiple of --heads 3/);
  refuses(["--warmup", "50", "--steps", "50"], /--warmup 50 takes all of --steps 50/);
  refuses(["--rate", "0.00001"], /--min-rate 0.0001 is more than --rate 0.00001/);
});

Deno.test("the program prints its help, and ends with 2 where it is called wrongly", async () => {
  const help = await command("--help").output();
  assert.equal(help.code, 0);
  assert.equal(new TextDecoder().decode(help.stdout).trim(), helpText(commandLine));
  const wrong = await command("--text", "nowhere.txt", "--device", "cpu").output();
  assert.equal(wrong.code, 2);
  assert.match(new TextDecoder().decode(wrong.stderr), /^--text nowhere.txt can't be read: /);
});

Deno.test("readCorpus() reads the checkout's own sources in one order", async () => {
  const [a, b] = [await readCorpus(""), await readCorpus("")];
  assert.deepEqual(a.training.slice(0, 1000), b.training.slice(0, 1000));
  assert(a.training.length > 100_000 && a.symbols.includes("→"));
});

Deno.test("Batches depend on seed and step alone, and each pass sees all of the text once", () => {
  const tokens = Int32Array.from({ length: 103 }, (_, i) => i);
  const batches = (seed: number) => new Batches(tokens, { seed, batch: 3, context: 5 });
  const order = batches(1);
  const steps = Array.from({ length: 40 }, (_, step) => order.at(step));
  for (const step of [39, 0, 7, 6]) assert.deepEqual(batches(1).at(step), steps[step]);
  assert.notDeepEqual(batches(2).at(0), steps[0]);
  const starts = steps.flatMap(({ tokens, targets }) => {
    tokens.forEach((token, i) => assert.equal(targets[i], token + 1));
    return [tokens[0]!, tokens[5]!, tokens[10]!];
  });
  const pass = Math.floor((103 - 5) / 5);
  for (let first = 0; first + pass <= starts.length; first += pass) {
    const sorted = starts.slice(first, first + pass).sort((a, b) => a - b);
    assert.deepEqual(sorted, sorted.map((_, i) => sorted[0]! + 5 * i));
    assert(sorted[0]! < 5);
  }
  assert.notDeepEqual(starts.slice(0, pass), starts.slice(pass, 2 * pass));
});

Deno.test("Batches take a text that is hardly longer than a piece", () => {
  for (let length = 6; length < 14; length++) {
    const batches = new Batches(Int32Array.from({ length }, (_, i) => i), { seed: 0, batch: 2, context: 5 });
    for (let step = 0; step < 20; step++) {
      const { tokens, targets } = batches.at(step);
      tokens.forEach((token, i) => assert.equal(targets[i], token + 1));
    }
  }
});

Deno.test("covering() predicts every character but the first once", () => {
  for (const [characters, context] of [[65, 64], [66, 64], [129, 64], [1000, 64], [17, 4]] as const) {
    const predicted = covering(characters, context).flatMap(({ start, from }) =>
      Array.from({ length: context - from }, (_, i) => start + from + i + 1)
    );
    assert.deepEqual(predicted, Array.from({ length: characters - 1 }, (_, i) => i + 1));
  }
  assert.deepEqual(spread([0, 1, 2, 3, 4, 5, 6], 3), [0, 2, 4]);
});

Deno.test("a run on the CPU learns, and goes on exactly from a checkpoint", async () => {
  using folder = runFolder();
  const said = { device: "cpu", dropout: 0.1, sample: 0 } as const;
  const whole = await train(tinyOptions(folder, said), undefined, stopAfter(16));
  assert.equal(whole.validation, undefined);
  assert(whole.losses.at(-1)!.training! < whole.losses[0]!.training! - 0.2);
  const out = join(folder.path, "halves");
  await train(tinyOptions(folder, { ...said, out }), undefined, stopAfter(6));
  const checkpoint = await openCheckpoint(out);
  const rest = await train(withDefaults(resumedOptions(checkpoint, {})), checkpoint, stopAfter(10));
  assert.deepEqual(rest.losses, whole.losses);
});

Deno.test("a checkpoint is refused where it doesn't fit, in sentences", async () => {
  using folder = runFolder();
  const options = tinyOptions(folder, { device: "cpu", steps: 2, sample: 0 });
  await train(options, undefined, never);
  const checkpoint = await openCheckpoint(options.out);
  assert.throws(() => resumedOptions(checkpoint, { width: 32 }), {
    message: /its model has width 16, and --width asks for 32/,
  });
  await assert.rejects(openCheckpoint(join(folder.path, "nothing")), {
    message: /--resume .* can't be read/,
  });
  await assert.rejects(openCheckpoint(folder.text), { message: /--resume .*text.txt can't be read/ });
  const made = join(folder.path, "made.safetensors");
  const says = { step: "3", options: "{}", symbols: '["a"]' };
  for (
    const wrong of [{ step: "x" }, { step: "-1" }, { options: "null" }, { symbols: "3" }, { symbols: "[1]" }]
  ) {
    await writeSafetensors(made, [], { ...says, ...wrong });
    await assert.rejects(openCheckpoint(made), { message: /the file was not written by this program/ });
  }
  const other = join(folder.path, "other.txt");
  await Deno.writeTextFile(other, "0123456789".repeat(50));
  await assert.rejects(train({ ...options, text: other }, checkpoint, never), {
    message: /was trained on a text with other characters than/,
  });
  await Deno.writeTextFile(other, "too short");
  await assert.rejects(train({ ...options, text: other }, undefined, never), {
    message: /is too short: its validation split has 1 characters, and --context 8 needs more/,
  });
});

Deno.test("a folder that can't be written to is refused before a step is done", async () => {
  using folder = runFolder();
  // A file is in the way.
  for (const out of [folder.text, join(folder.text, "below")]) {
    const refused = train(tinyOptions(folder, { device: "cpu", out }), undefined, never);
    await assert.rejects(refused, (error: Error) => {
      return error instanceof UsageError && error.message.startsWith(`--out ${out} can't be written to: `);
    });
  }
});

Deno.test("Ctrl-C saves a checkpoint, from which the next run goes on", async () => {
  using folder = runFolder();
  const { out, text } = tinyOptions(folder);
  const small = "--layers 1 --heads 2 --width 16 --context 8 --batch 4 --device cpu --steps 100000 --eval 0"
    .split(" ");
  const child = command("--text", text, "--out", out, ...small).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read(); // it says what it trains on when it is about to begin
  assert.match(value!, /6,000 characters/);
  child.kill("SIGINT");
  let said = "";
  for (let next = await reader.read(); !next.done; next = await reader.read()) said += next.value;
  const { code } = await child.status;
  await child.stderr.cancel();
  assert.equal(code, 130);
  assert.match(said, /Stopped after step \d+\. Go on with: deno task train --resume/);
  const { step } = await openCheckpoint(out);
  const next = await command("--resume", out, "--steps", String(step + 2), "--warmup", "0", "--sample", "0")
    .output();
  assert.equal(next.code, 0, new TextDecoder().decode(next.stderr));
  assert.match(new TextDecoder().decode(next.stdout), new RegExp(`after ${step + 2} steps`));
});

Deno.test("lossCurve() draws training and validation as SVG", async () => {
  const losses = Array.from({ length: 1000 }, (_, i) => ({ step: i + 1, training: 4 / (1 + i / 100) }));
  const svg = await lossCurve([...losses, { step: 1000, validation: 0.5 }], "A <title>");
  assert.match(svg, /^<svg [^>]*>/);
  assert.match(svg, /A &lt;title&gt;/);
  assert.match(svg, /validation/);
});

Deno.test("a text's symbols are in order, and the last tenth is for validation", () => {
  const corpus = makeCorpus("x", "banana→ba!".repeat(2));
  assert.equal(corpus.symbols.join(""), "!abn→");
  assert.equal(corpus.training.length, 18);
  assert.equal(corpus.validation.length, 2);
});

Deno.test("showTime() is read at a glance", () => {
  assert.deepEqual([3.4, 75, 3720].map(showTime), ["3 s", "1 min 15 s", "1 h 2 min"]);
});
