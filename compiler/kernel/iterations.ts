/**
 * How many turns all loops of one invocation take at most: some drivers end loops silently after so many (65,535 summed
 * over all loops, on Mesa 22). A turn of an outer loop counts one, and its inner loops count again in each turn.
 */

import type { Block, For, Kernel, Loop, Statement } from "./ir.ts";
import { Ranges } from "./ranges.ts";

/** An upper bound for all groups, lanes and parameters. */
export function iterationsOf(kernel: Kernel): number {
  const ranges = new Ranges(kernel);
  const loop = <T>(block: Loop | For, body: readonly T[], each: (items: readonly T[]) => number): number => {
    const turns = ranges.turns(block);
    return turns + turns * ranges.inLoop(block, () => each(body));
  };
  const inStatements = (statements: readonly Statement[]): number =>
    statements.reduce((total, statement) => {
      if (statement.kind === "for") return total + loop(statement, statement.body, inStatements);
      if (statement.kind !== "if") return total;
      const { condition, then, otherwise } = statement;
      const branch = (list: readonly Statement[], holds: boolean) =>
        ranges.assuming(condition, holds, () => inStatements(list));
      return total + Math.max(branch(then, true), branch(otherwise, false));
    }, 0);
  const inBlocks = (blocks: readonly Block[]): number =>
    blocks.reduce((total, block) => {
      if (block.kind === "phase") return total + inStatements(block.body);
      return block.kind === "loop" ? total + loop(block, block.body, inBlocks) : total;
    }, 0);
  return inBlocks(kernel.body);
}
