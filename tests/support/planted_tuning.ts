/**
 * Programs in which some ways to schedule a group compute something slightly wrong, for tests of what tuning lets through.
 * @module
 */

import type { Compiled } from "../../compiler/compile.ts";
import { isRaw } from "../../compiler/kernel/raw.ts";
import type { Target } from "../../compiler/target.ts";
import { wrongStores } from "./plant_error.ts";

/** The same program, whose units are wrong by one percent where they are scheduled for some targets. */
export const wrongWhere = (compiled: Compiled, isWrong: (target: Target) => boolean): Compiled => ({
  ...compiled,
  units: compiled.units.map((unit) => ({
    ...unit,
    key: unit.key,
    schedule(target) {
      const kernels = unit.schedule(target);
      if (!isWrong(target)) return kernels;
      return kernels.map((scheduled) => {
        const { kernel } = scheduled;
        if (isRaw(kernel)) return scheduled;
        const written = kernel.buffers.filter(({ access }) => access !== "read");
        return { ...scheduled, kernel: written.reduce((k, { name }) => wrongStores(k, name), kernel) };
      });
    },
  })),
});
