/**
 * How many workgroups a dispatch needs where a size that was left open is smaller than its maximum.
 *
 * A program for the maximum computes rows that nobody asked for: rows have nothing to do with each other (open_size.ts), so
 * a workgroup that writes only rows from n on is not needed for n rows. Which those are is proven of the kernel, with the
 * ranges that prove its accesses: where all that workgroups number g write lies at elements
 *
 *     index ≥ chunk · ⌊g / block⌋      and n rows are the elements below n · row,
 *
 * `block · ⌈n · row / chunk⌉` workgroups are enough. Blocks are what a grid of tiles has along a row. Where nothing is
 * proven (partial sums of a split reduction, a text of the user's own) the whole grid runs.
 * @module
 */

import type { Compiled } from "../compile.ts";
import type { Group } from "../fuse/group.ts";
import { concrete, denseStorage } from "../fuse/lower_group.ts";
import { type Graph, inputName, resultsOf } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { gcd } from "../kernel/affine.ts";
import { type Block, i32, type Instr, type Kernel, literal, type Statement } from "../kernel/ir.ts";
import { type AnyKernel, isRaw } from "../kernel/raw.ts";
import { Ranges } from "../kernel/ranges.ts";
import type { OpenGrid } from "./manifest.ts";
import { keepsRows } from "./open_size.ts";

/** Blocks that are tried: a grid of more tiles along a row runs whole. */
const mostBlock = 64;

/**
 * @param open Names of the inputs with rows of the open size.
 * @param most The size that the program was compiled for.
 * @returns For each dispatch in order.
 */
export function openGrids(
  { graph, placement, kernels, serves }: Compiled,
  open: ReadonlySet<string>,
  most: number,
): readonly (OpenGrid | undefined)[] {
  const rows = nodesWithRows(graph, open, most);
  /** Elements per row of the buffers that a group's results fill, if all of them have rows. */
  const rowsOf = (groups: readonly Group[]): ReadonlyMap<string, number> | undefined => {
    const found = new Map<string, number>();
    for (const root of groups.flatMap((group) => group.roots)) {
      const storage = placement.storage(root);
      const dense = denseStorage(root);
      const isDense = storage.offset === 0 && storage.buffer.size === dense.buffer.size &&
        String(storage.strides) === String(dense.strides);
      const [leading = 1] = concrete(root).shape;
      if (!rows.has(root.node) || !isDense || leading % most !== 0) return undefined;
      found.set(storage.buffer.name, dense.buffer.size / most);
    }
    return found;
  };
  const known = new Map<AnyKernel, Map<string, OpenGrid | undefined>>();
  return kernels.map(({ kernel, buffers, groups }, i) => {
    const elements = rowsOf(serves[i]!);
    if (!elements || isRaw(kernel) || groups !== kernel.groups || groups < 2 || groups > 65_535) {
      return undefined;
    }
    const written = new Map<string, number>();
    for (const [b, { name, access }] of kernel.buffers.entries()) {
      if (access === "read") continue;
      const row = elements.get(buffers[b]!.name);
      if (row === undefined) return undefined;
      written.set(name, row);
    }
    // Equal layers share their kernels.
    const key = JSON.stringify([...written]);
    let answers = known.get(kernel);
    if (!answers) known.set(kernel, answers = new Map());
    if (!answers.has(key)) answers.set(key, gridOf(kernel, written, most));
    return answers.get(key);
  });
}

/**
 * What is computed from inputs with rows has rows itself. `checkOpenSize` has seen to that in the graph as it was traced;
 * passes have changed it since, so it is asked again, and where anything is different nothing has rows.
 */
function nodesWithRows(graph: Graph, open: ReadonlySet<string>, most: number): ReadonlySet<Node> {
  const found = new Set<Node>();
  for (const node of graph.nodes) {
    if (node.op.name === "input") {
      if (open.has(inputName(resultsOf(node)[0]!))) found.add(node);
    } else if (node.inputs.some((input) => found.has(input.node))) {
      if (!keepsRows(node, (input) => found.has(input.node), most)) return new Set();
      found.add(node);
    }
  }
  return found;
}

/** The rule that leaves the fewest workgroups. */
function gridOf(kernel: Kernel, written: ReadonlyMap<string, number>, most: number): OpenGrid | undefined {
  const cost = (grid: OpenGrid) =>
    [1, Math.ceil(most / 4), Math.ceil(most / 2)].reduce((sum, n) => sum + groupsFor(grid, n), 0);
  let best: OpenGrid | undefined;
  for (let block = 1; block <= Math.min(mostBlock, kernel.groups / 2); block++) {
    if (kernel.groups % block !== 0) continue;
    const grid = provenGrid(kernel, written, block);
    const isWhole = grid && groupsFor(grid, most) <= kernel.groups;
    if (isWhole && (!best || cost(grid) < cost(best))) best = grid;
  }
  return best && groupsFor(best, 1) < kernel.groups ? best : undefined;
}

/** Workgroups that are enough for n rows. */
export const groupsFor = ([block, row, chunk]: OpenGrid, n: number): number =>
  block * Math.ceil(n * row / chunk);

/** The rule for blocks of so many workgroups, if it can be proven of every store. */
function provenGrid(
  kernel: Kernel,
  written: ReadonlyMap<string, number>,
  block: number,
): OpenGrid | undefined {
  const least = new Map<string, number>();
  const group: Instr = { kind: "builtin", type: i32, name: "group" };
  const later: Instr = {
    kind: "binary",
    type: { ...i32, scalar: "bool" },
    op: "le",
    a: literal("i32", block),
    b: group,
  };
  // What the second block begins with says how far a block reaches, if all blocks are alike …
  eachStore(kernel, (ranges, buffer, index) => {
    const lo = ranges.assuming(later, true, () => ranges.isUnreachable() ? Infinity : ranges.range(index).lo);
    least.set(buffer, Math.min(lo, least.get(buffer) ?? Infinity));
  });
  if ([...written.keys()].some((name) => !((least.get(name) ?? 0) > 0))) return undefined;
  // … and that they are is to be proven.
  const number: Instr = { kind: "binary", type: i32, op: "div", a: group, b: literal("i32", block) };
  let isProven = true;
  eachStore(kernel, (ranges, buffer, index) => {
    const chunk = least.get(buffer)!;
    if (!isProven || chunk === Infinity) return;
    const begin: Instr = { kind: "binary", type: i32, op: "mul", a: number, b: literal("i32", chunk) };
    const distance: Instr = { kind: "binary", type: i32, op: "sub", a: index, b: begin };
    isProven = ranges.within(distance, 0, 2 ** 31 - 1) || ranges.isUnreachable();
  });
  if (!isProven) return undefined;
  let worst: readonly [row: number, chunk: number] | undefined;
  for (const [name, row] of written) {
    const chunk = least.get(name)!;
    if (chunk !== Infinity && (!worst || row * worst[1] > worst[0] * chunk)) worst = [row, chunk];
  }
  if (!worst) return undefined;
  const common = gcd(...worst);
  return [block, worst[0] / common, worst[1] / common];
}

/** Calls `see` at every store, where what is around it is known. */
function eachStore(kernel: Kernel, see: (ranges: Ranges, buffer: string, index: Instr) => void): void {
  const ranges = new Ranges(kernel);
  const statements = (list: readonly Statement[]): void => {
    for (const statement of list) {
      if (statement.kind === "store") see(ranges, statement.buffer, statement.index);
      if (statement.kind === "for") ranges.inLoop(statement, () => statements(statement.body));
      if (statement.kind === "if") {
        ranges.assuming(statement.condition, true, () => statements(statement.then));
        ranges.assuming(statement.condition, false, () => statements(statement.otherwise));
      }
    }
  };
  const blocks = (list: readonly Block[]): void => {
    for (const block of list) {
      if (block.kind === "phase") statements(block.body);
      if (block.kind === "loop") ranges.inLoop(block, () => blocks(block.body));
    }
  };
  blocks(kernel.body);
}
