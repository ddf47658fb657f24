/**
 * How a buffer looks in WGSL: its declaration, and the text of a load or a store.
 *
 *     f32, i32, u32    array<T, n>, or array<vec4<T>, n / 4> as soon as one access has width 4
 *     bool             the same as u32; a load compares with 0
 *     f16              array<f16> or array<vec4<f16>> where the device has f16, else pairs packed in array<u32>, or in
 *                      array<atomic<u32>> as soon as one store is of a single half
 *
 * A scalar access to an array of vec4 picks the component of the element. Sizes round up to whole elements; bindings
 * are multiples of 256 bytes, so there is room. Without f16 two neighbors share a word, and who stores the other one
 * (another lane, another group, another kernel for the next part of a concat) is not known here: a single half is put
 * in by clearing its bits and setting them, each atomic, neither of which touches its neighbor's. The result is the same
 * in any order. Stores of width 4 own their two words.
 */

import type { Access, BufferDecl, Instr, Kernel } from "../kernel/ir.ts";
import { statementsOfKernel, touchOf } from "../kernel/walk.ts";

/** The names of the buffers that some access of the kernel takes four elements of. */
export function wideBuffers(kernel: Kernel): ReadonlySet<string> {
  const wide = new Set<string>();
  for (const statement of statementsOfKernel(kernel)) {
    const touch = touchOf(statement);
    if (touch && typeof touch.place === "string" && touch.width === 4) wide.add(touch.place);
  }
  return wide;
}

/** The names of the f16 buffers that some store of the kernel changes one element of. */
export function singlyStoredHalves(kernel: Kernel): ReadonlySet<string> {
  const halves = new Set(kernel.buffers.filter(({ dtype }) => dtype === "f16").map(({ name }) => name));
  const single = new Set<string>();
  for (const statement of statementsOfKernel(kernel)) {
    if (statement.kind !== "store" || statement.value.type.width === 4) continue;
    if (halves.has(statement.buffer)) single.add(statement.buffer);
  }
  return single;
}

export interface BufferUse {
  /** Some access takes four elements. */
  readonly wide: boolean;
  /** Some store changes a single half. */
  readonly single: boolean;
  readonly hasF16: boolean;
}

type Form = "scalar" | "vec4" | "packed" | "atomic";

export class BufferText {
  readonly #name: string;
  readonly #decl: BufferDecl;
  readonly #form: Form;

  constructor(name: string, decl: BufferDecl, { wide, single, hasF16 }: BufferUse) {
    this.#name = name;
    this.#decl = decl;
    const inPairs = decl.dtype === "f16" && !hasF16;
    this.#form = inPairs ? (single ? "atomic" : "packed") : wide ? "vec4" : "scalar";
  }

  get #isPacked(): boolean {
    return this.#form === "packed" || this.#form === "atomic";
  }

  /** The type of an element in memory. */
  get #element(): string {
    return this.#decl.dtype === "bool" || this.#isPacked ? "u32" : this.#decl.dtype;
  }

  declaration(binding: number): string {
    const { size, access } = this.#decl;
    const mode: { readonly [A in Access]: string } = {
      read: "read",
      write: "read_write",
      read_write: "read_write",
    };
    const type = {
      scalar: `array<${this.#element}, ${size}>`,
      vec4: `array<vec4<${this.#element}>, ${Math.ceil(size / 4)}>`,
      packed: `array<u32, ${Math.ceil(size / 2)}>`,
      atomic: `array<atomic<u32>, ${Math.ceil(size / 2)}>`,
    }[this.#form];
    return `@group(0) @binding(${binding}) var<storage, ${mode[access]}> ${this.#name}: ${type};`;
  }

  /** An expression for the elements at an index, as the value type. */
  load(index: Instr, text: string, width: 1 | 4): string {
    const { dtype } = this.#decl;
    if (this.#isPacked) {
      const word = (k: number) => {
        const place = this.#word(index, text, k);
        return this.#form === "atomic" ? `atomicLoad(&${place})` : place;
      };
      if (width === 4) return `vec4<f32>(unpack2x16float(${word(0)}), unpack2x16float(${word(1)}))`;
      if (index.kind === "literal") return `unpack2x16float(${word(0)}).${"xy"[index.value & 1]}`;
      return `unpack2x16float(${word(0)} >> (u32(${text} & 1i) << 4u)).x`;
    }
    const place = this.#place(index, text, width);
    if (dtype === "f16") return width === 4 ? `vec4<f32>(${place})` : `f32(${place})`;
    if (dtype === "bool") return `${place} != ${width === 4 ? "vec4<u32>(0u)" : "0u"}`;
    return place;
  }

  /** Statements that store a value. */
  store(index: Instr, text: string, value: string, width: 1 | 4): readonly string[] {
    if (this.#isPacked) {
      return width === 4 ? this.#storeWords(index, text, value) : this.#storeHalf(index, text, value);
    }
    const { dtype } = this.#decl;
    const memory = width === 4 ? `vec4<${this.#element}>` : this.#element;
    const stored = dtype === "f16" || dtype === "bool" ? `${memory}(${value})` : value;
    return [`${this.#place(index, text, width)} = ${stored};`];
  }

  #storeWords(index: Instr, text: string, value: string): readonly string[] {
    return ["xy", "zw"].map((half, k) => {
      const place = this.#word(index, text, k);
      const word = `pack2x16float(${value}.${half})`;
      return this.#form === "atomic" ? `atomicStore(&${place}, ${word});` : `${place} = ${word};`;
    });
  }

  #storeHalf(index: Instr, text: string, value: string): readonly string[] {
    const place = `&${this.#word(index, text, 0)}`;
    const half = `pack2x16float(vec2<f32>(${value}, 0f))`;
    if (index.kind === "literal") {
      const isHigh = (index.value & 1) === 1;
      return [
        `atomicAnd(${place}, ${isHigh ? "0x0000ffffu" : "0xffff0000u"});`,
        `atomicOr(${place}, ${isHigh ? `${half} << 16u` : half});`,
      ];
    }
    const shift = `(u32(${text} & 1i) << 4u)`;
    return [`atomicAnd(${place}, 0xffff0000u >> ${shift});`, `atomicOr(${place}, ${half} << ${shift});`];
  }

  /** The k-th word from the one that holds the element. */
  #word(index: Instr, text: string, k: number): string {
    return `${this.#name}[${quotient(index, text, 2, k)}]`;
  }

  #place(index: Instr, text: string, width: 1 | 4): string {
    if (this.#form === "scalar") return `${this.#name}[${text}]`;
    const whole = `${this.#name}[${quotient(index, text, 4, 0)}]`;
    if (width === 4) return whole;
    return index.kind === "literal" ? `${whole}.${"xyzw"[index.value & 3]}` : `${whole}[${text} & 3i]`;
  }
}

/** index / divisor + offset for indices ≥ 0 and a divisor of 2 or 4. */
function quotient(index: Instr, text: string, divisor: 2 | 4, offset: number): string {
  if (index.kind === "literal") return String(Math.floor(index.value / divisor) + offset);
  const shifted = `${text} >> ${divisor === 2 ? 1 : 2}u`;
  return offset === 0 ? shifted : `(${shifted}) + ${offset}i`;
}
