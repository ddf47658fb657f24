/** A raw kernel against the limits of the device: what WebGPU would refuse, or do wrong, in the user's terms. */

import { counted } from "../counted.ts";
import { CompileError } from "../errors.ts";
import { deviceBytes } from "../graph/dtype.ts";
import { showType } from "../graph/node.ts";
import type { ProgramSite } from "../kernel/program_op.ts";
import { volume } from "../kernel/raw.ts";
import type { ConcreteType } from "../kernel/value.ts";
import type { TargetLimits } from "../target.ts";
import type { RawSpec } from "./raw.ts";

/** Along z a workgroup ends here, by WebGPU's default limits; along x and y it may be as large as it may be at all. */
const lanesAlongZ = 64;

export const sizeOf = ({ shape }: ConcreteType): number => shape.reduce((n, d) => n * d, 1);

type Fail = (message: string) => never;

/** @throws CompileError that names the kernel, what is too much and what is allowed. */
export function checkRawLimits(
  { inputs, outputs, target }: Pick<ProgramSite<unknown>, "inputs" | "outputs" | "target">,
  spec: RawSpec,
): void {
  const { limits, features } = target;
  const fail: Fail = (message) => {
    throw new CompileError(`customKernel(${spec.name}): ${message}`, { origin: spec.origin });
  };
  const bound = inputs.length + outputs.length;
  if (bound > limits.storageBuffers) {
    fail(
      `its inputs and outputs are ${counted(bound, "buffer")}, and this device binds at most ` +
        `${limits.storageBuffers} per kernel. Join some with concat or stack, or split the kernel`,
    );
  }
  [...inputs, ...outputs].forEach((tensor: ConcreteType, i) => {
    const { name } = spec.tensors[i]!;
    const bytes = sizeOf(tensor) * deviceBytes(tensor.dtype);
    if (bytes > limits.bindingBytes) {
      fail(
        `"${name}", ${showType(tensor)}, has ${bytes} bytes, and this device binds at most ` +
          `${limits.bindingBytes}. Use a smaller batch, or give the kernel slices`,
      );
    }
    if (tensor.dtype === "f16" && !features.f16) {
      fail(
        `"${name}" is f16, and this device has no shader-f16. Give the kernel cast(${name}, "f32") instead`,
      );
    }
  });
  checkGrid(spec, limits, fail);
}

function checkGrid(spec: RawSpec, limits: TargetLimits, fail: Fail): void {
  const { workgroupSize, workgroups, workgroupBytes, writesAll } = spec;
  const lanes = volume(workgroupSize);
  if (lanes > limits.lanesPerWorkgroup || workgroupSize[2] > lanesAlongZ) {
    fail(
      `a workgroup of ${workgroupSize.join(" × ")} has ${lanes} invocations, and this device allows ` +
        `${limits.lanesPerWorkgroup}, at most ${lanesAlongZ} of them along z. Use a smaller workgroupSize`,
    );
  }
  if (workgroupBytes > limits.sharedBytes) {
    fail(
      `its var<workgroup> take ${workgroupBytes} bytes, and this device has ${limits.sharedBytes} per workgroup. Use ` +
        "smaller arrays",
    );
  }
  const groups = volume(workgroups);
  const most = limits.workgroupsPerDimension ** 2;
  if (groups > most) {
    fail(
      `${workgroups.join(" × ")} are ${
        counted(groups, "workgroup")
      }, and one dispatch has at most ${most}. Use larger ` +
        "workgroups, or give each invocation more to do",
    );
  }
  workgroups.forEach((count, axis) => {
    if (count * workgroupSize[axis]! <= 2 ** 32) return;
    fail(
      `${counted(count, "workgroup")} of ${workgroupSize[axis]} along ${
        "xyz"[axis]
      } are more invocations than a u32 counts, ` +
        "2^32. Use fewer, and give each more to do",
    );
  });
  if (groups === 0 && writesAll) {
    fail(
      `workgroups is ${
        workgroups.join(" × ")
      }, so nothing runs, and writesAll says that everything is written. ` +
        "Leave writesAll out, and the outputs are zeros",
    );
  }
}
