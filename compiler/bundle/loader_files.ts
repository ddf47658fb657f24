/**
 * The scripts of a bundle and their types: the loader, for the inputs, outputs and states of one model.
 *
 * The loader's modules are put together (`loader_sources.ts`), and the types `Inputs`, `Outputs` and `StateName` become
 * those of the model.
 * @module
 */

import { ModuleKind, Project, ScriptTarget, type SourceFile } from "ts-morph";
import { minify } from "terser";
import { InternalError } from "../errors.ts";
import type { DType } from "../graph/dtype.ts";
import { type Script, scriptOf, scripts } from "./loader_sources.ts";
import type { BundleTensor, Manifest } from "./manifest.ts";

const arrays: { readonly [D in DType]: string } = {
  f32: "Float32Array",
  f16: "Float32Array",
  i32: "Int32Array",
  u32: "Uint32Array",
  bool: "Uint8Array",
};

/** What the standard's own declarations would say, as far as the types of a bundle mention it by value. */
const disposal =
  "interface SymbolConstructor { readonly dispose: unique symbol }\ndeclare var Symbol: SymbolConstructor;";

/**
 * @param manifestHash What the loader requires of `manifest.json`.
 * @returns Texts by file name.
 */
export async function loaderFiles(
  manifest: Manifest,
  manifestHash: string,
): Promise<ReadonlyMap<string, string>> {
  const project = new Project({
    useInMemoryFileSystem: true,
    compilerOptions: {
      target: ScriptTarget.ES2022,
      module: ModuleKind.ESNext,
      declaration: true,
      noLib: true,
      types: [],
      newLine: 1,
    },
  });
  project.createSourceFile("disposal.d.ts", disposal);
  for (const script of scripts) {
    const file = project.createSourceFile(`${script.name}.ts`, joined(project, script));
    file.getVariableDeclaration("MANIFEST_SHA256")?.setInitializer(JSON.stringify(manifestHash));
    if (file.getInterface("Inputs")) specialize(file, manifest);
  }
  const files = new Map<string, string>();
  for (const { filePath, text } of project.emitToMemory().getFiles()) {
    const name = filePath.replace(/^.*\//, "");
    if (name.endsWith(".js")) {
      // Deno looks for types where a script says, and not beside it.
      const types = name.replace(/js$/, "d.ts");
      const where = typed.includes(types) ? `/* @ts-self-types="./${types}" */\n` : "";
      files.set(name, where + await minified(text, manifest));
    } else if (typed.includes(name)) {
      files.set(name, name === "index.d.ts" ? webgpuTypes + text : text);
    }
  }
  return files;
}

/** For compilers that don't know WebGPU by themselves; those that do (Deno's) may well lack the package. */
const webgpuTypes = `// @ts-ignore: where the package is missing, WebGPU is among the compiler's own types
/// <reference types="@webgpu/types" />
`;

/** The types that users of a bundle see. */
const typed: readonly string[] = ["index.d.ts", "selftest.d.ts"];

async function minified(text: string, { generator }: Manifest): Promise<string> {
  const { code } = await minify(text, {
    module: true,
    ecma: 2020,
    compress: { passes: 9, hoist_funs: true, unsafe_arrows: true, unsafe_methods: true },
    format: { preamble: `// Made by ${generator}.` },
  });
  if (!code) throw new InternalError("bundle", "the loader was not emitted");
  return `${code}\n`;
}

/** A script's modules as one text, in which only other files of the bundle are imported. */
function joined(project: Project, { name, modules, exports }: Script): string {
  const outside = new Set<string>();
  const texts = modules.map((text, i) => {
    const module = project.createSourceFile(`module${i}.ts`, text);
    for (const declaration of module.getImportDeclarations()) {
      const file = scriptOf[declaration.getModuleSpecifierValue()];
      if (file !== undefined && file !== `./${name}.js`) {
        declaration.setModuleSpecifier(file);
        outside.add(declaration.getText());
      }
      declaration.remove();
    }
    if (!exports.includes(text)) {
      for (const statement of module.getStatements()) {
        if ("setIsExported" in statement) {
          (statement as { setIsExported(is: boolean): void }).setIsExported(false);
        }
      }
    }
    const whole = module.getFullText().replace(/^\s*\/\*\*[\s\S]*?@module\s*\*\/\s*/, "");
    project.removeSourceFile(module);
    return whole.replace(/import\("(\.\/\w+\.ts)"\)/g, (_, from) => `import("${scriptOf[from]}")`);
  });
  // Types alone leave nothing behind; what is imported as a value by several modules stands once.
  return [...outside, ...texts].join("\n");
}

function specialize(file: SourceFile, { inputs, outputs, state, sizes, open }: Manifest): void {
  const choices = sizes.filter((size) => Object.keys(size).length > 0).map((size) =>
    Object.entries(size).map(([name, n]) => `${name} = ${n}`).join(", ")
  );
  const sizesText = choices.length === 0
    ? ""
    : ` Sizes: ${choices.join("; or ")}${open ? `, or fewer ${open}` : ""}.`;
  const declare = (name: string, tensors: readonly BundleTensor[]) => {
    const declaration = file.getInterfaceOrThrow(name);
    for (const signature of declaration.getIndexSignatures()) signature.remove();
    for (const { name, dtype, shape } of tensors) {
      declaration.addProperty({
        name: JSON.stringify(name),
        isReadonly: true,
        type: arrays[dtype],
        docs: [`${dtype} [${shape.join(", ")}].${sizesText}`],
      });
    }
  };
  declare("Inputs", inputs);
  declare("Outputs", outputs);
  const names = state.map(({ name }) => JSON.stringify(name)).join(" | ");
  file.getTypeAliasOrThrow("StateName").setType(names || "never");
}
