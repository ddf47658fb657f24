/**
 * A program as the manifest has it: memory, ranges, and the steps of a run with their uniform blocks filled in.
 * @module
 */

import { encodeUniforms } from "../emit/uniforms.ts";
import { InternalError } from "../errors.ts";
import type { Binding, Program, Region } from "../program/program.ts";
import type { OpenGrid } from "./open_grid.ts";
import type { BundleArena, BundleKernel, BundleProgram, BundleStep, Range } from "./manifest.ts";

/** Workgroups per dimension that every device has; more are folded into two dimensions. */
const perDimension = 65_535;

/** What a bundle knows of a program's parts by number. */
export interface Numbers {
  /** The kernel of the pool for each dispatch of the program, in order. */
  readonly kernels: readonly number[];
  /** The stored tensor for each constant of the program. */
  readonly constants: readonly number[];
  /** For each dispatch of the program, in order. */
  readonly open: readonly (OpenGrid | undefined)[];
}

export function describeProgram(program: Program, { kernels, constants, open }: Numbers): BundleProgram {
  let memories = 0;
  const arenas = program.arenas.map(({ role, bytes }): BundleArena =>
    role === "state" ? { role, bytes, memory: memories++ } : { role, bytes }
  );
  let dispatches = 0;
  const steps = program.steps.map((step): BundleStep => {
    if (step.kind === "copy") return { from: range(step.copy.from), to: range(step.copy.to) };
    const { kernel, groups, bindings, params, label } = step.dispatch;
    const [opened, own] = [open[dispatches], kernels[dispatches]];
    dispatches++;
    return {
      kernel: own ?? fail(`no number for kernel ${kernel}`),
      grid: groups <= perDimension ? [groups, 1] : [perDimension, Math.ceil(groups / perDimension)],
      ...opened && { open: [opened.block, opened.blocks, opened.rows] as const },
      bindings: bindings.map(range),
      uniforms: [...encodeUniforms(program.kernels[kernel]!, params, groups)],
      label,
    };
  });
  const { peak, bound } = program.memory;
  return {
    arenas,
    memory: { peak, bound },
    inputs: program.inputs.map(({ region }) => range(region)),
    outputs: program.outputs.map(({ region }) => range(region)),
    state: program.state.map(({ region }) => range(region)),
    constants: program.constants.map(({ region: { arena, offset, bytes } }, i) => (
      { tensor: constants[i]!, at: [arena, offset, Math.ceil(bytes / 4) * 4] }
    )),
    steps,
  };
}

const range = ({ arena, offset, bytes }: Binding | Region): Range => [arena, offset, bytes];

/** What a device must have for these programs, by WebGPU's names. */
export function requiredLimits(
  programs: readonly BundleProgram[],
  pool: readonly BundleKernel[],
): Readonly<Record<string, number>> {
  const most = (numbers: readonly number[]) => numbers.reduce((a, b) => Math.max(a, b), 1);
  const dispatches = programs.flatMap(({ steps }) => steps.flatMap((step) => "kernel" in step ? [step] : []));
  const kernels = [...new Set(dispatches.map(({ kernel }) => kernel))].map((kernel) => pool[kernel]!);
  return {
    maxBufferSize: most(programs.flatMap(({ arenas }) => arenas.map(({ bytes }) => bytes))),
    maxComputeInvocationsPerWorkgroup: most(kernels.map(({ workgroup: [x, y, z] }) => x * y * z)),
    maxComputeWorkgroupSizeX: most(kernels.map(({ workgroup }) => workgroup[0])),
    maxComputeWorkgroupSizeY: most(kernels.map(({ workgroup }) => workgroup[1])),
    maxComputeWorkgroupSizeZ: most(kernels.map(({ workgroup }) => workgroup[2])),
    maxComputeWorkgroupStorageSize: most(kernels.map(({ shared }) => shared)),
    maxComputeWorkgroupsPerDimension: most(dispatches.flatMap(({ grid }) => [...grid])),
    maxStorageBufferBindingSize: most(
      dispatches.flatMap(({ bindings }) => bindings.map(([, , bytes]) => bytes)),
    ),
    maxStorageBuffersPerShaderStage: most(kernels.map(({ bindings }) => bindings.length)),
    maxUniformBufferBindingSize: most(kernels.map(({ uniforms }) => uniforms)),
  };
}

function fail(message: string): never {
  throw new InternalError("bundle", message);
}
