/**
 * What kernels cost, read off their loops: a model to put candidates and groups in order with, before anything is measured.
 *
 *     steps   of one lane: an operation on a vector of four is one and on a number a quarter, slow functions several;
 *             accesses to buffers and shared arrays, turns of loops and phases take what the target says; a loop counts its
 *             turns, and both branches of an `if` count
 *     waves   the target runs `parallel` workgroups of `lanes.map` lanes at once; wider workgroups take longer, and more of
 *             narrower ones fit
 *     time    steps · waves, summed over kernels, and a constant for each dispatch
 *
 * It knows nothing of caches, registers or occupancy. It may be wrong: what is measured decides
 * (`weft costmodel --candidates` tells how wrong it is on a machine).
 */

import type { ArrayDecl, Block, For, Instr, Kernel, Loop, Statement } from "../kernel/ir.ts";
import { Ranges } from "../kernel/ranges.ts";
import { type AnyScheduled, isRaw } from "../kernel/raw.ts";
import { statementsOfKernel } from "../kernel/walk.ts";
import { slowFunctions } from "../kernel/value.ts";
import type { Target } from "../target.ts";

/** Steps that a dispatch costs whatever it does. */
const dispatch = 5_000;
/** Steps of a function that has no instruction of its own. */
const slow = 8;
/** Steps of a quotient or a remainder of integers, whose divisors are literals: a product and some shifts. */
const byLiteral = 4;
/** Of the lanes that run at once: fewer in a workgroup take no less time. */
const narrowest = 1 / 8;
/** Turns that are assumed where bounds are known at dispatch only. */
const unknownTurns = 64;

/** Steps one after the other until all kernels have run; of raw kernels, whose text is closed, the dispatch alone. */
export function estimatedSteps(kernels: readonly AnyScheduled[], target: Target): number {
  return kernels.reduce((sum, { kernel, groups }) => {
    if (isRaw(kernel)) return sum + dispatch;
    const width = Math.max(narrowest, kernel.lanes / target.lanes.map);
    const waves = Math.max(1, groups / target.parallel) * width;
    return sum + dispatch + stepsOf(kernel, target) * waves;
  }, 0);
}

/** Statements that a driver has to compile: what unrolling costs before anything runs. */
export function compiledStatements(kernels: readonly AnyScheduled[]): number {
  const counts = kernels.map(({ kernel }) => isRaw(kernel) ? 0 : [...statementsOfKernel(kernel)].length);
  return Math.max(0, ...counts);
}

/** Steps of one lane. */
function stepsOf(kernel: Kernel, { steps }: Target): number {
  const ranges = new Ranges(kernel);
  const turnsOf = (loop: Loop | For): number => {
    const turns = ranges.turns(loop);
    return Number.isFinite(turns) ? turns : unknownTurns;
  };
  const access = ([one, four]: readonly [number, number], width: 1 | 4): number => width === 4 ? four : one;
  const inArray = ({ space, type }: ArrayDecl): number =>
    space === "shared" ? access(steps.shared, type.width) : type.width / 4;
  const inInstr = (instr: Instr): number => {
    const part = instr.type.width / 4;
    switch (instr.kind) {
      case "load":
        return access(steps.buffer, instr.type.width);
      case "read":
        return inArray(instr.array);
      case "unary":
        return slowFunctions.has(instr.op) ? slow * part : part;
      case "binary":
        if (instr.op !== "div" && instr.op !== "rem") return part;
        return (instr.type.scalar === "f32" ? slow : byLiteral) * part;
      case "select":
      case "cast":
        return part;
      default:
        return 0;
    }
  };
  const inStatements = (list: readonly Statement[]): number =>
    list.reduce((sum, s) => {
      switch (s.kind) {
        case "let":
          return sum + inInstr(s.instr);
        case "store":
          return sum + access(steps.buffer, s.value.type.width);
        case "set":
          return sum + inArray(s.array);
        case "for":
          return sum + turnsOf(s) * (steps.turn + ranges.inLoop(s, () => inStatements(s.body)));
        case "if":
          return sum + 1 + inStatements(s.then) + inStatements(s.otherwise);
      }
    }, 0);
  const inBlocks = (blocks: readonly Block[]): number =>
    blocks.reduce((sum, block) => {
      switch (block.kind) {
        case "uniform":
          return sum;
        case "phase":
          return sum + steps.phase + inStatements(block.body);
        case "loop":
          return sum + turnsOf(block) * (1 + ranges.inLoop(block, () => inBlocks(block.body)));
        case "combine": {
          const levels = Math.max(1, 31 - Math.clz32(block.across));
          return sum + levels * (steps.phase + block.arrays.length * 4);
        }
      }
    }, 0);
  return inBlocks(kernel.body);
}
