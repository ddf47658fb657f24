/**
 * Opening the machine's WebGPU adapter: one device with all that the adapter has to give, and a plain description of it.
 * @module
 */

import { prepareEnvironment } from "./environment.ts";

/** The numbers of `GPUSupportedLimits`, by name. */
export type Limits = Readonly<Record<LimitName, number>>;
export type LimitName = Exclude<keyof GPUSupportedLimits, "__brand">;

/** The optional features that Weft's kernels can use. */
const WANTED_FEATURES = ["shader-f16", "subgroups", "timestamp-query"] as const;
export type WantedFeature = typeof WANTED_FEATURES[number];

/** An adapter as plain data, fit for a cache's key, a report or another process. */
export interface AdapterDescription {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  /** The adapter's name as its driver gives it, such as `llvmpipe (LLVM 19.1.7, 256 bits)`. */
  readonly description: string;
  /** What the device was given, which is all that the adapter has. */
  readonly limits: Limits;
  /** The wanted features that the device was given. */
  readonly features: readonly WantedFeature[];
}

export interface OpenedAdapter {
  readonly adapter: AdapterDescription;
  readonly device: GPUDevice;
}

export interface OpenAdapterOptions {
  /** Where adapters come from: another engine, such as Dawn from `npm:webgpu`, has an object like `navigator.gpu`. */
  readonly gpu?: GPU;
  readonly powerPreference?: GPUPowerPreference;
  /** Hears every error that no error scope caught. By default it is printed, since WebGPU itself says nothing. */
  readonly onUncapturedError?: (error: GPUError) => void;
}

/** There is no adapter; the message says what to do about it. */
export class NoAdapterError extends Error {
  override readonly name = "NoAdapterError";
}

/**
 * Opens the adapter that the engine prefers. Throws a {@linkcode NoAdapterError} where there is none.
 *
 * @example
 * ```ts
 * import { openAdapter } from "./adapter.ts";
 *
 * const { adapter, device } = await openAdapter();
 * console.log(`${adapter.description}, with ${adapter.features.join(", ")}`);
 * device.destroy();
 * ```
 */
export async function openAdapter(options: OpenAdapterOptions = {}): Promise<OpenedAdapter> {
  prepareEnvironment();
  const adapter = await requestAdapter(options);
  const limits = readLimits(adapter.limits);
  const features: WantedFeature[] = [];
  for (const feature of WANTED_FEATURES) {
    if (adapter.features.has(feature) || await isRequestable(feature, options)) features.push(feature);
  }
  const device = await adapter.requestDevice({ requiredFeatures: features, requiredLimits: limits });
  const onUncapturedError = options.onUncapturedError ?? printError;
  device.addEventListener(
    "uncapturederror",
    (event) => onUncapturedError((event as GPUUncapturedErrorEvent).error),
  );
  const { vendor, architecture, device: id, description } = adapter.info;
  return {
    adapter: {
      vendor,
      architecture,
      device: id,
      description,
      limits: readLimits(device.limits),
      features,
    },
    device,
  };
}

async function requestAdapter(
  { gpu = navigator.gpu, powerPreference }: OpenAdapterOptions,
): Promise<GPUAdapter> {
  const adapter = await gpu.requestAdapter(powerPreference === undefined ? {} : { powerPreference });
  if (adapter !== null) return adapter;
  throw new NoAdapterError(
    "This machine has no WebGPU adapter. `deno task train` installs a software one on Debian and Ubuntu; elsewhere, " +
      "install the Vulkan driver of your GPU or Mesa's lavapipe.",
  );
}

/**
 * Whether a device can be had with a feature that the adapter doesn't list: Deno grants `subgroups` without listing it.
 * An engine that has never heard of a feature throws, so each is tried alone; and an adapter gives only one device in
 * some engines, so each is tried on an adapter of its own.
 */
async function isRequestable(feature: WantedFeature, options: OpenAdapterOptions): Promise<boolean> {
  try {
    const device = await (await requestAdapter(options)).requestDevice({ requiredFeatures: [feature] });
    const granted = device.features.has(feature);
    device.destroy();
    return granted;
  } catch {
    return false;
  }
}

/** The limits are getters on the prototype, which neither spreading nor `Object.entries` sees. */
function readLimits(limits: GPUSupportedLimits): Limits {
  const names = Object.getOwnPropertyNames(Object.getPrototypeOf(limits)) as LimitName[];
  return Object.fromEntries(
    names.map((name) => [name, limits[name]]).filter(([, limit]) => typeof limit === "number"),
  ) as Limits;
}

function printError(error: GPUError): void {
  console.error(`WebGPU: ${error.message}`);
}
