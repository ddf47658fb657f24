/**
 * A raw kernel as a WGSL module: the user's text, and around it what the signature says.
 *
 *     const n: u32 = 1024u;                                               one per named size
 *     @group(0) @binding(0) var<storage, read> x: array<f32, 1024>;       one per tensor, inputs first
 *     @group(0) @binding(2) var<uniform> sizes: weft_Sizes;               where the text, or a folded grid, reads it
 *     ‹declarations›
 *     @compute @workgroup_size(64, 1, 1) fn main(‹WGSL's own builtin values›) { ‹body› }
 *
 * A dispatch is a linear number of workgroups, folded into two dimensions past 65,535. The body is to see the grid that
 * the user asked for, so where that is not what is dispatched, `workgroup_id`, `num_workgroups` and
 * `global_invocation_id` are computed here, by literals. They are uniform where WGSL's own are.
 */

import type { BufferDecl } from "../kernel/ir.ts";
import type { ElementForm, RawKernel } from "../kernel/raw.ts";
import { isFolded, uniformWords } from "./uniforms.ts";

/** Which text of the user's a line of the module comes from, and which line of it, counted from 1. */
export interface RawPlace {
  readonly part: "wgsl" | "declarations";
  readonly line: number;
}

export interface RawModule {
  readonly code: string;
  /** Undefined for a line that is not the user's. Lines count from 1. */
  locate(line: number): RawPlace | undefined;
}

export function rawModule(kernel: RawKernel, features: { readonly f16: boolean }): RawModule {
  const { buffers, forms, sizes, declarations, body } = kernel;
  const words = uniformWords(kernel);
  const usesF16 = features.f16 &&
    (buffers.some(({ dtype }) => dtype === "f16") ||
      /\bf16\b|\bvec[234]h\b|\d\.?\d*h\b/.test(declarations + body));
  const lines = [
    ...usesF16 ? ["enable f16;"] : [],
    ...Object.entries(sizes).map(([name, value]) => `const ${name}: u32 = ${value}u;`),
    ...buffers.map((buffer, i) => declaration(buffer, forms[i]!, i)),
  ];
  if (words.length > 0) {
    const fields = words.map((word) => `${word.kind === "param" ? word.name : "weft_workgroups"}: u32`);
    lines.push(
      `struct weft_Sizes { ${fields.join(", ")} }`,
      `@group(0) @binding(${buffers.length}) var<uniform> sizes: weft_Sizes;`,
    );
  }
  const places: { readonly part: RawPlace["part"]; readonly first: number; readonly count: number }[] = [];
  const insert = (part: RawPlace["part"], text: string) => {
    const own = text.split("\n");
    places.push({ part, first: lines.length + 1, count: own.length });
    lines.push(...own);
  };
  insert("declarations", declarations);
  lines.push(...entry(kernel));
  insert("wgsl", body);
  lines.push("}", "");
  return {
    code: lines.join("\n"),
    locate(line) {
      const place = places.find(({ first, count }) => line >= first && line < first + count);
      return place && { part: place.part, line: line - place.first + 1 };
    },
  };
}

function declaration({ name, dtype, size, access }: BufferDecl, form: ElementForm, binding: number): string {
  const scalar = dtype === "bool" ? "u32" : dtype;
  const element: { readonly [F in ElementForm]: string } = {
    scalar,
    vec2: `vec2<${scalar}>`,
    vec4: `vec4<${scalar}>`,
    atomic: `atomic<${scalar}>`,
  };
  const length = size / { scalar: 1, vec2: 2, vec4: 4, atomic: 1 }[form];
  const mode = access === "read" ? "read" : "read_write";
  return `@group(0) @binding(${binding}) var<storage, ${mode}> ${name}: array<${element[form]}, ${length}>;`;
}

/** The entry point up to where the user's text begins. */
function entry(kernel: RawKernel): string[] {
  const { workgroupSize: [sx, sy, sz], workgroups: [gx, gy, gz] } = kernel;
  const head = `@compute @workgroup_size(${sx}, ${sy}, ${sz})`;
  const local = [
    "@builtin(local_invocation_id) local_invocation_id: vec3<u32>",
    "@builtin(local_invocation_index) local_invocation_index: u32",
  ];
  if (!isFolded(kernel) && gy === 1 && gz === 1) {
    const parameters = [
      "@builtin(global_invocation_id) global_invocation_id: vec3<u32>",
      ...local,
      "@builtin(workgroup_id) workgroup_id: vec3<u32>",
      "@builtin(num_workgroups) num_workgroups: vec3<u32>",
    ];
    return [head, `fn main(${parameters.join(", ")}) {`];
  }
  const parameters = [
    ...local,
    "@builtin(workgroup_id) weft_group: vec3<u32>",
    "@builtin(num_workgroups) weft_grid: vec3<u32>",
  ];
  const along = [
    `weft_linear % ${gx}u`,
    gy === 1 ? "0u" : `weft_linear / ${gx}u % ${gy}u`,
    gz === 1 ? "0u" : `weft_linear / ${gx * gy}u`,
  ];
  return [
    head,
    `fn main(${parameters.join(", ")}) {`,
    "let weft_linear = weft_group.x + weft_group.y * weft_grid.x;",
    ...isFolded(kernel) ? ["if (weft_linear >= sizes.weft_workgroups) { return; }"] : [],
    `let num_workgroups = vec3<u32>(${gx}u, ${gy}u, ${gz}u);`,
    `let workgroup_id = vec3<u32>(${along.join(", ")});`,
    `let global_invocation_id = workgroup_id * vec3<u32>(${sx}u, ${sy}u, ${sz}u) + local_invocation_id;`,
  ];
}
