/**
 * What kind of processor an adapter is.
 *
 * WebGPU doesn't say it, and defaults depend on it: a CPU that plays GPU wants register tiles, few invocations and
 * short compile times; a GPU wants workgroup tiles and many invocations. The answer only chooses where tuning starts,
 * so an unknown adapter may be guessed wrong without a wrong result.
 * @module
 */

export type AdapterClass = "software" | "integrated" | "discrete";

/** What is read of a `GPUAdapterInfo`. */
export interface AdapterTraits {
  /** A PCI vendor number in Deno, such as `4318`; a name in Dawn and in browsers, such as `nvidia`. */
  readonly vendor: string;
  readonly architecture: string;
  readonly isFallbackAdapter: boolean;
}

/** Vendors of CPU adapters: Mesa's lavapipe, Google's SwiftShader, Microsoft's WARP; number and name. */
const SOFTWARE = ["65541", "mesa", "6880", "5140"];

/** Vendors most of whose GPUs share their memory with the CPU: Intel, Apple, Arm, Qualcomm, Imagination, Broadcom. */
const INTEGRATED = [
  ...["32902", "4203", "5045", "20803", "4112", "5348"],
  ...["intel", "apple", "arm", "qualcomm", "img-tec", "broadcom"],
];

/** The class of an adapter; `discrete` where nothing speaks against it. */
export function classifyAdapter({ vendor, architecture, isFallbackAdapter }: AdapterTraits): AdapterClass {
  if (isFallbackAdapter || SOFTWARE.includes(vendor) || architecture === "swiftshader") return "software";
  return INTEGRATED.includes(vendor) ? "integrated" : "discrete";
}
