/**
 * A group as values: each root read at its own axes, producers inside the group inlined, the others loaded.
 *
 * This is the one place where fusing happens. The same function serves the question "may these be one kernel?", the
 * kernels themselves, and the policy that fuses nothing.
 */

import { InternalError } from "../errors.ts";
import type { Node, Tensor } from "../graph/node.ts";
import { isProgram } from "../graph/op.ts";
import { roundedToHalf } from "../kernel/half.ts";
import { type BufferRef, type ConcreteType, type Reader, type Value } from "../kernel/value.ts";
import { type Builtins, Values } from "../kernel/values.ts";
import type { LoweredGroup, Root } from "../schedule/group.ts";
import { isLargeConstant } from "./group.ts";

/** Where a stored tensor lives: a buffer, and strides and an offset in elements. */
export interface Storage {
  readonly buffer: BufferRef;
  readonly strides: readonly number[];
  readonly offset: number;
}

/** What ops on halves compute in (SEMANTICS §6): f32, rounded where a value is stored, or f16, each result rounded. */
export type Arithmetic = "f32" | "f16";

/** How numbers are computed, throughout a program. */
export interface Numerics {
  readonly arithmetic?: Arithmetic | undefined;
  readonly builtins?: Builtins | undefined;
}

/** How groups become values: how numbers are computed, and whether it is kept which op each value was made for. */
export interface Lowering extends Numerics {
  readonly provenance?: boolean | undefined;
}

/** A tensor's type once sizes are bound. */
export function concrete(tensor: Tensor): ConcreteType {
  const shape = tensor.shape.map((d) => {
    if (typeof d !== "number") throw new InternalError("fuse", `${tensor} has an open size`);
    return d;
  });
  return { shape, dtype: tensor.dtype };
}

/** A buffer of its own, dense and row-major: what fusion assumes, and what most tensors get. */
export function denseStorage(tensor: Tensor): Storage {
  const { shape, dtype } = concrete(tensor);
  const name = isLargeConstant(tensor.node) ? `const:${tensor.node.attrs.data.hash}` : tensor.key;
  const strides: number[] = [];
  let size = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = size;
    size *= shape[axis]!;
  }
  return { buffer: { name, dtype, size }, strides, offset: 0 };
}

/** The element of a storage for an index. */
export function elementAt(k: Values, storage: Storage, at: readonly Value[]): Value {
  return k.affine(at.map((v, i) => [v, storage.strides[i]!] as const), storage.offset);
}

/** Reads tensors for one group: inlines what `nodes` computes, loads the rest. */
export class GroupReader {
  readonly #memo = new Map<string, Value>();
  /** What each inlined node came to, at every index it was read. */
  readonly made = new Map<Node, Value[]>();

  constructor(
    readonly k: Values,
    readonly nodes: ReadonlySet<Node>,
    readonly storage: (tensor: Tensor) => Storage,
    readonly arithmetic: Arithmetic = "f32",
  ) {}

  reader(tensor: Tensor): Reader {
    const type = concrete(tensor);
    return { ...type, at: (index) => this.read(tensor, type, index) };
  }

  read(tensor: Tensor, type: ConcreteType, index: readonly Value[]): Value {
    let key = tensor.key;
    for (const i of index) key += `,${i.id}`;
    let value = this.#memo.get(key);
    if (!value) {
      value = this.nodes.has(tensor.node) ? this.#inline(tensor, index) : this.#load(tensor, type, index);
      this.#memo.set(key, value);
    }
    return value;
  }

  #load(tensor: Tensor, type: ConcreteType, index: readonly Value[]): Value {
    // Nothing can be read from an empty tensor; the loop around this has no iterations.
    if (type.shape.includes(0)) return this.k.const(0, type.dtype === "f16" ? "f32" : type.dtype);
    const storage = this.storage(tensor);
    return this.k.load(storage.buffer, elementAt(this.k, storage, index));
  }

  #inline({ node, result }: Tensor, index: readonly Value[]): Value {
    const { lower } = node.op;
    if (isProgram(lower)) {
      throw new InternalError("fuse", `${node.op.name} is a program and cannot be inlined`);
    }
    const rounds = this.arithmetic === "f16" && node.types[result]!.dtype === "f16";
    const value = this.k.madeFor(node, () => {
      const computed = lower(this.k, node.inputs.map((t) => this.reader(t)), index, {
        attrs: node.attrs,
        inputs: node.inputs.map(concrete),
        outputs: node.types.map((t) => ({ shape: t.shape as readonly number[], dtype: t.dtype })),
        result,
        stream: this.k.param(`stream${node.id}`, "u32", node.attrs.stream ?? 0, { lo: 0, hi: 2 ** 32 - 1 }),
      });
      return rounds ? roundedToHalf(this.k, computed) : computed;
    });
    const made = this.made.get(node);
    if (made) made.push(value);
    else this.made.set(node, [value]);
    return value;
  }
}

/** The group's roots as values. */
export function lowerGroup(
  group: { readonly roots: readonly Tensor[]; readonly nodes: ReadonlySet<Node> },
  storage: (tensor: Tensor) => Storage = denseStorage,
  { label = "", arithmetic, builtins, provenance }: Lowering & { readonly label?: string } = {},
): LoweredGroup & { readonly reader: GroupReader } {
  const values = new Values(builtins, provenance ? new Map() : undefined);
  const reader = new GroupReader(values, group.nodes, storage, arithmetic);
  const roots = group.roots.map((tensor): Root => {
    const type = concrete(tensor);
    const axes = values.axes(type.shape);
    const place = storage(tensor);
    return {
      value: reader.read(tensor, type, axes),
      shape: type.shape,
      axes,
      buffer: place.buffer,
      index: elementAt(values, place, axes),
    };
  });
  return { values, roots, label, reader };
}
