/**
 * Bisection: the first node at which a device departs from the references of the ops, and a small file that shows it.
 *
 * The program runs with all its temporaries kept; each kernel is then judged on what it really read (local_checks.ts). The
 * first that is wrong is taken apart: are its ops wrong one by one, too, or only as one kernel, and from which node on?
 * Where every kernel is right, a pass may have changed the meaning, or memory may be shared by what it should not be.
 * @module
 */

import { compileGraph, policies } from "../../compiler/compile.ts";
import type { Arithmetic } from "../../compiler/fuse/lower_group.ts";
import type { FusionPolicy } from "../../compiler/fuse/policy.ts";
import { bindSizes } from "../../compiler/graph/bind.ts";
import type { Sizes } from "../../compiler/graph/dim.ts";
import type { Model } from "../../compiler/model/model.ts";
import type { Target } from "../../compiler/target.ts";
import type { Device } from "../device.ts";
import type { Finding } from "./finding.ts";
import { Investigation } from "./investigation.ts";
import type { Setting } from "./judge.ts";
import { runKept } from "./kept_run.ts";
import { checkKernels, type LocalChecks } from "./local_checks.ts";
import { dataFor, type GivenData } from "./made_data.ts";

export type { Finding, Reproduction } from "./finding.ts";

export interface BisectOptions extends GivenData {
  readonly device: Device;
  /** A number for every named size of the model. */
  readonly sizes?: Sizes;
  /** Default: greedy. */
  readonly policy?: FusionPolicy;
  /** What to compile for. Default: the device's own target. */
  readonly target?: Target;
  readonly arithmetic?: Arithmetic;
  /** Seconds that shrinking may take. Default 30. */
  readonly seconds?: number;
  /** What the reproduction file imports Weft from. Default: this copy's `mod.ts`. */
  readonly weft?: string;
  /** Hears what is done next, and which part of the kernels is judged. */
  readonly onProgress?: (part: number, what: string) => void;
  readonly signal?: AbortSignal;
}

export interface Bisection {
  readonly checks: LocalChecks;
  readonly finding?: Finding;
}

/**
 * Runs a model once and finds the first node whose value departs from its reference, beyond what rounding allows.
 *
 * @throws CompileError, ShapeError or RunError where the model can't be compiled and run as asked.
 * @example
 * ```ts
 * import { bisect, input, model, openDevice, softmax } from "@weft/weft";
 *
 * const net = model({ x: input(["n", 16], "f32") }, ({ x }) => ({ y: softmax(x) }));
 * using device = await openDevice({ device: "cpu" });
 * const { checks, finding } = await bisect(net, { device, sizes: { n: 8 } });
 * console.log(finding?.message ?? `${checks.results} results agree`);
 * ```
 */
export async function bisect(model: Model, options: BisectOptions): Promise<Bisection> {
  const { device, sizes = {}, policy = policies.greedy, arithmetic, signal } = options;
  const { target = device.target } = options;
  const setting: Setting = { target, policy, arithmetic };
  const graph = bindSizes(model.graph, sizes);
  const { onProgress = () => {} } = options;
  onProgress(0, "compiling");
  const kept = compileGraph(graph, { ...setting, keep: true });
  const data = dataFor(kept, options);
  onProgress(0, "one run, with all temporaries kept");
  const values = await runKept(device, kept, data);
  const checks = await checkKernels(kept, values, data, {
    builtins: target.builtins.exp,
    onProgress: (done, of, label) => onProgress(done / of, `${done}/${of} kernels, ${label}`),
    ...signal && { signal },
  });
  const inMemory = () => {
    onProgress(1, "a run in which temporaries share memory");
    return search.inMemory(values);
  };
  const search = new Investigation(graph, kept, data, setting, options);
  onProgress(
    1,
    checks.wrong ? `taking "${checks.wrong.label}" apart` : "asking whether a pass changed the meaning",
  );
  const finding = checks.wrong
    ? await search.inKernel(checks.wrong)
    : await search.inPasses() ?? await inMemory();
  return { checks, ...finding && { finding } };
}
