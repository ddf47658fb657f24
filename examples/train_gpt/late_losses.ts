/** Losses that are read some steps late and several at a time, so that steps are asked for without waiting. */

import type { DeviceTensor } from "../../mod.ts";

/** A result stays valid for this many runs. */
const MOST = 8;
/** Milliseconds after which somebody who pressed Ctrl-C expects to be heard. */
const PATIENCE = 300;

export class LateLosses {
  #waiting: DeviceTensor<readonly [], "f32">[] = [];
  #together = 1;
  #since: number | undefined;

  add(loss: DeviceTensor<readonly [], "f32">): void {
    this.#waiting.push(loss);
  }

  /** Whether it is time to read: the results must not expire, and the event loop must get its turn. */
  get due(): boolean {
    return this.#waiting.length >= this.#together;
  }

  /** The losses that were added since the last call. */
  async read(): Promise<number[]> {
    const waiting = this.#waiting;
    this.#waiting = [];
    const losses = await Promise.all(waiting.map((loss) => loss.item()));
    const now = performance.now();
    if (this.#since !== undefined && waiting.length > 0) {
      const msPerStep = (now - this.#since) / waiting.length;
      this.#together = Math.max(1, Math.min(MOST, Math.floor(PATIENCE / msPerStep)));
    }
    this.#since = now;
    return losses;
  }
}
