/**
 * Which workgroup does what: one per (leading index, block of own rows). Blocks run fastest, so that the halves of a
 * grid are as heavy as each other where causality makes blocks unequal; the heaviest block of a head comes first.
 */

import type { IrBuilder } from "../../kernel/build.ts";
import type { Instr } from "../../kernel/ir.ts";
import type { AttentionTile } from "./tile.ts";

const product = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

export class RowGrid {
  readonly groups: number;
  /** Own rows of one workgroup. */
  readonly rowsPerGroup: number;
  readonly #blocks: number;

  /**
   * @param leadShape Sizes of the leading axes; matrices of `rows` own rows are numbered by them.
   */
  constructor(
    readonly b: IrBuilder,
    readonly tile: AttentionTile,
    readonly leadShape: readonly number[],
    readonly rows: number,
  ) {
    this.rowsPerGroup = tile.lanes / tile.across * tile.rows;
    this.#blocks = Math.ceil(rows / this.rowsPerGroup);
    this.groups = product(leadShape) * this.#blocks;
  }

  /** The first own row of the workgroup, and the index on the leading axes. */
  enter(lastBlockFirst: boolean): { readonly first: Instr; readonly lead: readonly Instr[] } {
    const { b, leadShape } = this;
    return b.uniform(() => {
      const block = b.rem(b.group, this.#blocks);
      const position = lastBlockFirst ? b.sub(b.int(this.#blocks - 1), block) : block;
      const lead: Instr[] = [];
      let rest = b.div(b.group, this.#blocks);
      for (let axis = leadShape.length - 1; axis >= 0; axis--) {
        lead[axis] = axis === 0 ? rest : b.rem(rest, leadShape[axis]!);
        rest = b.div(rest, leadShape[axis]!);
      }
      return { first: b.mul(position, this.rowsPerGroup), lead };
    });
  }

  /** The index of a lane's own row r; at or beyond `rows` in the last block. */
  row(first: Instr, r: Instr): Instr {
    const { b, tile } = this;
    const lane = tile.across === 1 ? b.lane : b.div(b.lane, tile.across);
    return b.add(b.add(first, b.mul(lane, tile.rows)), r);
  }

  /** The same, inside the matrix: what is read there in place of a row that does not exist is never stored. */
  safeRow(first: Instr, r: Instr): Instr {
    const row = this.row(first, r);
    return this.rows % this.rowsPerGroup === 0 ? row : this.b.min(row, this.rows - 1);
  }

  /** Runs `write` where the row exists and the lane is the one that writes it. */
  guarded(row: Instr, write: () => void): void {
    const { b, tile } = this;
    const always = b.literal("bool", 1);
    const exists = this.rows % this.rowsPerGroup === 0 ? always : b.lt(row, this.rows);
    const writes = tile.across === 1 ? always : b.binary("eq", b.rem(b.lane, tile.across), b.int(0));
    b.if(b.and(exists, writes), write);
  }
}
