/**
 * Contraction: any reduction whose body can be cut into two sides (SCHEDULES §6): matmul in all layouts, einsum, weight
 * gradients, one-hot products, convolution and its gradients.
 *
 *     problem.ts    the group as one contraction: axes split, merged and sorted by side (sides.ts)
 *     tiling.ts     how large the tiles are
 *     places.ts     which rows and columns a lane has
 *     operand.ts    one side, evaluated by fours along the axis in which it is contiguous
 *     product.ts    what combines the sides, and what becomes of the sums
 *     register.ts   the loop nest with the sums in registers
 *     panel.ts      the loop nest with B in private memory
 */

import type { BuiltKernel } from "../../kernel/build.ts";
import type { Target } from "../../target.ts";
import type { LoweredGroup, Scheduled, ScheduledKernel } from "../group.ts";
import { type Contraction, contractionOf } from "./problem.ts";
import { flattenSummed, panelKernel } from "./panel.ts";
import { registerKernel } from "./register.ts";
import { panelTiling, registerTiling } from "./tiling.ts";

export function scheduleContraction(group: LoweredGroup, target: Target): Scheduled {
  const c = contractionOf(group);
  if ("refused" in c) return c;
  const built = target.contraction.shape === "panel" ? panel(c, target) : register(c, target);
  return [{
    ...built,
    groups: built.kernel.groups,
    label: group.label,
    split: false,
    schedule: "contraction",
  }];
}

type Built = BuiltKernel & Pick<ScheduledKernel, "scratch">;

const register = (c: Contraction, target: Target): Built => ({
  ...registerKernel(c, registerTiling(c, target)),
  scratch: [],
});

function panel(given: Contraction, target: Target): Built {
  const c = flattenSummed(given);
  return panelKernel(c, panelTiling(c, target));
}
