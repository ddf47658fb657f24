/** Storing rows through a result's layout: vec4s where the head axis is contiguous there, else element by element. */

import type { IrBuilder } from "../../kernel/build.ts";
import type { Instr } from "../../kernel/ir.ts";
import { type Evaluator } from "../../kernel/lower.ts";
import { isContiguous } from "../../kernel/stride.ts";
import type { Writer } from "../../kernel/program_op.ts";
import type { Value } from "../../kernel/value.ts";
import { bindings, isVar } from "./problem.ts";

/** One place per (row, along): where a matrix of results goes. */
export class RowStore {
  readonly #index: Value;

  /**
   * @param lead Values of the leading axes.
   * @param along The variable of the last axis; undefined: the result has one element per row.
   */
  constructor(
    readonly b: IrBuilder,
    readonly ev: Evaluator,
    readonly writer: Writer,
    lead: readonly Value[],
    readonly row: Value,
    readonly along?: Value,
  ) {
    this.#index = writer.at(along ? [...lead, row, along] : [...lead, row]);
  }

  /** Stores a chunk of a row, which starts at element `at` of it. */
  store(row: Instr, at: Instr, value: Instr): void {
    const { b, ev, along, writer: { buffer } } = this;
    const element = (offset: number) =>
      ev.with(
        bindings([this.row, row] as const, ...along ? [[along, b.add(at, offset)] as const] : []),
        () => ev.eval(this.#index),
      );
    if (value.type.width === 1) return b.store(buffer, element(0), value);
    if (along && isVar(along) && isContiguous(this.#index, along) && buffer.size % 4 === 0) {
      return b.store(buffer, element(0), value);
    }
    for (const c of [0, 1, 2, 3] as const) b.store(buffer, element(c), b.component(value, c));
  }
}
