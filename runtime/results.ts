/**
 * What a run gives: one tensor per output, and where their elements stay.
 *
 * An output's region is written by every run. A small output is copied out of it, within the run, into a ring of as
 * many places as runs it stays valid for (SEMANTICS §3): a loss can be read some runs late without anybody waiting and
 * without a new buffer. A large one is read from its region, until the next run.
 * @module
 */

import type { OutputSlot, Program } from "../compiler/program/program.ts";
import { type DeviceTensor, TensorHandle } from "./device_tensor.ts";
import { type Engine, type Memory, type Place, type Transfer, wholeWords } from "./engine.ts";
import type { Signature } from "./feeds.ts";

/** What one run gives: a tensor on the device for each output, by name. */
export type Results<O extends Signature> = {
  readonly [K in keyof O]: DeviceTensor<O[K]["shape"], O[K]["dtype"]>;
};

interface Output {
  readonly slot: OutputSlot;
  /** Where the result of a run is, by the run's number modulo their count. */
  readonly places: readonly Place[];
  /** The copies that bring it there; none for an output that stays in its region. */
  readonly transfers: readonly Transfer[];
}

/** A place for what has no elements. */
const nowhere: Place = {
  memory: { bytes: 0, confirm: () => Promise.resolve(), destroy: () => {} },
  offset: 0,
};

export class ResultRing {
  readonly #engine: Engine;
  readonly #outputs: readonly Output[];
  /** The memory of all rings, undefined where no output has one. */
  readonly memory: Memory | undefined;
  #run = -1;
  #ended: string | undefined;

  constructor(engine: Engine, { outputs }: Program, arenas: readonly Memory[]) {
    this.#engine = engine;
    let bytes = 0;
    const offsets = outputs.map(({ ring, region }) => {
      const offset = bytes;
      if (ring > 1) bytes += ring * wholeWords(region.bytes);
      return offset;
    });
    const memory = bytes > 0 ? engine.allocate(bytes, "result", "results of recent runs") : undefined;
    this.memory = memory;
    this.#outputs = outputs.map((slot, i): Output => {
      const { ring, region } = slot;
      if (region.bytes === 0) return { slot, places: [nowhere], transfers: [] };
      const from = { memory: arenas[region.arena]!, offset: region.offset };
      if (ring <= 1 || memory === undefined) return { slot, places: [from], transfers: [] };
      const size = wholeWords(region.bytes);
      const places = Array.from({ length: ring }, (_, k) => ({ memory, offset: offsets[i]! + k * size }));
      return { slot, places, transfers: places.map((to) => ({ from, to, bytes: size })) };
    });
  }

  /** The copies that the next run ends with. */
  get transfers(): readonly Transfer[] {
    const run = this.#run + 1;
    return this.#outputs.flatMap(({ transfers }) =>
      transfers.length > 0 ? [transfers[run % transfers.length]!] : []
    );
  }

  /** Counts the run that was just asked for, and gives its results. */
  next(): Readonly<Record<string, DeviceTensor>> {
    const run = ++this.#run;
    const results = this.#outputs.map(({ slot: { name, shape, dtype, ring }, places }) => {
      const place = places[run % places.length]!;
      return [
        name,
        new TensorHandle(this.#engine, name, shape, dtype, place, () => this.#validity(run, ring)),
      ] as const;
    });
    return Object.fromEntries(results);
  }

  /** From here on no result can be read, for this reason. */
  end(because: string): void {
    this.#ended = because;
  }

  #validity(run: number, ring: number): string | undefined {
    if (this.#ended !== undefined) return this.#ended;
    const later = this.#run - run;
    if (later < Math.max(ring, 1)) return undefined;
    return `it is the result of run ${run + 1}, and ${later} more ${
      later === 1 ? "has" : "have"
    } followed. ` +
      (ring > 1
        ? `It stays valid until ${ring} more have: start its read before, or keep it with \`keep()\``
        : "A result over 64 KiB stays valid until the next run: start its read before, or keep it with `keep()`");
  }
}
