/**
 * What a command compiles for: this machine's device, or a kind of processor by name, which needs none.
 * @module
 */

import { Option } from "commander";
import { gpuTarget, integratedTarget, softwareTarget, type Target } from "../../compiler/target.ts";

/** Kinds of processors by name, with WebGPU's default limits. */
export const targets: Readonly<Record<"software" | "integrated" | "gpu", Target>> = {
  software: softwareTarget,
  integrated: integratedTarget,
  gpu: gpuTarget,
};

/** `--target gpu` */
export const targetOption = (): Option =>
  new Option("--target <kind>", "a kind of processor, instead of this machine's").choices(
    Object.keys(targets),
  );
