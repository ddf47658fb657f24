/**
 * What a command compiles for: this machine's device, or a kind of processor by name, which needs none.
 * @module
 */

import { type Command, Option } from "commander";
import { gpuTarget, integratedTarget, softwareTarget, type Target } from "../../compiler/target.ts";
import { UsageError } from "./usage_error.ts";

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

/** @throws UsageError where a command is given both a kind of processor and a device: only one could be compiled for. */
export function checkTargetAlone(command: Command): void {
  const { target, device } = command.opts<{ target?: string; device: string }>();
  if (target === undefined || device === "none" || command.getOptionValueSource("device") !== "cli") return;
  throw new UsageError(
    `--target ${target} is a kind of processor, and asks no device; --device ${device} is one. Leave out one of the two.`,
  );
}
