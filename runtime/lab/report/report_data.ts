/**
 * What a report says, as plain data: one compile of a model, or two of it beside one another.
 * @module
 */

import { compileGraph, type FusionPolicy, policies } from "../../../compiler/compile.ts";
import type { Sizes } from "../../../compiler/graph/dim.ts";
import type { Model } from "../../../compiler/model/model.ts";
import type { Target } from "../../../compiler/target.ts";
import type { Device } from "../../device.ts";
import { version } from "../../version.ts";
import type { Peaks } from "../peaks.ts";
import { profileProgram } from "../profile_program.ts";
import { matchOps } from "./compare.ts";
import { compileView } from "./compile_view.ts";
import type { CompileView, ReportData } from "./data.ts";
import { GraphTrace } from "./graph_trace.ts";
import { Lineage } from "./op_table.ts";

/** One compile of a report. */
export interface ReportedCompile {
  /** What tells it from the other. */
  readonly name: string;
  readonly target: Target;
  readonly sizes?: Sizes;
  readonly policy?: FusionPolicy;
  /** Where it is measured, or the sentence that says why it is not. */
  readonly measure: Device | string;
}

/** Options of `reportData`. */
export interface ReportOptions {
  /** Rounds in which dispatches are timed. Default 10. */
  readonly rounds?: number;
  /** Hears what is done next, in a few words. */
  readonly onProgress?: (what: string) => void;
  /** Ends measuring early: what has been measured counts. */
  readonly signal?: AbortSignal;
}

/**
 * Compiles a model, measures it where a device is given, and writes down all that there is to see.
 *
 * @param title What the page is called.
 * @param compiles One, or two to be shown beside one another.
 * @throws CompileError or ShapeError where the model can't be compiled as asked; RunError where it can't run.
 * @example
 * ```ts
 * import { input, model, softmax } from "@weft/weft";
 * import { testTarget } from "../../../compiler/target.ts";
 * import { reportData } from "./report_data.ts";
 *
 * const net = model({ x: input([8, 16], "f32") }, ({ x }) => ({ y: softmax(x) }));
 * const compile = { name: "greedy", target: testTarget, measure: "nobody asked for times." };
 * const data = await reportData("softmax", net, [compile]);
 * console.log(data.compiles[0]!.groups.length); // and reportPage(data) makes a page of it
 * ```
 */
export async function reportData(
  title: string,
  model: Pick<Model, "graph">,
  compiles: readonly [ReportedCompile] | readonly [ReportedCompile, ReportedCompile],
  { rounds, onProgress = () => {}, signal }: ReportOptions = {},
): Promise<ReportData> {
  const lineage = new Lineage();
  const views: CompileView[] = [];
  /** What a device reaches is measured once. */
  const peaks = new Map<Device, Peaks>();
  for (const { name, target, sizes = {}, policy = policies.greedy, measure } of compiles) {
    onProgress(`compiling: ${name}`);
    const trace = new GraphTrace();
    const compiled = compileGraph(model.graph, { target, sizes, policy, trace, provenance: true });
    let profile: Parameters<typeof compileView>[0]["profile"] = "";
    if (typeof measure === "string") profile = measure;
    else {
      onProgress(`measuring: ${name}`);
      const known = peaks.get(measure);
      profile = await profileProgram(compiled, measure, {
        name,
        ...rounds !== undefined && { rounds },
        ...signal && { signal },
        onProgress: (_, what) => onProgress(`measuring: ${name}, ${what}`),
        ...known && { peaks: known },
      });
      peaks.set(measure, profile.peaks);
    }
    onProgress(`drawing: ${name}`);
    views.push(await compileView({ name, compiled, graphs: trace.graphs, profile }, lineage));
  }
  const [one, other] = views;
  return {
    format: 1,
    title,
    generator: `weft ${version}`,
    compiles: views,
    ...other && { matches: matchOps(one!, other) },
  };
}
