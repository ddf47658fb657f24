/** What a compiled program runs and moves, read off its bindings. */

import type { Program } from "../../../compiler/program/program.ts";

export interface Traffic {
  readonly dispatches: number;
  /** Of tensors that dispatches read and write, each counted once per dispatch and direction: no cache is assumed. */
  readonly bytes: number;
}

export function trafficOf({ steps, kernels }: Program): Traffic {
  let [dispatches, bytes] = [0, 0];
  for (const step of steps) {
    if (step.kind === "copy") {
      bytes += step.copy.from.bytes + step.copy.to.bytes;
      continue;
    }
    const { bindings, groups, kernel } = step.dispatch;
    if (groups === 0) continue;
    dispatches++;
    kernels[kernel]!.buffers.forEach(({ access }, i) =>
      bytes += bindings[i]!.bytes * (access === "read_write" ? 2 : 1)
    );
  }
  return { dispatches, bytes };
}
