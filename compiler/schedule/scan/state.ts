/**
 * What a scan carries from element to element: the running number and, where it restarts, whether it has.
 *
 * Two neighboring pieces (restarted a, number x), (restarted b, number y) make one: (a or b, b ? y : x ∘ y). That is
 * associative, so pieces may be put together in any grouping as long as their order is kept.
 */

import type { IrBuilder } from "../../kernel/build.ts";
import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { wide } from "../../kernel/ir.ts";
import { stepOf } from "../../kernel/reducers.ts";
import { identityOf, type Prefix } from "../../kernel/value.ts";

export interface Piece {
  readonly number: Instr;
  readonly restarted: Instr | undefined;
}

export class Pieces {
  constructor(readonly b: IrBuilder, readonly prefix: Prefix, readonly width: 1 | 4) {}

  /** The piece of no elements. */
  get nothing(): Piece {
    const { b, prefix: { op, type, restart }, width } = this;
    return {
      number: b.widen(b.literal(type, identityOf(op, type)), width),
      restarted: restart && b.widen(b.literal("bool", 0), width),
    };
  }

  /** Two pieces as one, the earlier first. */
  join(earlier: Piece, later: Piece): Piece {
    const { b, prefix: { op } } = this;
    const number = stepOf(b, op, earlier.number, later.number);
    if (!earlier.restarted || !later.restarted) return { number, restarted: undefined };
    return {
      number: b.select(later.restarted, later.number, number),
      restarted: b.binary("or", earlier.restarted, later.restarted),
    };
  }

  array(space: "lane" | "shared", length: number): PieceArray {
    const { b, prefix: { type, restart }, width } = this;
    return new PieceArray(
      b,
      b.array(space, wide(type, width), length),
      // Memory that lanes share holds numbers.
      restart && b.array(space, wide(space === "lane" ? "bool" : "u32", width), length),
    );
  }
}

/** Pieces in a lane array or in shared memory. */
export class PieceArray {
  constructor(
    readonly b: IrBuilder,
    readonly numbers: ArrayDecl,
    readonly restarts: ArrayDecl | undefined,
  ) {}

  get(at: Instr | number): Piece {
    const { b, numbers, restarts } = this;
    return {
      number: b.read(numbers, at),
      restarted: restarts && b.cast("bool", b.read(restarts, at)),
    };
  }

  set(at: Instr | number, { number, restarted }: Piece): void {
    const { b, numbers, restarts } = this;
    b.set(numbers, at, number);
    if (restarts) b.set(restarts, at, b.cast(restarts.type.scalar, restarted!));
  }
}
