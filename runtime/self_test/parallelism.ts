/**
 * Checks of how much of a kernel runs at once, which no limit tells: what an adapter's class is read off.
 *
 * One lane goes through a long chain of steps of which each needs the one before. As many more lanes as a processor runs
 * at once take no longer than that: on a GPU all of a workgroup, on a CPU those of one vector.
 * @module
 */

import type { Check, Finding } from "./check.ts";
import { type Probe, runProbe } from "./probe.ts";

/** Turns for one workgroup and for many: few, since a slow processor is to be asked as well as a fast one. */
const TURNS = { one: 24_000, many: 20_000 } as const;
const STEPS_PER_TURN = 32;
const LANES = 256;
/** Vectors of CPUs have 16 lanes at most, so that there a workgroup takes 16 times as long as a lane, or longer. */
const AT_ONCE = 4;
/** Milliseconds: what is shorter may be the wait for a result as much as the chain. A GPU takes one or two. */
const CERTAIN = 20;
/** Milliseconds of one workgroup's chain beyond which many are not tried: no processor so slow has many at once. */
const SLOW = 30;
const GROUP_LANES = 64;
const GROUPS = [32, 64, 128, 256, 512, 1024] as const;
/** How many times as long as one workgroup those take that still count as running with it. */
const BESIDE = 1.75;

export const PARALLELISM_CHECKS = {
  lanesTogether: {
    means:
      "The lanes of a workgroup run together, as a GPU's do; the number measured is how many times as long 256 of them take as one.",
    async ask({ device }): Promise<Finding> {
      const one = await chain(device, 1, 1, TURNS.one);
      const all = await chain(device, LANES, 1, TURNS.one);
      const ratio = all / one;
      return {
        ok: ratio < AT_ONCE || all < CERTAIN,
        saw: `1 lane ${one.toFixed(1)} ms, ${LANES} lanes ${all.toFixed(1)} ms`,
        measured: ratio,
      };
    },
  },
  workgroupsTogether: {
    means:
      `A hundred workgroups of ${GROUP_LANES} lanes run together; the number measured is how many do, at least.`,
    async ask({ device }): Promise<Finding> {
      const one = await chain(device, GROUP_LANES, 1, TURNS.many);
      if (one > SLOW) {
        return { ok: false, saw: `one workgroup alone takes ${one.toFixed(0)} ms`, measured: 1 };
      }
      let together = 1;
      for (const groups of GROUPS) {
        if (await chain(device, GROUP_LANES, groups, TURNS.many) > BESIDE * one) break;
        together = groups;
      }
      return { ok: together >= 100, saw: `${together} workgroups of ${GROUP_LANES}`, measured: together };
    },
  },
} satisfies Record<string, Check>;

/** Milliseconds of the chain itself: what a kernel of no steps takes, compiling included, is taken off. */
async function chain(
  device: GPUDevice,
  workgroupSize: number,
  workgroups: number,
  most: number,
): Promise<number> {
  const probe = (turns: number): Probe => ({
    // A hash's steps, of which no compiler makes fewer.
    body: `var s = i; for (var k = 0u; k < inp[0]; k++) {
      ${"s = (s ^ (s >> 15u)) * 0x2c1b3c6du; ".repeat(STEPS_PER_TURN)} } out[i] = s;`,
    input: new Uint32Array([turns]),
    outputWords: workgroupSize * workgroups,
    workgroupSize,
    workgroups,
  });
  const time = async (turns: number) => {
    const start = performance.now();
    await runProbe(device, probe(turns));
    return performance.now() - start;
  };
  let [empty, full] = [Infinity, Infinity];
  for (let i = 0; i < 2; i++) {
    empty = Math.min(empty, await time(0));
    full = Math.min(full, await time(most));
  }
  return Math.max(0.1, full - empty);
}
