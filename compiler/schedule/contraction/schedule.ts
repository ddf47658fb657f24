/**
 * Contraction: any reduction whose body can be cut into two sides (SCHEDULES §6): matmul in all layouts, einsum, weight
 * gradients, one-hot products, convolution and its gradients.
 *
 *     problem.ts    the group as one contraction: axes split and merged (normal.ts), sorted by side (sides.ts)
 *     windows.ts    a side that slides over its operand, written down once before
 *     orient.ts     which side is the columns
 *     riders.ts     sums of one side alone that are added up on the way
 *     pad.ts        columns that are no whole vectors, as longer ones
 *     tiling.ts     which loop nest, and how large its tiles are
 *     work.ts       what an element of a side costs, by which they are chosen
 *     split_k.ts    a long sum with few tiles, as a contraction of parts and a map
 *     places.ts     which rows and columns a lane has
 *     operand.ts    one side, evaluated by fours along the axis in which it is contiguous
 *     product.ts    what combines the sides, and what becomes of the sums
 *     register.ts   the loop nest with the sums in registers
 *     staged.ts     the same with both sides in shared memory
 *     panel.ts      the loop nest with B in private memory, and the sums where sums.ts says; where that is a buffer too
 *                   many, the sums stay in registers
 */

import type { Target } from "../../target.ts";
import { fits } from "../fits.ts";
import { isRefusal, type LoweredGroup, type Scheduled, type ScheduledKernel } from "../group.ts";
import { scheduleMap } from "../map.ts";
import { flattenSummed } from "./flatten.ts";
import { padColumns } from "./pad.ts";
import { panelGroups, panelKernel } from "./panel.ts";
import { extentOf } from "./extent.ts";
import { type Contraction, contractionOf } from "./problem.ts";
import { groupsOf } from "./lane_tile.ts";
import { registerKernel } from "./register.ts";
import { stagedBytes, stagedKernel } from "./staged.ts";
import { splitSum } from "./split_k.ts";
import { type Windowed, windowed } from "./windows.ts";
import { panelTiling, registerTiling } from "./tiling.ts";

export function scheduleContraction(group: LoweredGroup, target: Target): Scheduled {
  const c = contractionOf(group, target);
  if ("refused" in c) return c;
  if (productsOf(c) <= target.contraction.plain) {
    const plain = scheduleMap(group, target);
    if (!isRefusal(plain)) return plain.map((kernel) => ({ ...kernel, schedule: "contraction" }));
  }
  const slid = target.contraction.shape === "panel" ? windowed(c, target, group.label) : undefined;
  const sliding = slid && slidingKernels(slid, target, group.label);
  if (sliding && fits(sliding, target)) return sliding;
  const nest = nestOf(c, target);
  const steps = extentOf(c.reduce.vars);
  const { partSteps } = target.contraction;
  const wanted = partSteps === 0
    ? 1
    : Math.min(Math.floor(target.parallel / nest.groups), Math.floor(steps / partSteps));
  const split = wanted > 1 ? splitSum(c, wanted, group.label) : undefined;
  const whole = (): ScheduledKernel[] => {
    const kernels = [nest.build(group.label)];
    return fits(kernels, target) ? kernels : [registerNest(c, target).build(group.label)];
  };
  if (!split) return whole();
  const combined = split.combined.map((results) => scheduleMap(results, target));
  const first = nestOf(split.parts, target).build(`${group.label}: parts`);
  const kernels: ScheduledKernel[] = [{
    ...first,
    split: true,
    scratch: [...first.scratch, ...split.scratch],
  }];
  for (const results of combined) {
    if (isRefusal(results)) return whole();
    for (const kernel of results) kernels.push({ ...kernel, split: true, schedule: "contraction" });
  }
  return fits(kernels, target) ? kernels : whole();
}

/** A kernel that writes a side's windows down, and the panel that reads them. */
function slidingKernels(
  { written, scratch, c }: Windowed,
  target: Target,
  label: string,
): readonly ScheduledKernel[] | undefined {
  const tiling = panelTiling(c, target);
  const first = scheduleMap(written, target);
  if (!tiling || isRefusal(first)) return undefined;
  const groups = panelGroups(c, tiling);
  const last = { ...panelKernel(c, tiling), ...finish, groups, label };
  return [
    ...first.map((k) => ({ ...k, split: true, schedule: "contraction", scratch: [...k.scratch, scratch] })),
    last,
  ];
}

const productsOf = (c: Contraction): number =>
  extentOf([...c.batch, ...c.rows, ...c.columns, ...c.reduce.vars]);

const finish = { split: false, schedule: "contraction" };

interface Nest {
  readonly groups: number;
  build(label: string): ScheduledKernel;
}

/** The loop nest that the target wants for a contraction. */
function nestOf(given: Contraction, target: Target): Nest {
  if (target.contraction.shape === "panel") {
    const c = padColumns(flattenSummed(given));
    const tiling = panelTiling(c, target);
    if (tiling) {
      const groups = panelGroups(c, tiling);
      return { groups, build: (label) => ({ ...panelKernel(c, tiling), ...finish, groups, label }) };
    }
  }
  return registerNest(given, target);
}

/** The loop nest that binds what the group does and nothing besides. */
function registerNest(given: Contraction, target: Target): Nest {
  const c = target.contraction.staged ? flattenSummed(given) : given;
  const tiling = registerTiling(c, target);
  const groups = groupsOf(c, tiling);
  const kernel = target.contraction.staged && stagedBytes(c, tiling) <= target.limits.sharedBytes
    ? stagedKernel
    : registerKernel;
  return { groups, build: (label) => ({ ...kernel(c, tiling), ...finish, groups, label, scratch: [] }) };
}
