/**
 * The scripts of a bundle and their types: the loader, for the inputs, outputs and states of one model.
 *
 * The loader's modules are put together (`loader_sources.ts`, `loader_template.ts`), and the types `Inputs`, `Outputs` and
 * `StateName` become those of the model.
 * @module
 */

import { InternalError } from "../errors.ts";
import type { DType } from "../graph/dtype.ts";
import { hashPlace, loaderTemplate } from "./loader_template.ts";
import type { BundleTensor, Manifest } from "./manifest.ts";

const arrays: { readonly [D in DType]: string } = {
  f32: "Float32Array",
  f16: "Float32Array",
  i32: "Int32Array",
  u32: "Uint32Array",
  bool: "Uint8Array",
};

/**
 * @param manifestHash What the loader requires of `manifest.json`.
 * @returns Texts by file name.
 */
export async function loaderFiles(
  manifest: Manifest,
  manifestHash: string,
): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const template = await loaderTemplate();
  for (const [name, text] of template) {
    if (name.endsWith(".js")) {
      // Deno looks for types where a script says, and not beside it.
      const types = name.replace(/js$/, "d.ts");
      const where = template.has(types) ? `/* @ts-self-types="./${types}" */\n` : "";
      const own = name === "index.js" ? filled(text, hashPlace, manifestHash) : text;
      files.set(name, `${where}// Made by ${manifest.generator}.\n${own}`);
    } else files.set(name, name === "index.d.ts" ? webgpuTypes + specialized(text, manifest) : text);
  }
  return files;
}

/** For compilers that don't know WebGPU by themselves; those that do (Deno's) may well lack the package. */
const webgpuTypes = `// @ts-ignore: where the package is missing, WebGPU is among the compiler's own types
/// <reference types="@webgpu/types" />
`;

/** The text with something in the one place that there is for it. */
function filled(text: string, place: string | RegExp, put: string): string {
  const parts = text.split(place);
  if (parts.length !== 2) {
    throw new InternalError("bundle", `the loader has ${parts.length - 1} places for ${put}`);
  }
  return parts.join(put);
}

/** The loader's types, with those of a model's inputs, outputs and states. */
function specialized(text: string, { inputs, outputs, state, sizes, open }: Manifest): string {
  const choices = sizes.filter((size) => Object.keys(size).length > 0).map((size) =>
    Object.entries(size).map(([name, n]) => `${name} = ${n}`).join(", ")
  );
  const sizesText = choices.length === 0
    ? ""
    : ` Sizes: ${choices.join("; or ")}${open ? `, or fewer ${open}` : ""}.`;
  const declared = (name: string, tensors: readonly BundleTensor[]) => {
    const properties = tensors.map(({ name, dtype, shape }) => {
      const says = `${dtype} [${shape.join(", ")}].${sizesText}`.replaceAll("*/", "*\\/");
      return `    /** ${says} */\n    readonly ${JSON.stringify(name)}: ${arrays[dtype]};\n`;
    });
    return `export interface ${name} {\n${properties.join("")}}`;
  };
  const names = state.map(({ name }) => JSON.stringify(name)).join(" | ");
  const withInputs = filled(text, /export interface Inputs \{[^}]*\}/, declared("Inputs", inputs));
  const withBoth = filled(withInputs, /export interface Outputs \{[^}]*\}/, declared("Outputs", outputs));
  return filled(withBoth, "export type StateName = string;", `export type StateName = ${names || "never"};`);
}
