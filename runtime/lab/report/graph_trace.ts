/**
 * Keeps the graphs that the stages of a compile gave: bound, and after each pass.
 * @module
 */

import type { Graph } from "../../../compiler/graph/graph.ts";
import { noTrace, type Trace } from "../../../compiler/trace.ts";

/** A graph, and the stage that gave it. */
export interface StageGraph {
  readonly stage: string;
  readonly graph: Graph;
}

/**
 * Listens for graphs, in the order in which stages give them.
 *
 * @example
 * ```ts
 * import { compileGraph } from "../../../compiler/compile.ts";
 * import { testTarget } from "../../../compiler/target.ts";
 * import { input, model, relu } from "../../../mod.ts";
 * import { GraphTrace } from "./graph_trace.ts";
 *
 * const net = model({ x: input([8], "f32") }, ({ x }) => ({ y: relu(x) }));
 * const trace = new GraphTrace();
 * compileGraph(net.graph, { target: testTarget, trace });
 * console.log(trace.graphs.map(({ stage }) => stage)); // bind, simplify, isolate, rematerialize
 * ```
 */
export class GraphTrace implements Trace {
  readonly graphs: StageGraph[] = [];

  stage: Trace["stage"] = (stage, run, inspection) => {
    const result = noTrace.stage(stage, run, inspection);
    if (isGraph(result)) this.graphs.push({ stage, graph: result });
    return result;
  };
}

const isGraph = (x: unknown): x is Graph =>
  typeof x === "object" && x !== null && "builder" in x && "nodes" in x && "writes" in x;
