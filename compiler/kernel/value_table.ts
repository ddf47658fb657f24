/**
 * The interning table of values, and those that have no children but an index.
 * @module
 */

import type { Node } from "../graph/node.ts";
import type { BufferRef, Const, Load, Param, Value, ValueType, Var } from "./value.ts";
import { isFloating, valueType } from "./value.ts";

type Common = "id" | "type" | "free" | "lo" | "hi";

/** Where a number lies; of values that are not i32 nothing is known. */
export interface Range {
  readonly lo: number;
  readonly hi: number;
}

export const unknownRange: Range = { lo: -Infinity, hi: Infinity };

const none: ReadonlySet<Var> = new Set();
const float = new Float32Array(1);
const bitsOf = new Int32Array(float.buffer);

/**
 * Equal nodes are one node, so common sub-expressions cost nothing.
 *
 * One table serves one group (or one compile); it holds no state but the nodes.
 */
export class ValueTable {
  readonly #nodes = new Map<string, Value>();
  #maker: Node | undefined;

  /** @param makers Where it is noted which op each value was first made for, if somebody wants to know. */
  constructor(readonly makers?: Map<Value, Node>) {}

  /** Runs `f`, whose new values are made for an op. */
  madeFor<T>(maker: Node | undefined, f: () => T): T {
    if (this.makers === undefined) return f();
    const outer = this.#maker;
    this.#maker = maker;
    const made = f();
    this.#maker = outer;
    return made;
  }

  /** Runs `f`, whose new values are made for the op that a value was made for. */
  protected likewise<T>(value: Value, f: () => T): T {
    return this.makers === undefined ? f() : this.madeFor(this.makers.get(value) ?? this.#maker, f);
  }

  /** Nodes made so far. */
  get size(): number {
    return this.#nodes.size;
  }

  protected known(key: string): Value | undefined {
    return this.#nodes.get(key);
  }

  protected intern<V extends Value>(
    key: string,
    type: ValueType,
    free: ReadonlySet<Var>,
    range: Range,
    rest: Omit<V, Common>,
  ): V {
    const known = this.#nodes.get(key);
    if (known) return known as V;
    const value = { id: this.#nodes.size, type, free, lo: range.lo, hi: range.hi, ...rest } as unknown as V;
    this.#nodes.set(key, value);
    if (this.#maker) this.makers!.set(value, this.#maker);
    return value;
  }

  const(value: number | boolean, type: ValueType = "f32"): Const {
    let x = Number(value);
    let bits: number;
    if (isFloating(type)) {
      float[0] = type === "f16" ? Math.f16round(x) : x;
      x = float[0]!;
      bits = bitsOf[0]!;
    } else {
      x = type === "i32" ? x | 0 : type === "u32" ? x >>> 0 : x !== 0 ? 1 : 0;
      bits = x | 0;
    }
    return this.intern<Const>(`c${type}${bits}`, type, none, { lo: x, hi: x }, {
      kind: "const",
      value: x,
      bits,
    });
  }

  /** An i32 constant. */
  int(value: number): Const {
    return this.const(value, "i32");
  }

  /** A constant of a tensor's dtype, as a JS number meets it. */
  of(value: number, like: Value): Const {
    return this.const(value, like.type);
  }

  param(name: string, type: ValueType, value: number, range: Range = unknownRange): Param {
    return this.intern<Param>(`p${name}:${type}`, type, none, range, { kind: "param", name, value });
  }

  var(extent: number, slot: number): Var {
    const key = `v${extent}_${slot}`;
    const known = this.known(key);
    if (known) return known as Var;
    const free = new Set<Var>();
    const v = this.intern<Var>(key, "i32", free, { lo: 0, hi: Math.max(0, extent - 1) }, {
      kind: "var",
      extent,
      slot,
    });
    free.add(v);
    return v;
  }

  /** One variable per axis: equal extents take consecutive slots. Axes of size 1 are the constant 0. */
  axes(shape: readonly number[]): Value[] {
    const used = new Map<number, number>();
    return shape.map((extent) => {
      if (extent === 1) return this.int(0);
      const slot = used.get(extent) ?? 0;
      used.set(extent, slot + 1);
      return this.var(extent, slot);
    });
  }

  load(buffer: BufferRef, index: Value): Load {
    const type = valueType(buffer.dtype);
    return this.intern<Load>(`l${buffer.name}[${index.id}]`, type, index.free, unknownRange, {
      kind: "load",
      buffer,
      index,
    });
  }
}
