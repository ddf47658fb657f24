/**
 * What one dispatch of a kernel does: bytes, arithmetic and functions, read off its loops.
 *
 *     loads, stores    bytes of every access to a buffer, as often as it is executed
 *     reads, writes    bytes of the elements that are touched, each once: what has to move at least. Of each
 *                      access the places between the lowest and the highest that its index can have, where
 *                      they are fewer than the accesses, so an upper bound. What a kernel loads of a buffer
 *                      that it stores to first is its own and no read.
 *     flops            + − × ÷, remainder, minimum and maximum of floats, one for each number; a multiply-add
 *                      is two
 *     functions        exp, log, sin, cos, tanh and roots of floats, one for each number, and no flops
 *
 * Neither counted: negation, magnitude, rounding, comparisons, selections, conversions, and all of integers.
 * A function that is expanded into arithmetic (`numerics.ts`) counts as that arithmetic.
 * What stands in a branch counts where the branch is taken (`executions.ts`). Lanes that combine their
 * results do so pair by pair.
 */

import { deviceBytes, type DType } from "../graph/dtype.ts";
import { foldStates } from "./combine.ts";
import { type DispatchSize, type Executions, executionsOf } from "./executions.ts";
import type { Block, Combine, Computed, Instr, Kernel, Statement } from "./ir.ts";
import { literal } from "./ir.ts";
import { Ranges } from "./ranges.ts";
import { type BinaryOp, isFloating, slowFunctions } from "./value.ts";
import { type Touch, touchOf } from "./walk.ts";

/** What a dispatch does to one buffer, in bytes. */
export interface BufferTraffic {
  /** As the kernel calls it. */
  readonly name: string;
  readonly loads: number;
  readonly stores: number;
  readonly reads: number;
  readonly writes: number;
}

/** What a dispatch does; plain data. */
export interface KernelWork {
  readonly loads: number;
  readonly stores: number;
  readonly reads: number;
  readonly writes: number;
  readonly flops: number;
  readonly functions: number;
  readonly buffers: readonly BufferTraffic[];
  /** Whether the counts of what is executed are those of an execution, and no estimate. */
  readonly exact: boolean;
}

const arithmetic: ReadonlySet<BinaryOp> = new Set(["add", "sub", "mul", "div", "rem", "min", "max"]);
/** The work of one dispatch of a kernel. */
export function workOfKernel(kernel: Kernel, size: DispatchSize): KernelWork {
  const executions = executionsOf(kernel, size);
  const tally = new Tally(kernel, executions);
  tally.blocks(kernel.body);
  const buffers = kernel.buffers.map(({ name, dtype, size }) => tally.trafficOf(name, dtype, size));
  const sum = (of: (b: BufferTraffic) => number) => buffers.reduce((n, b) => n + of(b), 0);
  return {
    loads: sum((b) => b.loads),
    stores: sum((b) => b.stores),
    reads: sum((b) => b.reads),
    writes: sum((b) => b.writes),
    flops: tally.flops,
    functions: tally.functions,
    buffers,
    exact: executions.exact,
  };
}

interface Span {
  readonly lo: number;
  readonly hi: number;
}

/** All loads of a buffer, or all stores. */
class Accesses {
  elements = 0;
  readonly spans: Span[] = [];

  /** Different elements, at most. */
  distinct(size: number): number {
    let [touched, end] = [0, -1];
    for (const { lo, hi } of this.spans.sort((a, b) => a.lo - b.lo)) {
      touched += Math.max(0, Math.min(hi, size - 1) - Math.max(lo, end + 1) + 1);
      end = Math.max(end, Math.min(hi, size - 1));
    }
    return Math.min(touched, this.elements);
  }
}

class Tally {
  flops = 0;
  functions = 0;
  readonly #kernel: Kernel;
  readonly #executions: Executions;
  readonly #ranges: Ranges;
  readonly #loads = new Map<string, Accesses>();
  readonly #stores = new Map<string, Accesses>();
  /** Buffers that are stored to before anything is loaded from them. */
  readonly #own = new Set<string>();

  constructor(kernel: Kernel, executions: Executions) {
    this.#kernel = kernel;
    this.#executions = executions;
    this.#ranges = new Ranges(kernel);
  }

  trafficOf(name: string, dtype: DType, size: number): BufferTraffic {
    const bytes = deviceBytes(dtype);
    const [loads, stores] = [this.#loads.get(name), this.#stores.get(name)];
    return {
      name,
      loads: (loads?.elements ?? 0) * bytes,
      stores: (stores?.elements ?? 0) * bytes,
      reads: this.#own.has(name) ? 0 : (loads?.distinct(size) ?? 0) * bytes,
      writes: (stores?.distinct(size) ?? 0) * bytes,
    };
  }

  blocks(blocks: readonly Block[]): void {
    for (const block of blocks) {
      switch (block.kind) {
        case "uniform":
          this.#statements(block.lets);
          break;
        case "phase":
          this.#statements(block.body);
          break;
        case "loop":
          this.#ranges.inLoop(block, () => this.blocks(block.body));
          break;
        case "combine":
          this.#combine(block);
          break;
      }
    }
  }

  #statements(list: readonly Statement[]): void {
    const times = this.#executions.of(list);
    if (times === 0) return;
    for (const statement of list) {
      const touch = touchOf(statement);
      if (touch) this.#touch(touch, times);
      switch (statement.kind) {
        case "let":
          this.#count(statement.instr, times);
          break;
        case "for":
          this.#ranges.inLoop(statement, () => this.#statements(statement.body));
          break;
        case "if": {
          const { condition, then, otherwise } = statement;
          this.#ranges.assuming(condition, true, () => this.#statements(then));
          this.#ranges.assuming(condition, false, () => this.#statements(otherwise));
          break;
        }
      }
    }
  }

  #count(instr: Computed, times: number): void {
    if (!isFloating(instr.type.scalar)) return;
    const { width } = instr.type;
    if (instr.kind === "binary" && arithmetic.has(instr.op)) this.flops += width * times;
    if (instr.kind === "unary" && slowFunctions.has(instr.op)) this.functions += width * times;
  }

  #touch({ place, index, width, writes }: Touch, times: number): void {
    if (typeof place !== "string") return;
    const [all, other] = writes ? [this.#stores, this.#loads] : [this.#loads, this.#stores];
    let accesses = all.get(place);
    if (!accesses) all.set(place, accesses = new Accesses());
    if (writes && !other.has(place)) this.#own.add(place);
    accesses.elements += width * times;
    const { lo, hi } = this.#ranges.range(index);
    if (lo <= hi) accesses.spans.push({ lo: Math.max(0, lo), hi: hi + width - 1 });
  }

  /** Two states become one; of `across` of them, all but one do. */
  #combine(combine: Combine): void {
    const { op, arrays, across } = combine;
    const pairs = this.#kernel.lanes / across * (across - 1) * arrays[0]!.length;
    const times = this.#executions.of(combine) * pairs;
    const state = (): Instr[] =>
      arrays.map((array) => ({ kind: "read", type: array.type, array, index: literal("i32", 0) }));
    foldStates(op, (instr) => (this.#count(instr, times), instr), [state(), state()]);
  }
}
