/**
 * What stands around the statements of a WGSL module, and the names that statements know it by: buffers, uniforms, shared
 * and private arrays before the entry point; builtins at it; and in it, before the first block, the group's number,
 * parameters and bounds, special literals, registers.
 *
 * Some of it is there only if a statement asks for it, so the text of a frame is taken last.
 */

import { InternalError } from "../errors.ts";
import type { ArrayDecl, Kernel } from "../kernel/ir.ts";
import { isFolded, uniformWords } from "./uniforms.ts";
import { BufferText, singlyStoredHalves, wideBuffers } from "./wgsl_buffers.ts";
import { typeText } from "./wgsl_ops.ts";

export interface FrameOptions {
  readonly hasF16: boolean;
  /** Parts of a tile's sum whose workgroups are numbered together; 1: workgroups are numbered as they come. */
  readonly parts: number;
  /** What a text for any device asks a subgroup for: to be the workgroup, or to have its lanes in their order. */
  readonly asks: "subgroup" | "order" | undefined;
}

export class ModuleFrame {
  readonly #kernel: Kernel;
  readonly #options: FrameOptions;
  readonly #buffers = new Map<string, BufferText>();
  readonly #arrays = new Map<ArrayDecl, string>();
  readonly #params = new Map<string, string>();
  readonly #bounds = new Map<number, string>();
  /** Names of float literals that exist only as bits, by their bits. */
  readonly #specials = new Map<number, string>();
  readonly #used = { group: false, lane: false };
  #computesHalves = false;

  constructor(kernel: Kernel, options: FrameOptions) {
    this.#kernel = kernel;
    this.#options = options;
    const [wide, single] = [wideBuffers(kernel), singlyStoredHalves(kernel)];
    kernel.buffers.forEach((decl, i) => {
      const use = { wide: wide.has(decl.name), single: single.has(decl.name), hasF16: options.hasF16 };
      this.#buffers.set(decl.name, new BufferText(`b${i}`, decl, use));
    });
    kernel.arrays.forEach((array, i) =>
      this.#arrays.set(array, `${array.space === "shared" ? "s" : array.dynamic ? "m" : "r"}${i}`)
    );
    kernel.params.forEach(({ name }, i) => this.#params.set(name, `p${i}`));
    for (const word of uniformWords(kernel)) {
      if (word.kind === "bound") this.#bounds.set(word.value, `n${this.#bounds.size}`);
    }
  }

  // ---- names ----------------------------------------------------------------------------------------------------

  buffer(name: string): BufferText {
    return this.#buffers.get(name) ?? missing(`buffer ${name}`);
  }

  array(array: ArrayDecl): string {
    return this.#arrays.get(array) ?? missing(`array ${array.name}`);
  }

  param(name: string): string {
    return this.#params.get(name) ?? missing(`parameter ${name}`);
  }

  /** A literal that ends a loop, as a number that the driver does not see. */
  bound(value: number): string {
    return this.#bounds.get(value) ?? missing(`bound ${value}`);
  }

  builtin(name: "group" | "lane"): string {
    this.#used[name] = true;
    return name;
  }

  /** An f32 that has no literal. */
  special(bits: number): string {
    const known = this.#specials.get(bits);
    if (known) return known;
    const name = `f${this.#specials.size}`;
    this.#specials.set(bits, name);
    return name;
  }

  computesHalves(): void {
    this.#computesHalves = true;
  }

  // ---- text -----------------------------------------------------------------------------------------------------

  /** Lines before the statements, as far as the entry point's brace and what follows it. */
  opening(): readonly string[] {
    const { hasF16, asks } = this.#options;
    const usesF16 = this.#computesHalves ||
      (hasF16 && this.#kernel.buffers.some(({ dtype }) => dtype === "f16"));
    return [
      ...usesF16 ? ["enable f16;", ""] : [],
      ...asks ? ["enable subgroups;", ""] : [],
      ...this.#declarations(),
      "",
      `@compute @workgroup_size(${this.#kernel.lanes})`,
      `fn main(${this.#builtins().join(", ")}) {`,
      ...this.#prologue().map((line) => "  " + line),
    ];
  }

  #declarations(): string[] {
    const { buffers, arrays } = this.#kernel;
    const lines = buffers.map(({ name }, i) => this.#buffers.get(name)!.declaration(i));
    const words = uniformWords(this.#kernel).length;
    if (words > 0) {
      const type = `array<vec4<u32>, ${Math.ceil(words / 4)}>`;
      lines.push(`@group(0) @binding(${buffers.length}) var<uniform> uniforms: ${type};`);
    }
    for (const array of arrays) {
      if (array.space === "lane" && !array.dynamic) continue;
      const space = array.space === "shared" ? "workgroup" : "private";
      lines.push(
        `var<${space}> ${this.#arrays.get(array)}: array<${typeText(array.type)}, ${array.length}>;`,
      );
    }
    return lines;
  }

  #builtins(): string[] {
    const builtins: string[] = [];
    if (this.#used.group || isFolded(this.#kernel)) builtins.push("@builtin(workgroup_id) wid: vec3<u32>");
    if (isFolded(this.#kernel)) builtins.push("@builtin(num_workgroups) grid: vec3<u32>");
    const lane = this.#options.asks === "subgroup" ? "subgroup_invocation_id" : "local_invocation_index";
    if (this.#used.lane) builtins.push(`@builtin(${lane}) lid: u32`);
    return builtins;
  }

  /** What stands before the first block: the group's number, parameters and bounds, special literals, registers. */
  #prologue(): string[] {
    const lines: string[] = [];
    if (isFolded(this.#kernel)) {
      lines.push("let linear = wid.x + wid.y * grid.x;", "if (linear >= uniforms[0].x) { return; }");
      if (this.#used.group) lines.push("let group = i32(linear);");
    } else if (this.#used.group) {
      const [parts, tiles] = [this.#options.parts, this.#kernel.groups / this.#options.parts];
      const number = parts === 1 ? "wid.x" : `wid.x % ${parts}u * ${tiles}u + wid.x / ${parts}u`;
      lines.push(`let group = i32(${number});`);
    }
    if (this.#used.lane) lines.push("let lane = i32(lid);");

    uniformWords(this.#kernel).forEach((word, i) => {
      const text = `uniforms[${i >> 2}].${"xyzw"[i & 3]}`;
      if (word.kind === "bound") lines.push(`let ${this.#bounds.get(word.value)} = bitcast<i32>(${text});`);
      if (word.kind === "param") {
        const value = word.scalar === "bool"
          ? `${text} != 0u`
          : word.scalar === "u32"
          ? text
          : `bitcast<${word.scalar}>(${text})`;
        lines.push(`let ${this.#params.get(word.name)} = ${value};`);
      }
    });
    for (const [bits, name] of this.#specials) {
      lines.push(`var ${name}_bits = 0x${bits.toString(16)}u;`, `let ${name} = bitcast<f32>(${name}_bits);`);
    }
    for (const array of this.#kernel.arrays) {
      if (array.space === "shared" || array.dynamic) continue;
      for (let i = 0; i < array.length; i++) {
        lines.push(`var ${this.#arrays.get(array)}_${i}: ${typeText(array.type)};`);
      }
    }
    return lines;
  }
}

function missing(what: string): never {
  throw new InternalError("wgsl", `there is no ${what}`);
}
