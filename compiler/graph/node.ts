/**
 * The graph: immutable, interned nodes. A `Tensor` is one result of one node, and the handle a user holds.
 *
 * Two nodes with the same op, inputs, attributes and instance are one node (SEMANTICS §1). What does not change the
 * meaning (source lines, scopes) lives in the builder's side tables, so that moving a line changes no kernel.
 */

import type { Op } from "./op.ts";
import type { DType } from "./dtype.ts";
import { type Shape, showShape } from "./dim.ts";

/** Shape and dtype of a tensor in a graph. */
export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

export interface Node {
  /** Position in the builder; inputs always have smaller ids, so ids are a topological order. */
  readonly id: number;
  // deno-lint-ignore no-explicit-any -- a graph holds ops of every attribute type; each op reads only its own.
  readonly op: Op<any>;
  readonly inputs: readonly Tensor[];
  // deno-lint-ignore no-explicit-any -- see `op`.
  readonly attrs: any;
  readonly types: readonly TensorType[];
  /** 0, except for copies made on purpose (checkpoint, memory budget), which interning must keep apart. */
  readonly instance: number;
}

/**
 * One result of one node. `S` and `D` echo what `infer` found: dimensions are literal numbers or names.
 *
 * A tensor holds no data: it is a place in a graph. Its values exist when a compiled program runs.
 */
export class Tensor<out S extends Shape = Shape, out D extends DType = DType> {
  /** Identity within a graph: node and result. */
  readonly key: string;

  constructor(readonly node: Node, readonly result: number) {
    this.key = `${node.id}.${result}`;
  }

  get shape(): S {
    return this.node.types[this.result]!.shape as S;
  }

  get dtype(): D {
    return this.node.types[this.result]!.dtype as D;
  }

  /** A tensor in arithmetic is always a mistake: say what to write instead. In a text it says what it is. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === "string") return this.toString();
    throw new TypeError(
      `${this} is a place in a graph and has no value here. Use the functions of ops (add, mul, …) to compute ` +
        "with it, and run a compiled program to see its values.",
    );
  }

  toString(): string {
    return `Tensor(${this.node.op.name} → ${this.dtype}${showShape(this.shape)})`;
  }

  [Symbol.for("Deno.customInspect")](): string {
    return `${this.toString()} (no values: run a compiled program to see them)`;
  }
}

/** `f32[batch, 784]`, as every message prints a type. */
export const showType = (type: TensorType): string => `${type.dtype}${showShape(type.shape)}`;
