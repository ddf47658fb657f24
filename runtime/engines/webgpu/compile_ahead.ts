/**
 * Compiling a program's kernels on threads of their own, while the first run compiles them on its own.
 *
 * A driver that computes on the CPU compiles a kernel at its first dispatch, on the thread that dispatches: the first
 * step of a small GPT takes 10 s so, of which another core spends none. Helpers therefore open the same adapter, each a
 * device of its own, and dispatch the kernels on empty memory from the last one to the first. They meet the run in the
 * driver's cache on disk, where a kernel that one has compiled is ready for all; where there is no such cache a helper
 * is of no use, and nothing but its work is lost. They share nothing else with the run, so no result depends on them.
 * @module
 */

import type { AdapterDescription } from "../../adapter.ts";
import { type KernelText, mayDispatchFirst } from "./first_dispatch.ts";

/** What a helper is told, once. */
export interface HelperTask {
  readonly adapter: Pick<AdapterDescription, "limits" | "features" | "description">;
  readonly kernels: readonly KernelText[];
}

/** Opening a device takes as long as compiling one kernel, so few kernels are not worth a helper. */
const KERNELS_PER_HELPER = 8;
const MOST_HELPERS = 4;

/** Helpers at work. */
export class CompileAhead implements Disposable {
  readonly #helpers = new Set<Worker>();

  /**
   * `kernels` in the order of their first dispatch. Without permission to read Weft's own files, or on a machine of one
   * core, there are no helpers.
   */
  constructor(kernels: readonly KernelText[], { limits, features, description }: AdapterDescription) {
    const small = kernels.filter(mayDispatchFirst).toReversed();
    const count = Math.min(
      navigator.hardwareConcurrency - 1,
      Math.floor(small.length / KERNELS_PER_HELPER),
      MOST_HELPERS,
    );
    const url = new URL("./compile_ahead_worker.ts", import.meta.url);
    if (count < 1 || !mayStart(url)) return;
    for (let i = 0; i < count; i++) {
      const helper = new Worker(url, {
        type: "module",
        name: `compiles kernels ahead (${i + 1} of ${count})`,
      });
      const gone = () => this.#stop(helper);
      helper.addEventListener("message", gone); // it is done
      helper.addEventListener("error", (event) => {
        event.preventDefault(); // Weft's own files are not there to be loaded: the run compiles alone
        gone();
      });
      const task: HelperTask = {
        adapter: { limits, features, description },
        kernels: small.filter((_, k) => k % count === i),
      };
      helper.postMessage(task);
      this.#helpers.add(helper);
    }
  }

  /** Ends the helpers: what they have not compiled by now, somebody else has. */
  [Symbol.dispose](): void {
    for (const helper of this.#helpers) this.#stop(helper);
  }

  #stop(helper: Worker): void {
    helper.terminate();
    this.#helpers.delete(helper);
  }
}

/** Asked beforehand, since Deno would ask the user. */
function mayStart(url: URL): boolean {
  return url.protocol === "file:" &&
    Deno.permissions.querySync({ name: "read", path: url }).state === "granted";
}
