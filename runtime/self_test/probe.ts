/**
 * Running one small kernel for the self-test, with plain WebGPU: what is tested here must not depend on the runtime
 * that is later told the result.
 * @module
 */

/** A kernel with its input and output arrays of 32-bit words. */
export interface Probe {
  /**
   * The body of `fn main`, in which `i` is the global invocation's index, `inp` the input and `out` the output, both
   * `array<u32>` unless said otherwise. Arguments come from `inp` rather than as literals, so that nothing is computed at compile time.
   */
  readonly body: string;
  readonly input?: ArrayBufferView<ArrayBuffer>;
  readonly outputWords: number;
  /** `enable` lines and declarations before `fn main`. */
  readonly enables?: string;
  readonly declarations?: string;
  /** The output's type, where it is not `array<u32>`. */
  readonly output?: string;
  /** More parameters of `fn main`. */
  readonly parameters?: string;
  readonly workgroupSize?: number;
  readonly workgroups?: number;
}

/** The words of the output after one dispatch. Throws with WebGPU's message where the kernel is not accepted. */
export async function runProbe(device: GPUDevice, probe: Probe): Promise<Uint32Array<ArrayBuffer>> {
  const input = probe.input ?? new Uint32Array(1);
  const bytes = probe.outputWords * 4;
  const { STORAGE, COPY_DST, COPY_SRC, MAP_READ } = GPUBufferUsage;
  const source = device.createBuffer({ size: input.byteLength, usage: STORAGE | COPY_DST });
  const result = device.createBuffer({ size: bytes, usage: STORAGE | COPY_SRC });
  const readBack = device.createBuffer({ size: bytes, usage: MAP_READ | COPY_DST });
  try {
    device.queue.writeBuffer(source, 0, input);
    device.pushErrorScope("validation");
    const encoder = device.createCommandEncoder();
    encodeDispatch(device, encoder, probe, [source, result]);
    encoder.copyBufferToBuffer(result, 0, readBack, 0, bytes);
    device.queue.submit([encoder.finish()]);
    const error = await device.popErrorScope();
    if (error !== null) throw new Error(error.message);
    await readBack.mapAsync(GPUMapMode.READ);
    return new Uint32Array(readBack.getMappedRange().slice(0));
  } finally {
    for (const buffer of [source, result, readBack]) buffer.destroy();
  }
}

function encodeDispatch(
  device: GPUDevice,
  encoder: GPUCommandEncoder,
  probe: Probe,
  buffers: readonly [source: GPUBuffer, result: GPUBuffer],
): void {
  // Stated rather than "auto", which leaves out a binding that the body doesn't use.
  const layout = device.createBindGroupLayout({
    entries: (["read-only-storage", "storage"] as const).map((type, binding) => (
      { binding, visibility: GPUShaderStage.COMPUTE, buffer: { type } }
    )),
  });
  const pipeline = device.createComputePipeline({
    layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
    compute: { module: device.createShaderModule({ code: shaderOf(probe) }) },
  });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout, entries }));
  pass.dispatchWorkgroups(probe.workgroups ?? 1);
  pass.end();
}

/** Applies one expression of `x` and `y` to pairs of floats: `inp` holds x₀ y₀ x₁ y₁ … */
export async function evaluate(
  device: GPUDevice,
  expression: string,
  pairs: readonly (readonly [x: number, y: number])[],
): Promise<number[]> {
  const words = await runProbe(device, {
    body: `let x = bitcast<f32>(inp[2u * i]); let y = bitcast<f32>(inp[2u * i + 1u]);
      out[i] = bitcast<u32>(f32(${expression}));`,
    input: new Float32Array(pairs.flat()),
    outputWords: pairs.length,
    workgroups: pairs.length,
  });
  return [...new Float32Array(words.buffer)];
}

function shaderOf(probe: Probe): string {
  const { enables = "", declarations = "", output = "array<u32>", parameters, workgroupSize = 1, body } =
    probe;
  return `${enables}
@group(0) @binding(0) var<storage, read> inp: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: ${output};
${declarations}
@compute @workgroup_size(${workgroupSize})
fn main(@builtin(global_invocation_id) id: vec3<u32>${parameters === undefined ? "" : `, ${parameters}`}) {
  let i = id.x;
  ${body}
}`;
}
