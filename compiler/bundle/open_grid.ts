/**
 * How many workgroups a dispatch needs where a size that was left open is smaller than its maximum.
 *
 * A program for the maximum computes rows that nobody asked for: rows have nothing to do with each other (open_size.ts), so
 * a workgroup that writes only rows from n on is not needed for n rows. Which those are is proven of the kernel, with the
 * ranges that prove its accesses. Take the workgroups in blocks of B (the tiles along one row): where every store of group g
 * goes to
 *
 *     row ≥ ⌊⌊g / B⌋ · rows / blocks⌋        B · ⌈n · blocks / rows⌉ workgroups
 *
 * are enough for n rows. The fraction is guessed from where some groups store, as the simplest that fits: 8 rows to a block
 * also where the last one has fewer, 4 images to 25 blocks of pixels.
 *
 * A sum that is split over workgroups has its tiles once for every part, part after part, so that those of the last rows are
 * not the last ones. A bundle's kernel numbers them with the parts of a tile together (`WgslOptions.parts`), and the blocks
 * are those of one part, times the parts. Where nothing is proven (a text of the user's own, say) the whole grid runs.
 * @module
 */

import type { Compiled } from "../compile.ts";
import type { Group } from "../fuse/group.ts";
import { elementsOf } from "../graph/dim.ts";
import { type Graph, inputName, resultsOf } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { gcd } from "../kernel/affine.ts";
import {
  type Block,
  bool,
  i32,
  type Instr,
  type Kernel,
  literal,
  operandsOf,
  type Statement,
} from "../kernel/ir.ts";
import { printKernel } from "../kernel/print.ts";
import { isRaw } from "../kernel/raw.ts";
import { Ranges } from "../kernel/ranges.ts";
import { binaryMeaning } from "../kernel/scalar.ts";
import type { BinaryOp } from "../kernel/value.ts";
import { keepsRows } from "./open_size.ts";

/** Blocks that are tried: a grid of more tiles along a row runs whole. */
const mostBlock = 64;
/** Blocks of which it is asked where they store. */
const mostSamples = 256;

/** Workgroups in blocks of `block`, of which any `blocks` in a row write `rows` rows. */
export interface OpenGrid {
  readonly block: number;
  readonly blocks: number;
  readonly rows: number;
  /** Parts of a sum that the workgroups must be numbered by, the parts of a tile together. */
  readonly parts: number;
}

/** Where rows of the open size lie in a buffer. */
interface Rows {
  /** Elements of one. */
  readonly elements: number;
  /** Elements of all of them; a buffer of parts has them several times. */
  readonly whole: number;
}

/** Workgroups that are enough for n rows, of `groups` for all. */
export const groupsFor = (
  { block, blocks, rows }: Omit<OpenGrid, "parts">,
  n: number,
  groups: number,
): number => Math.min(groups, Math.ceil(n * blocks / rows) * block);

/**
 * @param open Names of the inputs with rows of the open size.
 * @param most The size that the program was compiled for.
 * @returns The blocks of each dispatch in order.
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
      const { buffer, strides, offset } = placement.storage(root);
      const shape = root.shape as readonly number[];
      const dense = shape.map((_, axis) => elementsOf(shape.slice(axis + 1)));
      const isDense = offset === 0 && buffer.size === elementsOf(shape) && String(strides) === String(dense);
      if (!rows.has(root.node) || !isDense || (shape[0] ?? 1) % most !== 0) return undefined;
      found.set(buffer.name, buffer.size / most);
    }
    return found;
  };
  const known = new Map<string, OpenGrid | undefined>();
  return kernels.map(({ kernel, buffers, groups }, i) => {
    const elements = rowsOf(serves[i]!);
    if (!elements || isRaw(kernel) || groups !== kernel.groups || groups < 2 || groups > 65_535) {
      return undefined;
    }
    const written = new Map<string, Rows>();
    const counts = new Set<number>();
    for (const [b, { name, access }] of kernel.buffers.entries()) {
      if (access === "read") continue;
      const { name: buffer, size, parts = 1 } = buffers[b]!;
      const whole = size / parts;
      // Parts lie as the results do, and all results of their group are alike.
      const row = parts > 1 ? whole / most : elements.get(buffer);
      const isAlike = parts === 1 || [...elements.values()].every((other) => other === row);
      if (row === undefined || !isAlike) return undefined;
      written.set(name, { elements: row, whole });
      counts.add(parts);
    }
    const [parts] = counts;
    if (counts.size !== 1 || groups % parts! !== 0) return undefined;
    // Equal layers have equal kernels.
    const key = `${parts} ${JSON.stringify([...written])}\n${printKernel(kernel)}`;
    if (!known.has(key)) known.set(key, blockOf(kernel, written, most, parts!));
    return known.get(key);
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

/** The smallest blocks of which it can be proven: they leave the fewest workgroups. */
function blockOf(
  kernel: Kernel,
  written: ReadonlyMap<string, Rows>,
  most: number,
  parts: number,
): OpenGrid | undefined {
  const places: (readonly [index: Instr, row: number])[] = [];
  eachStore(kernel, (_, buffer, index) => places.push([index, written.get(buffer)!.elements]));
  const groups = kernel.groups / parts;
  for (let block = 1; block <= Math.min(mostBlock, groups / 2); block++) {
    if (groups % block !== 0) continue;
    const count = groups / block;
    const step = Math.max(1, Math.floor(count / mostSamples));
    /** No fraction is above this that is right for the blocks that are asked. */
    let below = Infinity;
    for (let x = 1; x < count; x += step) {
      for (const [index, row] of places) {
        const first = numberOf(index, x * block);
        if (first !== undefined) below = Math.min(below, (Math.floor(first / row) + 1) / x);
      }
    }
    const common = gcd(most, count);
    const even = { block, blocks: count / common, rows: most / common };
    const grids = [simplest(most / count, below), even].flatMap((fraction) =>
      fraction ? [{ block, blocks: fraction.blocks, rows: fraction.rows, parts }] : []
    );
    const proven = grids.find((grid) => isProven(kernel, written, grid));
    if (proven) return { ...proven, block: block * parts };
  }
  return undefined;
}

/** Of the fractions rows / blocks from `least` up and below `below` the largest one of the fewest blocks. */
function simplest(least: number, below: number): Pick<OpenGrid, "blocks" | "rows"> | undefined {
  for (let blocks = 1; blocks <= mostSamples && below < Infinity; blocks++) {
    const rows = Math.ceil(blocks * below) - 1;
    if (rows > 0 && rows / blocks >= least) return { blocks, rows };
  }
  return undefined;
}

/** @param grid With the blocks of one part. */
function isProven(
  kernel: Kernel,
  written: ReadonlyMap<string, Rows>,
  { block, blocks, rows, parts }: OpenGrid,
): boolean {
  const integer = (op: BinaryOp, a: Instr, b: number): Instr => ({
    kind: "binary",
    type: i32,
    op,
    a,
    b: literal("i32", b),
  });
  const group: Instr = { kind: "builtin", type: i32, name: "group" };
  const count = kernel.groups / parts / block;
  const blockNumber = block === 1 ? group : integer("div", group, block);
  const number = parts === 1 ? blockNumber : integer("rem", blockNumber, count);
  const part = parts === 1 ? literal("i32", 0) : integer("div", blockNumber, count);
  const times = integer("mul", number, rows);
  const row = blocks === 1 ? times : integer("div", times, blocks);
  if (rows * count > 2 ** 31 - 1) return false;
  let holds = true;
  eachStore(kernel, (ranges, buffer, index) => {
    if (!holds) return;
    const { elements, whole } = written.get(buffer)!;
    const start = integer("mul", part, whole);
    const first: Instr = { kind: "binary", type: i32, op: "add", a: start, b: integer("mul", row, elements) };
    const distance = difference(index, first);
    // A look at some workgroups is quick, and refutes most that can't be proven.
    const samples = [1, block, (count >> 1) * block, kernel.groups - 1];
    holds = samples.every((group) => (numberOf(distance, group) ?? 0) >= 0);
    if (!holds) return;
    const bare = withoutClamps(ranges, index);
    const isFar = () => ranges.within(difference(bare, first), 0, 2 ** 31 - 1);
    const staysInPart = () => parts === 1 || ranges.within(difference(bare, start), 0, whole - 1);
    holds = (isFar() || withRow(ranges, bare, row, isFar)) && staysInPart() || ranges.isUnreachable();
  });
  return holds;
}

const difference = (a: Instr, b: Instr): Instr => ({ kind: "binary", type: i32, op: "sub", a, b });

/**
 * An index without the clamps that change nothing where it is used: the rows of a tile that reaches beyond the last row are
 * clamped for the loads, and stored only where they are rows.
 */
function withoutClamps(ranges: Ranges, index: Instr): Instr {
  const known = new Map<Instr, Instr>();
  const bare = (instr: Instr): Instr => {
    if (instr.kind !== "binary") return instr;
    let made = known.get(instr);
    if (made === undefined) {
      const [a, b] = [bare(instr.a), bare(instr.b)];
      const isClamp = instr.op === "min" && b.kind === "literal" && ranges.within(a, -(2 ** 31), b.value);
      made = isClamp ? a : a === instr.a && b === instr.b ? instr : { ...instr, a, b };
      known.set(instr, made);
    }
    return made;
  };
  return bare(index);
}

/**
 * Asks again where a quotient that the index is made of is known to be the row or more: the image of a pixel, say. That
 * follows from its being a whole number, which sums of it don't show.
 */
function withRow(ranges: Ranges, index: Instr, row: Instr, ask: () => boolean): boolean {
  const seen = new Set<Instr>([index]);
  for (const instr of seen) {
    for (const operand of operandsOf(instr)) seen.add(operand);
    if (instr.kind !== "binary" || instr.op !== "div") continue;
    if (!ranges.within(difference(instr, row), 0, 2 ** 31 - 1)) continue;
    const isRow: Instr = { kind: "binary", type: bool, op: "le", a: row, b: instr };
    if (ranges.assuming(isRow, true, ask)) return true;
  }
  return false;
}

/** An integer's value for lane 0 of a workgroup, in the first turn of all loops; undefined where memory decides. */
function numberOf(
  instr: Instr,
  group: number,
  known = new Map<Instr, number | undefined>(),
): number | undefined {
  if (known.has(instr)) return known.get(instr);
  const of = (operand: Instr) => numberOf(operand, group, known);
  let value: number | undefined;
  if (instr.kind === "literal") value = instr.value;
  else if (instr.kind === "builtin") value = instr.name === "group" ? group : 0;
  else if (instr.kind === "binary") {
    const [a, b] = [of(instr.a), of(instr.b)];
    if (a !== undefined && b !== undefined) value = binaryMeaning[instr.op][instr.a.type.scalar]?.(a, b);
  } else if (instr.kind === "select") {
    const condition = of(instr.condition);
    if (condition !== undefined) value = of(condition !== 0 ? instr.then : instr.otherwise);
  }
  known.set(instr, value);
  return value;
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
