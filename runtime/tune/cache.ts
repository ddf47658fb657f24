/**
 * Remembering between processes which numbers were found for which group, on which adapter.
 *
 * One folder per adapter, driver, engine and version of Weft, one file per group: a process adds files and never rewrites
 * what another has added. A file is written aside and moved into its place, so it is whole or not there. What is read is
 * only a proposal: who takes it computes with it and compares before anything relies on it.
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { readPatch, type TargetPatch } from "../../compiler/schedule/tuning.ts";
import type { Target } from "../../compiler/target.ts";
import { cacheFolder, driverDates, mayUseCache } from "../cache_folder.ts";
import type { Device } from "../device.ts";
import { version } from "../version.ts";

/** What was found for a group. */
export interface Remembered {
  readonly label: string;
  readonly patch: TargetPatch;
  /** Names the kernels that the patch led to by their text. */
  readonly text: string;
  readonly defaultMs: number;
  readonly bestMs: number;
  /** Whether the search ended by itself; else it may be gone on with. */
  readonly complete: boolean;
}

/** Goes up when what is remembered changes its meaning. */
const FORMAT = 1;

/** What tells this device from others as far as times are concerned. */
export function deviceKey({ adapter, kind }: Pick<Device, "adapter" | "kind">): string {
  const own = adapter === null
    ? [kind, Deno.build.arch]
    : [adapter.vendor, adapter.device, adapter.description, driverDates()];
  return JSON.stringify([FORMAT, version, Deno.version.deno, ...own]);
}

export class TuningCache {
  readonly #folder: string;
  readonly #target: Target;
  readonly #warn: (sentence: string) => void;

  private constructor(folder: string, target: Target, warn: (sentence: string) => void) {
    this.#folder = folder;
    this.#target = target;
    this.#warn = warn;
  }

  /**
   * The cache for a device; undefined where this process may not use one.
   *
   * @param base The folder of all caches, in place of the system's own.
   */
  static of(device: Device, warn: (sentence: string) => void, base?: string): TuningCache | undefined {
    if (!mayUseCache(["read", "write", "env", "sys"])) return undefined;
    const name = createHash("sha256").update(deviceKey(device)).digest("hex").slice(0, 16);
    return new TuningCache(join(base ?? cacheFolder(), `tuning-${name}`), device.target, warn);
  }

  fileOf(key: string): string {
    return join(this.#folder, `${key}.json`);
  }

  /** What is remembered for a group; undefined where that is nothing, or nothing that can be used. */
  recall(key: string): Remembered | undefined {
    const file = this.fileOf(key);
    let text: string;
    try {
      text = Deno.readTextFileSync(file);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) {
        this.#warn(`The tuning file ${file} can't be read (${sentence(error)}); its kernel is tuned anew.`);
      }
      return undefined;
    }
    const remembered = parse(text, this.#target);
    if (remembered === undefined) {
      this.#warn(`The tuning file ${file} holds no tuning of this version; its kernel is tuned anew.`);
    }
    return remembered;
  }

  remember(key: string, remembered: Remembered): void {
    const file = this.fileOf(key);
    const aside = `${file}.${crypto.randomUUID()}`;
    try {
      Deno.mkdirSync(this.#folder, { recursive: true });
      Deno.writeTextFileSync(aside, `${JSON.stringify(remembered, null, 2)}\n`);
      Deno.renameSync(aside, file);
    } catch (error) {
      this.#warn(
        `The tuning file ${file} can't be written: ${sentence(error)}. The next process tunes anew.`,
      );
      remove(aside);
    }
  }

  forget(key: string): void {
    remove(this.fileOf(key));
  }
}

function parse(text: string, target: Target): Remembered | undefined {
  try {
    const { label, patch, text: kernels, defaultMs, bestMs, complete } = JSON.parse(text);
    const read = readPatch(patch, target);
    if (read === undefined || typeof label !== "string" || typeof kernels !== "string") return undefined;
    if (!Number.isFinite(defaultMs) || !Number.isFinite(bestMs)) return undefined;
    return { label, patch: read, text: kernels, defaultMs, bestMs, complete: complete === true };
  } catch {
    return undefined;
  }
}

function remove(file: string): void {
  try {
    Deno.removeSync(file);
  } catch {
    // It was not there, or stays: what it holds is checked whenever it is used.
  }
}

const sentence = (error: unknown): string => error instanceof Error ? error.message : String(error);
