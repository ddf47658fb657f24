/**
 * Whether a program that was compiled for a lock's target may run on the device at hand.
 * @module
 */

import { emitWgsl } from "../../compiler/emit/wgsl.ts";
import type { Compiled } from "../../compiler/compile.ts";
import { InternalError, RunError } from "../../compiler/errors.ts";
import { wgslOptionsOf } from "../../compiler/emit/wgsl_options.ts";
import { verifyKernels } from "../../compiler/schedule/verify.ts";
import type { Device } from "../device.ts";

/**
 * @throws RunError, with both sides, where the device has less than the program needs, or would run other texts than
 * those that were locked.
 */
export function checkDevice({ program, kernels, target }: Compiled, device: Device): void {
  const own = device.target;
  const fail = (what: string): never => {
    throw new RunError(
      `lock: it was made for ${target.name}, and this device is ${own.name}: ${what}. Make a lock for this device.`,
    );
  };
  try {
    verifyKernels(kernels, own);
  } catch (error) {
    if (error instanceof InternalError) fail(error.what);
    throw error;
  }
  const { bufferBytes, bindingBytes } = own.limits;
  const arena = program.arenas.find(({ bytes }) => bytes > bufferBytes);
  if (arena) fail(`the ${arena.role} arena has ${arena.bytes} bytes, and a buffer may have ${bufferBytes}`);
  for (const step of program.steps) {
    if (step.kind !== "dispatch") continue;
    const { bindings, label } = step.dispatch;
    const wide = bindings.find(({ bytes }) => bytes > bindingBytes);
    if (wide) fail(`"${label}" binds ${wide.bytes} bytes at once, and may bind ${bindingBytes}`);
  }
  if (target.builtins.exp && !own.builtins.exp) {
    fail("its own exp was exact enough to be used there, and is not here");
  }
  // JavaScript is no WGSL: what the CPU runs is the same loops.
  if (device.kind === "cpu") return;
  const [locked, here] = [wgslOptionsOf(target), wgslOptionsOf(own)];
  const index = program.kernels.findIndex((kernel) => emitWgsl(kernel, locked) !== emitWgsl(kernel, here));
  if (index < 0) return;
  const dispatch = program.steps.find((step) => step.kind === "dispatch" && step.dispatch.kernel === index);
  const label = dispatch?.kind === "dispatch" ? dispatch.dispatch.label : `kernel ${index}`;
  fail(
    `"${label}" would be another text, since f16 is ${
      shown(target.features.f16, own.features.f16)
    }, subgroups are ` +
      `${
        shown(target.features.subgroups, own.features.subgroups)
      }, loads are handed on among ${target.broadcast} lanes ` +
      `there and ${own.broadcast} here, and reduced numbers among ${target.subgroup} there and ${own.subgroup} here`,
  );
}

const shown = (there: boolean, here: boolean): string =>
  there === here
    ? (here ? "on in both" : "off in both")
    : there
    ? "on there and off here"
    : "off there and on here";
