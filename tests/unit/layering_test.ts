/**
 * Who may import whom. The pipeline goes one way, and what a layer does not know it cannot depend on: graphs and kernels
 * know no op, emitters know no fusion, ops know neither fusion nor memory.
 */

import assert from "node:assert/strict";
import { relative } from "node:path";
import { type ExportDeclaration, type ImportDeclaration, Project, type SourceFile } from "ts-morph";

/** Everything may be imported, or types alone, which leave nothing behind at run time. */
type Allowed = Readonly<Record<string, "values" | "types">>;

const everywhere: Allowed = {
  "compiler/counted": "values",
  "compiler/errors": "values",
  "compiler/trace": "values",
};

const layers: Readonly<Record<string, Allowed>> = {
  "compiler/counted": {},
  "compiler/errors": {},
  "compiler/trace": {},
  "compiler/target": {},
  // The languages. An op's interface mentions values; nothing here knows an op.
  "compiler/graph": { "compiler/kernel": "types" },
  "compiler/kernel": { "compiler/graph": "values", "compiler/target": "values" },
  // What grows and rewrites graphs does so in public op functions.
  "compiler/model": { "compiler/graph": "values", ops: "values" },
  "compiler/autodiff": { "compiler/graph": "values", ops: "values" },
  "compiler/simplify": { "compiler/graph": "values", ops: "values" },
  // From graphs to kernels. `classify` asks schedules what they take; a program op's readers are those of fusion.
  "compiler/fuse": {
    "compiler/graph": "values",
    "compiler/kernel": "values",
    "compiler/schedule": "values",
    "compiler/target": "types",
  },
  "compiler/passes": {
    "compiler/graph": "values",
    "compiler/simplify": "values",
    "compiler/fuse": "values",
    "compiler/memory": "values",
  },
  "compiler/explain": {
    "compiler/graph": "values",
    "compiler/fuse": "values",
    "compiler/schedule": "values",
    "compiler/compile": "types",
  },
  "compiler/schedule": {
    "compiler/graph": "values",
    "compiler/kernel": "values",
    "compiler/fuse": "values",
    "compiler/memory": "types",
    "compiler/target": "types",
  },
  "compiler/memory": {
    "compiler/graph": "values",
    "compiler/kernel": "values",
    "compiler/fuse": "values",
    "compiler/schedule": "values",
    "compiler/program": "values",
    "compiler/target": "types",
  },
  "compiler/program": {
    "compiler/graph": "values",
    "compiler/kernel": "values",
    "compiler/fuse": "values",
    "compiler/memory": "values",
    "compiler/target": "types",
  },
  // The meaning of a graph, by the references of its ops.
  "compiler/reference": { "compiler/graph": "values", "compiler/kernel": "types" },
  // Programs as files. What a bundle is made of comes from everywhere; who writes it to a disk is the runtime's affair.
  "compiler/bundle": {
    "compiler/compile": "values",
    "compiler/emit": "values",
    "compiler/fuse": "types",
    "compiler/graph": "values",
    "compiler/kernel": "values",
    "compiler/program": "values",
    "compiler/reference": "values",
    "compiler/target": "types",
  },
  // Plans as files. What a lock holds comes from everywhere, as what a bundle holds does.
  "compiler/lock": {
    "compiler/bundle": "values",
    "compiler/compile": "types",
    "compiler/emit": "values",
    "compiler/fuse": "values",
    "compiler/graph": "values",
    "compiler/passes": "values",
    "compiler/program": "types",
    "compiler/schedule": "types",
    "compiler/target": "types",
  },
  "compiler/emit": { "compiler/kernel": "values", "compiler/graph": "values" },
  "compiler/compile": {
    "compiler/graph": "values",
    "compiler/kernel": "types",
    "compiler/passes": "values",
    "compiler/fuse": "values",
    "compiler/memory": "values",
    "compiler/schedule": "values",
    "compiler/program": "values",
    "compiler/target": "types",
  },
  // Ops are written in graphs and values. An optimizer step differentiates; attention and custom kernels bring kernels of their own.
  ops: {
    "compiler/graph": "values",
    "compiler/kernel": "values",
    "compiler/model": "values",
    "compiler/schedule": "values",
    "compiler/autodiff": "values",
  },
  runtime: {
    "compiler/bundle": "values",
    "compiler/compile": "values",
    "compiler/emit": "values",
    "compiler/explain": "values",
    "compiler/fuse": "values",
    // The lab asks which pass changed a meaning.
    "compiler/passes": "values",
    "compiler/graph": "values",
    "compiler/kernel": "values",
    "compiler/lock": "values",
    // A report draws the memory plan.
    "compiler/memory": "values",
    "compiler/model": "values",
    "compiler/program": "values",
    // Ops are held to their references and to finite differences; random graphs come with their gradients.
    "compiler/autodiff": "values",
    "compiler/reference": "values",
    // An ablation leaves out the rules that fire.
    "compiler/simplify": "values",
    // Tuning tries schedules.
    "compiler/schedule": "values",
    "compiler/target": "values",
    ops: "values",
  },
};

const project = new Project({ skipAddingFilesFromTsConfig: true });
for (const folder of ["compiler", "ops", "runtime"]) project.addSourceFilesAtPaths(`${folder}/**/*.ts`);

const pathOf = (file: SourceFile): string => relative(Deno.cwd(), file.getFilePath());

/** `compiler/fuse/legal.ts` is in `compiler/fuse`, `compiler/compile.ts` in `compiler/compile`. */
function layerOf(path: string): string {
  const [top, second] = path.split("/");
  return top === "compiler" ? `compiler/${second!.replace(/\.ts$/, "")}` : top!;
}

interface Import {
  readonly from: string;
  readonly to: string;
  readonly kind: "values" | "types";
}

function importsOf(file: SourceFile): Import[] {
  const declarations: (ImportDeclaration | ExportDeclaration)[] = [
    ...file.getImportDeclarations(),
    ...file.getExportDeclarations(),
  ];
  return declarations.flatMap((d) => {
    const imported = d.getModuleSpecifierSourceFile();
    // Data is no layer.
    if (!imported || imported.getBaseName().endsWith(".json")) return [];
    return [{ from: pathOf(file), to: pathOf(imported), kind: d.isTypeOnly() ? "types" : "values" }];
  });
}

const imports = project.getSourceFiles().flatMap(importsOf);

Deno.test("every file is in a layer", () => {
  const strangers = project.getSourceFiles().map(pathOf).filter((path) =>
    !Object.hasOwn(layers, layerOf(path))
  );
  assert.deepEqual(strangers, []);
  assert(imports.length > 1000, `only ${imports.length} imports were found`);
});

for (const [layer, own] of Object.entries(layers)) {
  const allowed: Allowed = { ...everywhere, ...own };
  const across = imports.filter(({ from, to }) => layerOf(from) === layer && layerOf(to) !== layer);

  Deno.test(`${layer} imports what its layer may`, () => {
    const wrong = across.filter(({ to, kind }) => {
      const may = allowed[layerOf(to)];
      return may === undefined || (may === "types" && kind === "values");
    });
    assert.deepEqual(wrong, []);
  });

  Deno.test(`${layer} is allowed nothing that it does not use`, () => {
    const idle = Object.entries(own).filter(([other, may]) =>
      !across.some(({ to, kind }) => layerOf(to) === other && (may === "types" || kind === "values"))
    );
    assert.deepEqual(idle, []);
  });
}

Deno.test("nothing that compiles asks the engine for functions of real numbers", () => {
  // JavaScript kernels are for a device, the engine's own.
  const asks =
    /\bMath\.(exp|log|sin|cos|tan|pow|asin|acos|atan|sinh|cosh|tanh|cbrt|hypot|expm1|log1p|log2|log10|asinh|acosh|atanh|atan2)\b/;
  const wrong = project.getSourceFiles().filter((file) => !pathOf(file).startsWith("runtime/")).filter(
    (file) => {
      const code = file.getFullText().replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, "");
      return asks.test(code);
    },
  );
  assert.deepEqual(wrong.map(pathOf), []);
});

Deno.test("no file but an op's, whose gradient is another op, imports values of itself through others", () => {
  const between = imports.filter(({ to, kind }) => kind === "values" && layerOf(to) !== "ops");
  const next = Map.groupBy(between, ({ from }) => from);
  const state = new Map<string, "open" | "done">();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (state.get(path) === "done") return;
    if (state.get(path) === "open") {
      cycles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
      return;
    }
    state.set(path, "open");
    for (const { to } of next.get(path) ?? []) visit(to, [...trail, path]);
    state.set(path, "done");
  };
  for (const file of project.getSourceFiles()) visit(pathOf(file), []);
  assert.deepEqual(cycles, []);
});
