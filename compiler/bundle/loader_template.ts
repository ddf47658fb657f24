/**
 * The scripts of a bundle and their types before they are one model's, which takes a second to make: compiled and
 * minified, with the manifest's hash and the model's types to be filled in.
 * @module
 */

import { ModuleKind, Project, ScriptTarget } from "ts-morph";
import { minify } from "terser";
import { InternalError } from "../errors.ts";
import { type Script, scriptOf, scripts } from "./loader_sources.ts";

/** Stands where the hash of the manifest goes, and is as long. */
export const hashPlace = "hash-of-manifest".repeat(4);

/** What the standard's own declarations would say, as far as the types of a bundle mention it by value. */
const disposal =
  "interface SymbolConstructor { readonly dispose: unique symbol }\ndeclare var Symbol: SymbolConstructor;";

let made: Promise<ReadonlyMap<string, string>> | undefined;

/** Texts by file name, made once in a process: they depend on nothing. */
export const loaderTemplate = (): Promise<ReadonlyMap<string, string>> => made ??= make();

async function make(): Promise<ReadonlyMap<string, string>> {
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
    file.getVariableDeclaration("MANIFEST_SHA256")?.setInitializer(JSON.stringify(hashPlace));
  }
  const files = new Map<string, string>();
  for (const { filePath, text } of project.emitToMemory().getFiles()) {
    const name = filePath.replace(/^.*\//, "");
    if (name.endsWith(".js")) files.set(name, await minified(text));
    else if (name === "index.d.ts" || name === "selftest.d.ts") files.set(name, text);
  }
  return files;
}

async function minified(text: string): Promise<string> {
  const { code } = await minify(text, {
    module: true,
    ecma: 2020,
    compress: { passes: 9, hoist_funs: true, unsafe_arrows: true, unsafe_methods: true },
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
