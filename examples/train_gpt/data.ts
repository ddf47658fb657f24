/** Text as numbers: where it comes from, its symbols, and the pieces that are trained on and judged by. */

import { UsageError } from "../command_line.ts";

/** A text cut into what is trained on (the first nine tenths) and what is judged by (the rest). */
export interface Corpus {
  /** Where it comes from, for messages. */
  readonly name: string;
  /** Its different characters in order; a token is an index into it. */
  readonly symbols: readonly string[];
  readonly training: Int32Array;
  readonly validation: Int32Array;
}

/** Pieces of text and what follows each of their characters, [pieces, context] row by row. */
export interface Pieces {
  readonly tokens: Int32Array;
  readonly targets: Int32Array;
}

/** The file, or where none is given the sources of the checkout that this file is in. */
export async function readCorpus(file: string): Promise<Corpus> {
  if (file === "") {
    return makeCorpus("Weft's own sources", await readSources(new URL("../../", import.meta.url)));
  }
  try {
    return makeCorpus(file, await Deno.readTextFile(file));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new UsageError(`--text ${file} can't be read: ${error.message}.`);
  }
}

export function makeCorpus(name: string, text: string): Corpus {
  const characters = [...text];
  const symbols = [...new Set(characters)].sort();
  const index = new Map(symbols.map((symbol, i) => [symbol, i]));
  const tokens = Int32Array.from(characters, (symbol) => index.get(symbol)!);
  const cut = Math.floor(tokens.length * 0.9);
  return { name, symbols, training: tokens.subarray(0, cut), validation: tokens.subarray(cut) };
}

/** All TypeScript and Markdown of a folder that git tracks, or where git can't say all that is there; by path. */
async function readSources(root: URL): Promise<string> {
  const paths = await trackedFiles(root) ?? await Array.fromAsync(filesUnder(root, ""));
  const sources = paths.filter((path) => /\.(ts|md)$/.test(path)).sort();
  const texts = await Promise.all(sources.map((path) => Deno.readTextFile(new URL(path, root))));
  return texts.join("\n");
}

async function trackedFiles(root: URL): Promise<string[] | undefined> {
  try {
    const { code, stdout } = await new Deno.Command("git", {
      args: ["ls-files", "-z"],
      cwd: root,
      stderr: "null",
    })
      .output();
    const paths = new TextDecoder().decode(stdout).split("\0").filter((path) => path !== "");
    return code === 0 && paths.length > 0 ? paths : undefined;
  } catch {
    return undefined;
  }
}

async function* filesUnder(root: URL, folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, root))) {
    if (name.startsWith(".") || name === "node_modules") continue;
    if (isDirectory) yield* filesUnder(root, `${folder}${name}/`);
    else yield folder + name;
  }
}

/**
 * The batches of a run: all of the text in pieces, in random order, then all of it again, cut at other places. So no
 * part is seen twice before all others have been seen.
 *
 * What a step gets depends on the seed and the step alone, so a run can go on anywhere.
 */
export class Batches {
  readonly #tokens: Int32Array;
  readonly #options: BatchOptions;
  /** Pieces in one pass over the text. */
  readonly #pieces: number;
  #pass = -1;
  #starts: readonly number[] = [];

  constructor(tokens: Int32Array, options: BatchOptions) {
    this.#tokens = tokens;
    this.#options = options;
    this.#pieces = Math.max(1, Math.floor((tokens.length - options.context) / options.context));
  }

  at(step: number): Pieces {
    const { batch, context } = this.#options;
    const starts = Array.from({ length: batch }, (_, row) => {
      const place = step * batch + row;
      this.#shuffle(Math.floor(place / this.#pieces));
      return this.#starts[place % this.#pieces]!;
    });
    return piecesAt(this.#tokens, starts, context);
  }

  /** The order of a pass (Fisher, Yates). */
  #shuffle(pass: number): void {
    if (pass === this.#pass) return;
    const { seed, context } = this.#options;
    const rest = this.#tokens.length - this.#pieces * context;
    const first = Math.floor(uniform(seed, pass, 0) * Math.min(context, rest));
    const starts = Array.from({ length: this.#pieces }, (_, piece) => first + piece * context);
    for (let i = starts.length - 1; i > 0; i--) {
      const j = Math.floor(uniform(seed, pass, i) * (i + 1));
      [starts[i], starts[j]] = [starts[j]!, starts[i]!];
    }
    this.#pass = pass;
    this.#starts = starts;
  }
}

export interface BatchOptions {
  readonly seed: number;
  readonly batch: number;
  readonly context: number;
}

export function piecesAt(tokens: Int32Array, starts: readonly number[], context: number): Pieces {
  const pieces = {
    tokens: new Int32Array(starts.length * context),
    targets: new Int32Array(starts.length * context),
  };
  starts.forEach((start, row) => {
    pieces.tokens.set(tokens.subarray(start, start + context), row * context);
    pieces.targets.set(tokens.subarray(start + 1, start + 1 + context), row * context);
  });
  return pieces;
}

/** A number in [0, 1) from three words: each is mixed in by the finalizer of MurmurHash3 (Appleby). */
function uniform(...words: readonly number[]): number {
  let h = 0x9e3779b9;
  for (const word of words) {
    h = Math.imul(h ^ word, 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    h ^= h >>> 16;
    h = Math.imul(h + 0x6d2b79f5, 0x9e3779b1);
    h ^= h >>> 15;
  }
  return (h >>> 0) / 2 ** 32;
}
