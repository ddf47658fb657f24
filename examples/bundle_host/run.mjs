// deno-lint-ignore-file explicit-module-boundary-types -- plain JavaScript, for Node
/** A checked bundle on a device: one run of its self-test, and what is wrong with it. */

import { Buffer } from "node:buffer";
import { need } from "./json_schema.mjs";

const arrays = { f32: Float32Array, i32: Int32Array, u32: Uint32Array, bool: Uint32Array };
export const whole = (bytes) => Math.ceil(bytes / 4) * 4;

export function half(h) {
  const [sign, e, m] = [h & 0x8000 ? -1 : 1, (h >> 10) & 31, h & 1023];
  return e === 31 ? (m ? NaN : sign * Infinity) : sign * (e ? (1 + m / 1024) * 2 ** (e - 15) : m * 2 ** -24);
}

/** What is wrong with an output, of the bytes that a device has. */
function mistakesOf({ name, dtype, tolerance }, { indices, values }, bytes) {
  const got = dtype === "f16" ? Array.from(new Uint16Array(bytes), half) : new arrays[dtype](bytes);
  const wanted = { null: NaN, inf: Infinity, "-inf": -Infinity };
  return indices.flatMap((index, i) => {
    const right = wanted[values[i]] ?? values[i];
    const most = tolerance.absolute + tolerance.relative * Math.abs(right);
    const fits = Object.is(got[index], right) || Math.abs(got[index] - right) <= most;
    return fits ? [] : [`${name}[${index}] is ${got[index]}, and should be ${right} within ${most}`];
  });
}

/** A device for the first variant that an adapter can run, and its kernels as functions of what they bind. */
async function open(gpu, { manifest, codes }) {
  for (const variant of manifest.variants) {
    const adapter = await gpu.requestAdapter() ?? need(false, "there is no adapter");
    const fits = variant.features.every((name) => adapter.features.has(name)) &&
      Object.entries(variant.limits).every(([name, least]) => adapter.limits[name] >= least) &&
      Object.entries(variant.info ?? {}).every(([name, least]) => adapter.info[name] >= least);
    if (!fits) continue;
    const device = await adapter.requestDevice({
      requiredFeatures: variant.features,
      requiredLimits: variant.limits,
    });
    const mistakes = [];
    device.onuncapturederror = ({ error }) => mistakes.push(error.message);
    const dispatch = dispatcher(device, manifest.kernels, codes);
    const answers = (variant.probes ?? []).map((kernel) => {
      const { groups, bindings: [{ bytes }] } = manifest.kernels[kernel];
      const encoder = device.createCommandEncoder();
      const buffer = device.createBuffer({ size: bytes, usage: 132 });
      dispatch(encoder, { kernel, grid: [groups, 1], bindings: [[0, 0, bytes]], uniforms: [] }, [buffer]);
      const read = copied(device, encoder, buffer, 0, bytes);
      device.queue.submit([encoder.finish()]);
      return read();
    });
    const words = (await Promise.all(answers)).flatMap((bytes) => [...new Uint32Array(bytes)]);
    if (words.every((word) => word === 1) && mistakes.length === 0) {
      return { device, variant, dispatch, mistakes };
    }
    device.destroy();
  }
  return need(false, "the adapter can run no variant");
}

const dispatcher = (device, kernels, codes) => {
  const pipelines = kernels.map(({ bindings, uniforms }, i) => {
    let made;
    return () => {
      if (made) return made;
      const types = bindings.map(({ access }) => access === "read" ? "read-only-storage" : "storage");
      if (uniforms) types.push("uniform");
      const entries = types.map((type, binding) => ({ binding, visibility: 4, buffer: { type } }));
      const layout = device.createPipelineLayout({
        bindGroupLayouts: [device.createBindGroupLayout({ entries })],
      });
      const module = device.createShaderModule({ code: codes[i] });
      return made = device.createComputePipeline({ layout, compute: { module, entryPoint: "main" } });
    };
  });
  return (encoder, { kernel, grid, bindings, uniforms }, arenas) => {
    const resources = bindings.map(([arena, offset, size]) => ({ buffer: arenas[arena], offset, size }));
    if (uniforms.length) {
      resources.push({ buffer: device.createBuffer({ size: uniforms.length * 4, usage: 72 }) });
      device.queue.writeBuffer(resources.at(-1).buffer, 0, Uint32Array.from(uniforms));
    }
    const entries = resources.map((resource, binding) => ({ binding, resource }));
    const pipeline = pipelines[kernel]();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(...grid);
    pass.end();
  };
};

/** Copies bytes to where they can be read; gives what reads them once they are submitted. */
function copied(device, encoder, from, offset, bytes) {
  const buffer = device.createBuffer({ size: Math.max(4, whole(bytes)), usage: 9 });
  if (bytes) encoder.copyBufferToBuffer(from, offset, buffer, 0, whole(bytes));
  return async () => {
    await buffer.mapAsync(1);
    return buffer.getMappedRange().slice(0, bytes);
  };
}

/** One run from the bundle's own state; which features it took, and the bytes of each output as the device has them. */
export async function runOnce(gpu, bundle) {
  const { manifest, tensors, test } = bundle;
  need(test, "the bundle was built without a self-test, whose run this host makes");
  const { device, variant, dispatch, mistakes } = await open(gpu, bundle);
  const program = variant.programs[test.program];
  const arenas = program.arenas.map(({ bytes }) => device.createBuffer({ size: bytes, usage: 140 }));
  const write = ([arena, offset], data) => {
    const padded = new Uint8Array(whole(data.length));
    padded.set(data);
    if (data.length) device.queue.writeBuffer(arenas[arena], offset, padded);
  };
  manifest.state.forEach(({ tensor }, i) => tensor !== undefined && write(program.state[i], tensors[tensor]));
  program.constants.forEach(({ tensor, at }) => write(at, tensors[tensor]));
  manifest.inputs.forEach(({ name, dtype }, i) => {
    need(arrays[dtype], `this host feeds no ${dtype}`);
    write(program.inputs[i], new Uint8Array(arrays[dtype].from(test.inputs[name]).buffer));
  });
  const encoder = device.createCommandEncoder();
  for (const step of program.steps) {
    if (!step.from) {
      dispatch(encoder, step, arenas);
      continue;
    }
    const { from, to } = step;
    const between = device.createBuffer({ size: whole(from[2]), usage: 12 });
    encoder.copyBufferToBuffer(arenas[from[0]], from[1], between, 0, whole(from[2]));
    encoder.copyBufferToBuffer(between, 0, arenas[to[0]], to[1], whole(from[2]));
  }
  const reads = program.outputs.map(([arena, offset, bytes]) =>
    copied(device, encoder, arenas[arena], offset, bytes)
  );
  device.queue.submit([encoder.finish()]);
  const outputs = {};
  for (const [i, output] of manifest.outputs.entries()) {
    const bytes = await reads[i]();
    outputs[output.name] = Buffer.from(bytes).toString("hex");
    const expected = test.outputs.find(({ name }) => name === output.name);
    if (expected) mistakes.push(...mistakesOf(output, expected, bytes));
  }
  device.destroy();
  need(mistakes.length === 0, mistakes[0]);
  return { features: variant.features, outputs };
}
