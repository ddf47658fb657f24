/**
 * Stopping and going on: the state as a safetensors file that knows how it came about, and the losses beside it.
 *
 * The state holds the parameters, the optimizer's moments and step, and the random key; batches follow from seed and
 * step. So a run that goes on computes what it would have computed.
 */

import { dirname, join } from "node:path";
import { SafetensorsReader, type State } from "../../mod.ts";
import type { LossPoint } from "./curve.ts";
import { UsageError } from "../command_line.ts";
import type { Options } from "./options.ts";

const FILE = "checkpoint.safetensors";
const LOSSES = "losses.csv";

export interface Checkpoint {
  readonly path: string;
  /** Steps that are done. */
  readonly step: number;
  readonly options: Options;
  readonly symbols: readonly string[];
}

/** What makes a model another model. */
const SHAPING = ["context", "layers", "heads", "width", "biases", "tied"] as const;

const checkpointPath = (out: string): string => join(out, FILE);

/** Makes the folder that results go to, and sees that it takes files: before the work, and not after it. */
export async function openFolder(out: string): Promise<void> {
  try {
    await Deno.mkdir(out, { recursive: true });
    await Deno.remove(await Deno.makeTempFile({ dir: out }));
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new UsageError(`--out ${out} can't be written to: ${error.message}.`);
  }
}

export async function saveCheckpoint(
  state: State,
  { step, options, symbols }: Omit<Checkpoint, "path">,
  losses: readonly LossPoint[],
): Promise<void> {
  const { resume: _resume, report: _report, ...kept } = options;
  const metadata = { step: String(step), options: JSON.stringify(kept), symbols: JSON.stringify(symbols) };
  await state.save(checkpointPath(options.out), metadata);
  const rows = losses.map(({ step, training, validation }) =>
    `${step},${training ?? ""},${validation ?? ""}\n`
  );
  await Deno.writeTextFile(join(options.out, LOSSES), `step,training,validation\n${rows.join("")}`);
}

/** Reads what a checkpoint says of itself; `path` is the file or its folder. */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  try {
    const file = (await Deno.stat(path)).isDirectory ? checkpointPath(path) : path;
    using reader = await SafetensorsReader.open(file);
    const { step = "", options = "null", symbols = "null" } = reader.metadata;
    const said = { step: Number(step), options: JSON.parse(options), symbols: JSON.parse(symbols) };
    const isOurs = /^\d+$/.test(step) && typeof said.options === "object" && said.options !== null &&
      Array.isArray(said.symbols) && said.symbols.every((symbol) => typeof symbol === "string");
    if (!isOurs) throw new UsageError(`--resume ${path}: the file was not written by this program.`);
    return { path: file, ...said };
  } catch (error) {
    if (error instanceof UsageError || !(error instanceof Error)) throw error;
    throw new UsageError(`--resume ${path} can't be read: ${error.message}`);
  }
}

/** The options of the checkpoint's run, with those that are said now in place of its own; it goes on in its folder. */
export function resumedOptions({ options, path }: Checkpoint, said: Partial<Options>): Partial<Options> {
  for (const name of SHAPING) {
    if (said[name] === undefined || said[name] === options[name]) continue;
    throw new UsageError(
      `--resume ${path}: its model has ${name} ${options[name]}, and --${name} asks for ${said[name]}. ` +
        "Leave that out, or begin anew.",
    );
  }
  return { ...options, out: dirname(path), ...said };
}

/** The losses up to a step, from the folder of a checkpoint; none where they are gone. */
export async function readLosses(checkpoint: Checkpoint): Promise<LossPoint[]> {
  try {
    const text = await Deno.readTextFile(join(dirname(checkpoint.path), LOSSES));
    return text.trim().split("\n").slice(1).flatMap((row) => {
      const [step, training, validation] = row.split(",").map((cell) =>
        cell === "" ? undefined : Number(cell)
      );
      if (step === undefined || step > checkpoint.step) return [];
      return [{
        step,
        ...training !== undefined && { training },
        ...validation !== undefined && { validation },
      }];
    });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
