/**
 * What a variant needs whose kernels hand values from lane to lane of a subgroup. A file of its own in a bundle
 * (`subgroups.js`), fetched where there is such a variant that a device may run.
 * @module
 */

import type { BundleKernel } from "../manifest.ts";

/**
 * Makes the texts such as the device's compiler takes them, and runs the probes.
 *
 * WGSL asks for the line `enable subgroups;`, which Deno's compiler rejects, though it knows the functions.
 *
 * @param codes Changed in place.
 * @returns What the device lacks; empty where nothing.
 */
export async function adapt(
  device: GPUDevice,
  kernels: readonly BundleKernel[],
  probes: readonly number[],
  codes: string[],
): Promise<string> {
  if (!device.features.has("subgroups" as GPUFeatureName)) return "subgroups";
  const line = "enable subgroups;";
  device.pushErrorScope("validation");
  device.createShaderModule({ code: line });
  if (await device.popErrorScope()) codes.forEach((code, i) => codes[i] = code.replace(line, ""));
  for (const probe of probes) {
    const { bindings: [binding], groups, workgroup } = kernels[probe]!;
    const size = binding!.bytes;
    const [data, copy] = [132, 9].map((usage) => device.createBuffer({ size, usage }));
    device.pushErrorScope("validation");
    try {
      const pipeline = device.createComputePipeline({
        layout: "auto",
        compute: { module: device.createShaderModule({ code: codes[probe]! }), entryPoint: "main" },
      });
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      pass.setPipeline(pipeline);
      pass.setBindGroup(
        0,
        device.createBindGroup({
          layout: pipeline.getBindGroupLayout(0),
          entries: [{ binding: 0, resource: { buffer: data! } }],
        }),
      );
      pass.dispatchWorkgroups(groups);
      pass.end();
      encoder.copyBufferToBuffer(data!, 0, copy!, 0, size);
      device.queue.submit([encoder.finish()]);
      const wrong = await device.popErrorScope();
      if (wrong) return `subgroups: ${wrong.message}`;
      await copy!.mapAsync(1);
      if (!new Uint32Array(copy!.getMappedRange()).every((word) => word === 1)) {
        return `subgroups that hold workgroups of ${workgroup[0]}`;
      }
    } finally {
      data!.destroy();
      copy!.destroy();
    }
  }
  return "";
}
