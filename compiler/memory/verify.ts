/**
 * Checks a program's memory from the outside, knowing nothing of how it was planned:
 *
 *   - while a tensor is still to be read, nobody else writes into its bytes;
 *   - what a kernel reads has been written, by this run or before it;
 *   - WebGPU's binding rules: offsets are multiples of 256, ranges lie in their arena and within the binding limit, all
 *     ranges of an arena that a kernel writes are bound `read_write`, and they are disjoint.
 */

import { InternalError } from "../errors.ts";
import { type Group, isLeaf, labelOf, loadsOf } from "../fuse/group.ts";
import { type Graph, resultsOf } from "../graph/graph.ts";
import type { Tensor } from "../graph/node.ts";
import type { Placement } from "./placement.ts";
import type { Binding, Program } from "../program/program.ts";
import type { TargetLimits } from "../target.ts";

/** What one step touches, by the names that the planner gave buffers: the only thing known besides the program. */
export interface NamedAccess {
  readonly reads: readonly { readonly name: string; readonly binding: Binding }[];
  readonly writes: readonly { readonly name: string; readonly binding: Binding }[];
}

/**
 * @param accesses One per step of the program, in order.
 * @param limits What the program was planned for.
 */
export function verifyMemory(program: Program, accesses: readonly NamedAccess[], limits: TargetLimits): void {
  const fail = (step: number, message: string): never => {
    const s = program.steps[step]!;
    throw new InternalError(
      "memory",
      `step ${step} (${s.kind === "dispatch" ? s.dispatch.label : "copy"}): ${message}`,
    );
  };
  program.steps.forEach((step, i) => {
    if (step.kind === "dispatch") verifyBindings(program, step.dispatch, limits, (m) => fail(i, m));
  });
  // Replays the run on owners instead of numbers.
  const bounds = program.arenas.map((_, arena) => boundsOf(arena, accesses));
  const owners = bounds.map((at) => new Array<string | undefined>(at.size));
  const rangeOf = ({ arena, offset, bytes }: Binding) =>
    [bounds[arena]!.get(offset)!, bounds[arena]!.get(endOf({ offset, bytes }))!] as const;
  for (const [i, access] of accesses.entries()) {
    for (const { name, binding } of access.reads) {
      const role = program.arenas[binding.arena]!.role;
      const [from, to] = rangeOf(binding);
      for (let j = from; j < to; j++) {
        const owner = owners[binding.arena]![j];
        if (owner === undefined && role !== "temporary") continue; // there before the run
        if (owner === undefined) fail(i, `reads "${name}" before anybody has written it`);
        if (role === "temporary" && owner !== name) {
          fail(i, `reads "${name}" where "${owner}" has been written since`);
        }
      }
    }
    for (const { name, binding } of access.writes) {
      owners[binding.arena]!.fill(name, ...rangeOf(binding));
    }
  }
}

/** Memory is handed out in blocks of 256 bytes. */
const endOf = ({ offset, bytes }: Pick<Binding, "offset" | "bytes">) => offset + Math.ceil(bytes / 256) * 256;

/** Where bindings of an arena begin or end, each with its position among them: between two there is one owner. */
function boundsOf(arena: number, accesses: readonly NamedAccess[]): ReadonlyMap<number, number> {
  const places = new Set<number>();
  for (const { binding } of accesses.flatMap(({ reads, writes }) => [...reads, ...writes])) {
    if (binding.arena === arena) places.add(binding.offset).add(endOf(binding));
  }
  return new Map([...places].sort((a, b) => a - b).map((place, i) => [place, i]));
}

/**
 * Checks an order of groups, before any has a kernel: when a group runs, the buffer of each tensor that it reads holds that
 * tensor, and not what has taken its place; and in the end the buffers of what the graph gives hold that.
 *
 * @param units Each of one group, or of several that run as one.
 */
export function verifyOrder(
  graph: Graph,
  { storage }: Pick<Placement, "storage">,
  units: readonly (readonly Group[])[],
): void {
  // A joined tensor is stored by nobody: its parts are.
  const stored = new Map(units.flat().flatMap((g) => g.roots.map((t) => [t.key, t])));
  const holds = new Map<string, string>();
  const bufferOf = (tensor: Tensor) => storage(tensor).buffer.name;
  for (const leaf of graph.nodes.filter(isLeaf).flatMap(resultsOf)) {
    stored.set(leaf.key, leaf);
    holds.set(bufferOf(leaf), leaf.key);
  }
  const check = (tensor: Tensor, who: string) => {
    const key = holds.get(bufferOf(tensor));
    if (!stored.has(tensor.key) || key === tensor.key) return;
    const found = key === undefined ? "nothing yet" : `${stored.get(key)}`;
    throw new InternalError("memory", `${who} ${tensor} where "${bufferOf(tensor)}" holds ${found}`);
  };
  for (const unit of units) {
    for (const g of unit) for (const t of loadsOf(g)) check(t, `"${labelOf(graph, g)}" reads`);
    for (const g of unit) for (const t of g.roots) holds.set(bufferOf(t), t.key);
  }
  for (const t of Object.values(graph.outputs)) check(t, "an output is");
  for (const { value } of graph.writes) check(value, "a state becomes");
}

function verifyBindings(
  program: Program,
  dispatch: Extract<Program["steps"][number], { kind: "dispatch" }>["dispatch"],
  limits: TargetLimits,
  fail: (message: string) => never,
): void {
  const kernel = program.kernels[dispatch.kernel]!;
  if (kernel.buffers.length > limits.storageBuffers) {
    fail(`binds ${kernel.buffers.length} buffers, and the limit is ${limits.storageBuffers}`);
  }
  const written = new Set(
    dispatch.bindings.filter((_, i) => kernel.buffers[i]!.access !== "read").map((b) => b.arena),
  );
  dispatch.bindings.forEach((b, i) => {
    const arena = program.arenas[b.arena]!;
    if (b.offset % 256 !== 0) fail(`binding ${i} starts at ${b.offset}, which is no multiple of 256`);
    if (b.offset + b.bytes > arena.bytes) fail(`binding ${i} ends beyond its arena "${arena.name}"`);
    if (b.bytes > limits.bindingBytes) {
      fail(`binding ${i} has ${b.bytes} bytes, and the limit is ${limits.bindingBytes}`);
    }
    if (written.has(b.arena) && kernel.buffers[i]!.access !== "read_write") {
      fail(`arena "${arena.name}" is written, and binding ${i} of it is not bound read_write`);
    }
    dispatch.bindings.forEach((c, j) => {
      if (j <= i || c.arena !== b.arena || !written.has(b.arena)) return;
      if (b.offset < c.offset + c.bytes && c.offset < b.offset + b.bytes) {
        fail(`bindings ${i} and ${j} overlap in arena "${arena.name}", which is written`);
      }
    });
  });
}
