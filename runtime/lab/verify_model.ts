/**
 * Fused against unfused, for a model as it stands: what `compile(…, { verify: true })` does to a first run, without one.
 * @module
 */

import { compileGraph, policies } from "../../compiler/compile.ts";
import type { FusionPolicy } from "../../compiler/fuse/policy.ts";
import type { Arithmetic } from "../../compiler/fuse/lower_group.ts";
import type { Sizes } from "../../compiler/graph/dim.ts";
import type { Model } from "../../compiler/model/model.ts";
import type { Target } from "../../compiler/target.ts";
import type { Device } from "../device.ts";
import { type Agreement, compareRuns } from "../verify.ts";
import { dataFor, type GivenData } from "./made_data.ts";

export interface VerifyOptions extends GivenData {
  readonly device: Device;
  /** A number for every named size of the model. */
  readonly sizes?: Sizes;
  /** What is held to no fusion at all. Default: greedy. */
  readonly policy?: FusionPolicy;
  /** What to compile for. Default: the device's own target. */
  readonly target?: Target;
  readonly arithmetic?: Arithmetic;
  /** Hears what is done next. */
  readonly onProgress?: (part: number, what: string) => void;
}

/**
 * Computes one run with fusion and without, on the inputs given or on some that are made, and compares kernel by kernel.
 *
 * @throws RunError that names the first kernel whose result differs, and its ops.
 * @example
 * ```ts
 * import { input, model, openDevice, softmax, verifyModel } from "@weft/weft";
 *
 * const net = model({ x: input(["n", 16], "f32") }, ({ x }) => ({ y: softmax(x) }));
 * using device = await openDevice({ device: "cpu" });
 * const { results, worst } = await verifyModel(net, { device, sizes: { n: 8 } });
 * console.log(results, worst?.distance);
 * ```
 */
export function verifyModel(model: Model, options: VerifyOptions): Promise<Agreement> {
  const { device, sizes = {}, policy = policies.greedy, target = device.target, arithmetic } = options;
  const { onProgress = () => {} } = options;
  const settings = { target, sizes, arithmetic, keep: true };
  onProgress(0, "compiling with fusion");
  const fused = compileGraph(model.graph, { ...settings, policy });
  onProgress(0.2, "compiling without");
  const unfused = compileGraph(model.graph, { ...settings, policy: policies.none });
  return compareRuns(device, fused, unfused, dataFor(fused, options), onProgress);
}
