/**
 * Partial states in a scratch buffer: what the workgroups that share a row hand to the next kernel.
 *
 * One buffer per type, since a kernel has few bindings: [component of a state][row][chunk], or, along columns, [component]
 * [chunk][vector of rows], so that whoever combines them reads neighbors.
 */

import type { IrBuilder } from "../../kernel/build.ts";
import type { Instr } from "../../kernel/ir.ts";
import type { BufferRef, ValueType } from "../../kernel/value.ts";
import { combineOf, type FoldSpec, stateTypes } from "./fold_spec.ts";
import type { RowShape } from "./shape.ts";
import { type State, States } from "./states.ts";

export class Partials {
  readonly buffers: readonly BufferRef[];
  readonly chunks: number;
  readonly #shape: RowShape;
  readonly #width: 1 | 4;
  readonly #at = new Map<FoldSpec, readonly { readonly buffer: BufferRef; readonly offset: number }[]>();

  /** @param shape The shape of the kernel that writes them. */
  constructor(name: string, folds: readonly FoldSpec[], shape: RowShape) {
    this.#shape = shape;
    this.#width = shape.along === "columns" ? shape.width : 1;
    this.chunks = shape.chunks;
    const each = shape.places * shape.chunks * this.#width;
    const sizes = new Map<ValueType, number>();
    const places = folds.map((fold) => ({
      fold,
      components: stateTypes(fold).map((type) => {
        const offset = sizes.get(type) ?? 0;
        sizes.set(type, offset + each);
        return { type, offset };
      }),
    }));
    const buffers = new Map(
      [...sizes].map(([dtype, size]) => [dtype, { name: `${name}.${dtype}`, dtype, size }]),
    );
    this.buffers = [...buffers.values()];
    for (const { fold, components } of places) {
      this.#at.set(fold, components.map(({ type, offset }) => ({ buffer: buffers.get(type)!, offset })));
    }
  }

  #index(b: IrBuilder, row: Instr, chunk: Instr): Instr {
    const { places, chunks } = this.#shape;
    return this.#shape.along === "columns"
      ? b.mul(b.add(b.mul(chunk, places), row), this.#width)
      : b.add(b.mul(row, chunks), chunk);
  }

  has(fold: FoldSpec): boolean {
    return this.#at.has(fold);
  }

  store(b: IrBuilder, fold: FoldSpec, state: State, row: Instr, chunk: Instr): void {
    const index = this.#index(b, row, chunk);
    this.#at.get(fold)!.forEach(({ buffer, offset }, c) => b.store(buffer, b.add(index, offset), state[c]!));
  }

  /** Folds every `step`-th chunk from `first` on, in order. */
  fold(b: IrBuilder, fold: FoldSpec, row: Instr, first: Instr, step: number): State {
    const states = new States(b, combineOf(fold), stateTypes(fold), this.#width);
    states.reset();
    b.for(first, b.int(this.chunks), step, (chunk) => {
      const index = this.#index(b, row, chunk);
      states.merge(
        this.#at.get(fold)!.map(({ buffer, offset }) => b.load(buffer, b.add(index, offset), this.#width)),
      );
    });
    return states.get();
  }
}
