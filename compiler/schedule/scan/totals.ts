/** What the chunks of rows come to, in scratch: [row][chunk], with the components of a vector of rows innermost. */

import type { Instr } from "../../kernel/ir.ts";
import type { BufferRef, Prefix } from "../../kernel/value.ts";
import type { ScanShape } from "./shape.ts";
import type { Piece, Pieces } from "./state.ts";

export class ChunkTotals {
  readonly buffers: readonly BufferRef[];

  constructor(name: string, prefix: Prefix, readonly shape: ScanShape) {
    const size = shape.places * shape.chunks * (shape.along === "columns" ? shape.width : 1);
    const numbers: BufferRef = { name: `${name}:chunks`, dtype: prefix.type, size };
    this.buffers = prefix.restart ? [numbers, { name: `${name}:restarts`, dtype: "bool", size }] : [numbers];
  }

  #index({ b, width }: Pieces, row: Instr, chunk: Instr): Instr {
    return b.mul(b.add(b.mul(row, this.shape.chunks), chunk), width);
  }

  get(pieces: Pieces, row: Instr, chunk: Instr): Piece {
    const [numbers, restarts] = this.buffers;
    const at = this.#index(pieces, row, chunk);
    return {
      number: pieces.b.load(numbers!, at, pieces.width),
      restarted: restarts && pieces.b.load(restarts, at, pieces.width),
    };
  }

  set(pieces: Pieces, row: Instr, chunk: Instr, { number, restarted }: Piece): void {
    const [numbers, restarts] = this.buffers;
    const at = this.#index(pieces, row, chunk);
    pieces.b.store(numbers!, at, number);
    if (restarts) pieces.b.store(restarts, at, restarted!);
  }
}
