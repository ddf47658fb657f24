/** Everything that stands in a kernel, in the order in which it stands there. */

import type { ArrayDecl, Block, Instr, Kernel, Statement } from "./ir.ts";

/** Blocks and the blocks inside loops, outer before inner. */
export function* blocksOf(blocks: readonly Block[]): Generator<Block> {
  for (const block of blocks) {
    yield block;
    if (block.kind === "loop") yield* blocksOf(block.body);
  }
}

/** Statements and the statements inside them, outer before inner. */
function* statementsIn(statements: readonly Statement[]): Generator<Statement> {
  for (const statement of statements) {
    yield statement;
    if (statement.kind === "for") yield* statementsIn(statement.body);
    if (statement.kind === "if") {
      yield* statementsIn(statement.then);
      yield* statementsIn(statement.otherwise);
    }
  }
}

/** All statements of a block itself; a loop has none of its own. */
export function* statementsOf(block: Block): Generator<Statement> {
  if (block.kind === "uniform") yield* block.lets;
  if (block.kind === "phase") yield* statementsIn(block.body);
}

/** One access to a buffer (by name) or to an array. */
export interface Touch {
  readonly place: string | ArrayDecl;
  readonly index: Instr;
  readonly width: 1 | 4;
  readonly writes: boolean;
}

/** What a statement itself touches, not what statements inside it do. */
export function touchOf(statement: Statement): Touch | undefined {
  switch (statement.kind) {
    case "store":
      return {
        place: statement.buffer,
        index: statement.index,
        width: statement.value.type.width,
        writes: true,
      };
    case "set":
      return {
        place: statement.array,
        index: statement.index,
        width: statement.value.type.width,
        writes: true,
      };
    case "let": {
      const { instr } = statement;
      const width = instr.type.width;
      if (instr.kind === "load") return { place: instr.buffer, index: instr.index, width, writes: false };
      if (instr.kind === "read") return { place: instr.array, index: instr.index, width, writes: false };
      return undefined;
    }
    default:
      return undefined;
  }
}

/** Every statement of a kernel. */
export function* statementsOfKernel(kernel: Kernel): Generator<Statement> {
  for (const block of blocksOf(kernel.body)) yield* statementsOf(block);
}

/** The bounds of every loop of a kernel, in order: `Loop` of blocks and `For` of statements. */
export function* loopsOf(
  kernel: Kernel,
): Generator<{ readonly from: Instr; readonly to: Instr; readonly step: number }> {
  for (const block of blocksOf(kernel.body)) {
    if (block.kind === "loop") yield block;
    for (const statement of statementsOf(block)) if (statement.kind === "for") yield statement;
  }
}
