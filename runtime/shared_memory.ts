/**
 * Memory with several owners: states that several programs use lie where they are until the last of them is disposed.
 * @module
 */

import type { Memory } from "./engine.ts";

export class SharedMemory {
  #owners = 1;

  /** Its first owner is whoever made it. */
  constructor(readonly memory: Memory) {}

  /** One owner more. */
  retain(): this {
    this.#owners++;
    return this;
  }

  /** One owner less; the last one frees the memory. */
  release(): void {
    if (--this.#owners === 0) this.memory.destroy();
  }
}
