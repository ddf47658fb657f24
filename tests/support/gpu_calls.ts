/**
 * What the runtime asks of WebGPU, seen from outside.
 * @module
 */

export interface CountedCalls {
  readonly counts: Readonly<Record<string, number>>;
  reset(): void;
  restore(): void;
}

/** Counts the calls of methods until `restore`; methods that were not called are not in `counts`. */
export function countCalls<T extends object>(
  prototype: T,
  methods: readonly (keyof T & string)[],
): CountedCalls {
  const counts: Record<string, number> = {};
  const originals = methods.map((method) => [method, prototype[method]] as const);
  for (const [method, original] of originals) {
    prototype[method] = function (this: T, ...args: unknown[]) {
      counts[method] = (counts[method] ?? 0) + 1;
      return (original as (...args: unknown[]) => unknown).apply(this, args);
    } as T[typeof method];
  }
  return {
    counts,
    reset: () => {
      for (const method of methods) delete counts[method];
    },
    restore: () => {
      for (const [method, original] of originals) prototype[method] = original;
    },
  };
}

/** WebGPU devices that are opened until `restore`, the last first, for doing what the runtime never would. */
export function catchDevices(): { readonly caught: GPUDevice[]; restore(): void } {
  const caught: GPUDevice[] = [];
  const original = GPUAdapter.prototype.requestDevice;
  GPUAdapter.prototype.requestDevice = async function (this: GPUAdapter, descriptor?: GPUDeviceDescriptor) {
    const device = await original.call(this, descriptor);
    caught.unshift(device);
    return device;
  };
  return {
    caught,
    restore: () => {
      GPUAdapter.prototype.requestDevice = original;
    },
  };
}
