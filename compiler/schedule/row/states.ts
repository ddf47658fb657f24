/**
 * States of folds in lane arrays: what `Combine` puts together, what is written to scratch between split kernels.
 *
 * The meaning of two states together is one table for all (kernel/combine.ts); here it is written through the builder,
 * so that equal instructions are shared.
 */

import type { IrBuilder } from "../../kernel/build.ts";
import { combineStates, foldStates, identityState, type Make } from "../../kernel/combine.ts";
import { InternalError } from "../../errors.ts";
import type { ArrayDecl, CombineOp, Instr } from "../../kernel/ir.ts";
import { wide } from "../../kernel/ir.ts";
import type { ValueType } from "../../kernel/value.ts";

/** Binds through a builder what `combineStates` asks for. */
export const makeIn = (b: IrBuilder): Make => (instr) => {
  switch (instr.kind) {
    case "unary":
      return b.unary(instr.op, instr.arg);
    case "binary":
      return b.binary(instr.op, instr.a, instr.b);
    case "select":
      return b.select(instr.condition, instr.then, instr.otherwise);
    case "cast":
      return b.cast(instr.type.scalar, instr.arg);
    case "bitcast":
      return b.bitcast(instr.type.scalar, instr.arg);
    case "splat":
      return b.widen(instr.arg, 4);
    default:
      throw new InternalError("row", `a state is not made of ${instr.kind} instructions`);
  }
};

export type State = readonly Instr[];

/** The four scalar states of a state of width 4; a scalar state as it is. */
export const componentsOf = (b: IrBuilder, state: State): readonly State[] =>
  state[0]!.type.width === 1
    ? [state]
    : ([0, 1, 2, 3] as const).map((c) => state.map((x) => b.component(x, c)));

export const foldIn = (b: IrBuilder, op: CombineOp, states: readonly State[]): State =>
  foldStates(op, makeIn(b), states);

/** Several states of one kind in lane arrays: element i of each array is component of state i. */
export class States {
  readonly arrays: readonly ArrayDecl[];

  constructor(
    readonly b: IrBuilder,
    readonly op: CombineOp,
    readonly types: readonly ValueType[],
    readonly width: 1 | 4,
    readonly count = 1,
  ) {
    this.arrays = types.map((t) => b.array("lane", wide(t, width), count));
  }

  reset(slot = 0): void {
    const identity = identityState(this.op, this.types.map((t) => wide(t, 1)));
    this.set(identity.map((x) => this.b.widen(this.b.literal(x.type.scalar, x.value), this.width)), slot);
  }

  set(state: State, slot = 0): void {
    state.forEach((x, c) => this.b.set(this.arrays[c]!, slot, x));
  }

  get(slot = 0): State {
    return this.arrays.map((a) => this.b.read(a, slot));
  }

  /** Takes in another state, which comes later in the order of combination. */
  merge(state: State, slot = 0): void {
    this.set(combineStates(this.op, makeIn(this.b), this.get(slot), state), slot);
  }
}
