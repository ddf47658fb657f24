/**
 * One compile as a report shows it.
 * @module
 */

import type { Compiled } from "../../../compiler/compile.ts";
import { explain } from "../../../compiler/explain/explain.ts";
import { numberLines } from "../../../compiler/explain/print.ts";
import { type Group, labelOf, loadsOf } from "../../../compiler/fuse/group.ts";
import type { Graph } from "../../../compiler/graph/graph.ts";
import type { Node } from "../../../compiler/graph/node.ts";
import type { ProgramProfile } from "../profile_program.ts";
import type {
  CompileView,
  DispatchView,
  GroupView,
  Measured,
  PairView,
  Phase,
  StageView,
  TimeView,
} from "./data.ts";
import type { StageGraph } from "./graph_trace.ts";
import { isRaw } from "../../../compiler/kernel/raw.ts";
import { workOfKernel } from "../../../compiler/kernel/work.ts";
import { kernelTexts } from "./kernel_texts.ts";
import { Layout } from "./layout.ts";
import { memoryView } from "./memory_view.ts";
import { type Nest, nestByDispatch, nestByGroup, nestByScope } from "./nest.ts";
import { type Lineage, OpTable } from "./op_table.ts";
import { phasesOf } from "./phases.ts";

/** What a view is made from. */
export interface ViewedCompile {
  readonly name: string;
  /** Compiled with `provenance`, or no line of a kernel knows its op. */
  readonly compiled: Compiled;
  readonly graphs: readonly StageGraph[];
  /** Its times, or the sentence that says why there are none. */
  readonly profile: ProgramProfile | string;
}

const abouts: Readonly<Record<string, string>> = {
  bind: "The graph as it was traced, with its gradient and its updates, and a number for each size.",
  simplify: "Constants folded, views composed, algebraic rules applied.",
  isolate: "Each output and each new state is a tensor of its own, computed by one op.",
  rematerialize: "Copies of what is cheaper to compute again than to keep. This graph is fused.",
};

/** @param lineage Shared by all views of one report. */
export async function compileView(
  { name, compiled, graphs, profile }: ViewedCompile,
  lineage: Lineage,
): Promise<CompileView> {
  const { graph, cover, program, serves, units } = compiled;
  const table = new OpTable(graphs.map((one) => one.graph), lineage);
  const numbers = new Map(graph.nodes.map((node, i) => [node, i]));
  const phases = phasesOf(graph);
  const numbersOf = (nodes: Iterable<Node>) => [...nodes].map((n) => numbers.get(n)!).sort((a, b) => a - b);
  const groupNumbers = new Map(cover.groups.map((group, i) => [group, i]));

  const layout = new Layout();
  const stages: StageView[] = [];
  const add = async (stage: string, about: string, of: StageView["of"], from: Graph, nest: Nest) => {
    const own = from === graph ? phases : phasesOf(from);
    stages.push({
      name: stage,
      about,
      of,
      ...nodesOf(from, table, own),
      picture: await layout.picture(nest),
    });
  };
  for (const { stage, graph: from } of distinct(graphs)) {
    const about = abouts[stage] ?? `The graph after the pass "${stage}".`;
    await add(stage, about, "ops", from, nestByScope(from, phasesOf(from)));
  }
  const ofGroups = `Which ops share a kernel, by the policy ${compiled.policy}: each box is one group.`;
  await add("fuse", ofGroups, "groups", graph, nestByGroup(compiled, phases));
  const times = timesOf(compiled, profile);
  const note = (d: number) => noteOf(compiled, d, times[d]);
  const ofDispatches = "What runs, in order: a kernel per group, one for many groups that were packed, " +
    "and several where a reduction is split or an op brings its own.";
  await add("program", ofDispatches, "dispatches", graph, nestByDispatch(compiled, phases, note));

  const texts = kernelTexts(compiled, numbers);
  const dispatches: DispatchView[] = program.steps.flatMap((step, d) => {
    if (step.kind !== "dispatch") return [];
    const { kernel, groups: workgroups, label, split, bindings } = step.dispatch;
    // What the kernel itself does: a binding may allow more, since others of its arena are written.
    const { schedule, buffers, kernel: { lanes, buffers: declared } } = compiled.kernels[d]!;
    return [{
      label,
      kernel,
      schedule,
      workgroups,
      lanes,
      split,
      groups: serves[d]!.map((group) => groupNumbers.get(group)!),
      phase: phases.get(serves[d]![0]!.roots[0]!.node)!,
      bindings: bindings.map(({ bytes }, i) => ({
        name: bufferName(buffers[i]!.name, graph, numbers),
        access: declared[i]!.access,
        bytes,
      })),
      work: workOf(compiled, d),
      ...times[d] && { time: times[d] },
      ...texts.dispatches[d]!,
    }];
  });
  const dispatchesOf = Map.groupBy(
    dispatches.flatMap(({ groups }, d) => groups.map((group) => ({ group, d }))),
    ({ group }) => group,
  );
  const groups = cover.groups.map((group, g): GroupView => {
    const own = (dispatchesOf.get(g) ?? []).map(({ d }) => d);
    return {
      label: labelOf(graph, group),
      nodes: numbersOf(group.nodes),
      stores: numbersOf(new Set(group.roots.map((t) => t.node))),
      loads: numbersOf(new Set(loadsOf(group).map((t) => t.node))),
      dispatches: own,
      phase: phases.get(group.roots[0]!.node)!,
      schedule: scheduleOf(group, units, own.map((d) => dispatches[d]!)),
    };
  });
  const pairs = explain(compiled).map((pair): PairView => ({
    a: pair.a.number,
    b: pair.b.number,
    relation: pair.relation,
    fused: pair.fused,
    rule: pair.rule,
    because: pair.because,
    decided: pair.decided,
    numbers: numberLines(pair),
  }));
  return {
    name,
    policy: compiled.policy,
    target: compiled.target.name,
    ...typeof profile === "string" ? { unmeasured: profile } : { measured: measuredOf(profile) },
    ops: table.ops,
    lines: table.lines(),
    stages,
    groups,
    dispatches,
    kernels: texts.kernels,
    pairs,
    memory: memoryView(compiled, numbers),
  };
}

/** Without graphs that a pass left as they were: its name stands with the one before. */
function distinct(graphs: readonly StageGraph[]): readonly StageGraph[] {
  return graphs.filter(({ graph }, i) => i === 0 || graph !== graphs[i - 1]!.graph);
}

function nodesOf(graph: Graph, table: OpTable, phases: ReadonlyMap<Node, Phase>) {
  const numbers = new Map(graph.nodes.map((node, i) => [node, i]));
  return {
    nodes: graph.nodes.map((node) => table.of(node, graph, phases.get(node)!)),
    inputs: graph.nodes.map((node) => node.inputs.map((t) => numbers.get(t.node)!)),
    results: [
      ...Object.entries(graph.outputs).map(([name, t]) => ({ name, node: numbers.get(t.node)! })),
      ...graph.writes.map(({ state, value }) => ({
        name: `state ${state.node.attrs.path}`,
        node: numbers.get(value.node)!,
      })),
    ],
  };
}

/** By step; nothing for copies, for dispatches without workgroups, and where nothing was measured. */
function timesOf({ program }: Compiled, profile: ProgramProfile | string): readonly (TimeView | undefined)[] {
  if (typeof profile === "string") return [];
  let next = 0;
  return program.steps.map((step) => {
    if (step.kind !== "dispatch" || step.dispatch.groups === 0) return undefined;
    const { ms, share, roof } = profile.kernels[next++]!;
    return { ms, share, ...roof && { binds: roof.binds, ofRoof: roof.ofRoof } };
  });
}

function workOf({ kernels }: Compiled, d: number): DispatchView["work"] {
  const { kernel, groups, params } = kernels[d]!;
  if (isRaw(kernel)) return null;
  const { reads, writes, flops } = workOfKernel(kernel, { groups, params });
  return { reads, writes, flops };
}

function measuredOf({ device, peaks, totals, rounds }: ProgramProfile): Measured {
  const { bandwidth, gflops, dispatchMs } = peaks;
  return { device: device.name, bandwidth, gflops, dispatchMs, ms: totals.ms, runMs: totals.runMs, rounds };
}

function noteOf({ kernels, program }: Compiled, d: number, time: TimeView | undefined): string {
  const step = program.steps[d]!;
  if (step.kind !== "dispatch") return "copy";
  const { kernel, groups } = step.dispatch;
  const ms = time === undefined ? "" : `${time.ms.toFixed(time.ms < 0.1 ? 3 : 2)} ms, `;
  return `${ms}${kernels[d]!.schedule}, ${groups} × ${program.kernels[kernel]!.lanes}`;
}

function scheduleOf(
  group: Group,
  units: Compiled["units"],
  dispatches: readonly DispatchView[],
): string {
  const unit = units.find(({ groups }) => groups.includes(group));
  if (!unit) return "joined: its inputs are born inside its result";
  const names = [...new Set(dispatches.map(({ schedule }) => schedule))];
  const packed = unit.groups.length > 1 ? `, packed with ${unit.groups.length - 1} more` : "";
  return `${names.join(", ") || "nothing to run"}${packed}`;
}

/** A buffer as a reader knows it: `%12`, `state block0/w`, `input x`; scratch and slabs by their own names. */
function bufferName(name: string, graph: Graph, numbers: ReadonlyMap<Node, number>): string {
  const [, id, result] = /^(\d+)\.(\d+)$/.exec(name) ?? [];
  if (id === undefined) return name.replace(/^(state|input):/, "$1 ").replace(/^const:.*/, "constant");
  const node = graph.nodes.find((n) => n.id === Number(id));
  return node ? `%${numbers.get(node)}${result === "0" ? "" : `.${result}`}` : name;
}
