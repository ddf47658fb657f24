/**
 * A `navigator.gpu` whose devices tell how long WebGPU took to make each pipeline.
 * @module
 */

/** Hears a pipeline's label and the milliseconds that its module and itself took. */
export type HearPipeline = (label: string, ms: number) => void;

/** Devices are WebGPU's own, with two methods timed; shader modules and pipelines of one kernel have the same label. */
export function timedGpu(gpu: GPU, hear: HearPipeline): GPU {
  const requestAdapter = async (options?: GPURequestAdapterOptions) => {
    const adapter = await gpu.requestAdapter(options);
    if (adapter === null) return null;
    const requestDevice = adapter.requestDevice.bind(adapter);
    adapter.requestDevice = async (descriptor) => timeMethods(await requestDevice(descriptor), hear);
    return adapter;
  };
  return { requestAdapter, getPreferredCanvasFormat: () => gpu.getPreferredCanvasFormat() } as GPU;
}

function timeMethods(device: GPUDevice, hear: HearPipeline): GPUDevice {
  const timed = <D extends GPUObjectDescriptorBase, R>(make: (descriptor: D) => R) => (descriptor: D): R => {
    const start = performance.now();
    const made = make(descriptor);
    hear(descriptor.label ?? "", performance.now() - start);
    return made;
  };
  device.createShaderModule = timed(device.createShaderModule.bind(device));
  device.createComputePipeline = timed(device.createComputePipeline.bind(device));
  return device;
}
