/**
 * Which op of the graph each statement of a kernel serves.
 *
 *     a value      serves the op in whose lowering it was first made (`Values.makers`)
 *     a schedule's own arithmetic, stores and accumulations
 *                  serve the latest op among those whose results they take: that is what they are a step of
 *     the rest     counters, places of lanes: serves none
 *
 * Equal values are one, so what two ops have in common stands for the first that asked for it.
 */

import type { Node } from "../graph/node.ts";
import {
  type ArrayDecl,
  type Block,
  type Computed,
  type Instr,
  isAtom,
  operandsOf,
  type Statement,
} from "./ir.ts";

/** The op that each statement and combination of a kernel's body serves; those that serve none are left out. */
export function provenanceOf(
  body: readonly Block[],
  made: ReadonlyMap<Statement, Node>,
): ReadonlyMap<Statement | Block, Node> {
  const flow = new Flow(made);
  // Twice: what a loop reads first, its last turn wrote.
  flow.blocks(body);
  flow.blocks(body);
  return flow.serves;
}

class Flow {
  readonly serves = new Map<Statement | Block, Node>();
  readonly #instrs = new Map<Instr, Node>();
  readonly #arrays = new Map<ArrayDecl, Node>();

  constructor(readonly made: ReadonlyMap<Statement, Node>) {}

  blocks(blocks: readonly Block[]): void {
    for (const block of blocks) {
      if (block.kind === "loop") this.blocks(block.body);
      else if (block.kind === "phase") this.#statements(block.body);
      else if (block.kind === "uniform") this.#statements(block.lets);
      else {
        const op = latest(block.arrays.map((array) => this.#arrays.get(array)));
        this.#note(block, op);
        for (const array of block.arrays) this.#set(array, op);
      }
    }
  }

  #statements(statements: readonly Statement[]): void {
    for (const statement of statements) this.#statement(statement);
  }

  #statement(statement: Statement): void {
    const made = this.made.get(statement);
    switch (statement.kind) {
      case "let": {
        const op = made ?? this.#of(statement.instr);
        if (op) this.#instrs.set(statement.instr, op);
        return this.#note(statement, op);
      }
      case "store":
        return this.#note(statement, this.#instrs.get(statement.value) ?? made);
      case "set": {
        const op = latest([made, this.#instrs.get(statement.value)]);
        this.#set(statement.array, op);
        return this.#note(statement, op);
      }
      case "for":
        this.#note(statement, made);
        return this.#statements(statement.body);
      case "if":
        this.#note(statement, made ?? this.#instrs.get(statement.condition));
        this.#statements(statement.then);
        return this.#statements(statement.otherwise);
    }
  }

  #of(instr: Computed): Node | undefined {
    const operands = operandsOf(instr).map((operand) =>
      isAtom(operand) ? undefined : this.#instrs.get(operand)
    );
    return latest(instr.kind === "read" ? [this.#arrays.get(instr.array), ...operands] : operands);
  }

  #set(array: ArrayDecl, op: Node | undefined): void {
    const known = latest([this.#arrays.get(array), op]);
    if (known) this.#arrays.set(array, known);
  }

  #note(at: Statement | Block, op: Node | undefined): void {
    if (op) this.serves.set(at, op);
  }
}

const latest = (ops: readonly (Node | undefined)[]): Node | undefined =>
  ops.reduce((last, op) => op && (!last || op.id > last.id) ? op : last, undefined);
