/** The loader as it is written into bundles: its size, its types, and what it asks before it allocates. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import ts from "typescript";
import { check, lacking } from "../../compiler/bundle/loader/check.ts";
import { decodeHalves, encodeHalves } from "../../compiler/bundle/loader/halves.ts";
import type { Manifest } from "../../compiler/bundle/manifest.ts";
import { buildBundle } from "../../runtime/bundle/build.ts";
import { gptStep, halves, mlp, mlpStep } from "../support/bundle_models.ts";
import { fileText, testBundle } from "../support/bundles.ts";

const options = { name: "test", tune: "software", selfTest: false } as const;
const mostBytes = 10_000;

Deno.test("the loader has at most 10 kB and imports nothing from elsewhere", async () => {
  for (const model of [mlpStep, halves, gptStep]) {
    const sizes = model === halves ? {} : { batch: 2 };
    const { files } = await buildBundle(model as never, { ...options, sizes });
    const script = fileText({ files } as never, "index.js");
    assert(script.length <= mostBytes, `${script.length} bytes`);
    for (const file of ["index.js", "state.js", "halves.js", "subgroups.js", "selftest.js"]) {
      const text = fileText({ files } as never, file);
      const imported = [...text.matchAll(/(?:\}\s*from\s*|\bimport\s*\(?\s*)"([^"]+)"/g)].map(([, name]) =>
        name!
      );
      for (const name of imported) assert(files.has(name.replace("./", "")), `${file} imports ${name}`);
    }
  }
});

const compilerOptions: ts.CompilerOptions = {
  strict: true,
  exactOptionalPropertyTypes: true,
  noEmit: true,
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ["lib.es2022.d.ts", "lib.dom.d.ts", "lib.esnext.disposable.d.ts"],
  types: [],
  skipLibCheck: false,
};

/** TypeScript, to which the standard's declarations, which are most of the work, stay known. */
const host = ts.createCompilerHost(compilerOptions);
const readAnew = host.getSourceFile;
const standard = new Map<string, ts.SourceFile | undefined>();
host.getSourceFile = (name, ...how) => {
  if (!/\/lib\.[^/]*\.d\.ts$/.test(name)) return readAnew(name, ...how);
  if (!standard.has(name)) standard.set(name, readAnew(name, ...how));
  return standard.get(name);
};

/** What `tsc --strict` says of a file that uses a bundle, with the types of WebGPU. */
function complaints(folder: string, source: string): string[] {
  const types = dirname(createRequire(import.meta.url).resolve("@webgpu/types/package.json"));
  if (!existsSync(join(folder, "node_modules"))) {
    Deno.mkdirSync(join(folder, "node_modules/@webgpu"), { recursive: true });
    Deno.symlinkSync(types, join(folder, "node_modules/@webgpu/types"));
  }
  const name = join(folder, "use.ts");
  Deno.writeTextFileSync(name, source);
  const program = ts.createProgram([name], compilerOptions, host);
  // The compiler's own DOM describes WebGPU too, a little differently: that is between those two.
  return program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(folder))
    .flatMap((file) => ts.getPreEmitDiagnostics(program, file))
    .map(({ messageText, file }) =>
      `${file?.fileName.split("/").at(-1)}: ${ts.flattenDiagnosticMessageText(messageText, " ")}`
    );
}

Deno.test("index.d.ts has the inputs, outputs and states of the model, as tsc reads it", async () => {
  using bundle = await testBundle(mlpStep, { ...options, sizes: { batch: 2 } });
  const right = `
    import { load, BundleError, type Bundle } from "./index.js";
    import { selfTest } from "./selftest.js";
    export async function use(): Promise<number> {
      using bundle: Bundle = await load({ onProgress: (done: number, of: number) => void (done / of), onLost: (why: string) => void why });
      const { loss } = await bundle.run({ x: new Float32Array(40), y: new Int32Array(2) });
      const none: {} = await bundle.run({ x: new Float32Array(40), y: new Int32Array(2) }, { outputs: [] });
      await bundle.state.write("linear/weight", await bundle.state.read("adam/m/linear/weight"));
      const blob: Blob = await bundle.state.save();
      await bundle.state.load(blob);
      const mistakes: string[] = await selfTest({ device: bundle.device });
      if (mistakes.length > 0) throw new BundleError(String(none));
      return loss[0]!;
    }`;
  assert.deepEqual(complaints(bundle.folder, right), []);
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["bundle.run({ x: new Float32Array(40) })", /Property 'y' is missing|"y"/],
    ["bundle.run({ x: new Float32Array(40), y: new Float32Array(2) })", /Float32Array.*Int32Array/],
    ["bundle.state.read('linear/wait')", /not assignable/],
    ["bundle.run({ x: new Float32Array(40), y: new Int32Array(2) }).then(({ answer }) => answer)", /answer/],
  ];
  for (const [text, message] of wrong) {
    const said = complaints(
      bundle.folder,
      `import { load } from "./index.js"; load().then((bundle) => ${text});`,
    );
    assert.equal(said.length, 1, said.join("\n"));
    assert.match(said[0]!, message);
  }
});

Deno.test("Deno reads a bundle's types: a wrong call is a type error, and a right one needs no package", async () => {
  using bundle = await testBundle(mlpStep, { ...options, sizes: { batch: 2 } });
  const sources = {
    "right.ts": `
      import { type Bundle, load } from "./index.js";
      import { selfTest } from "./selftest.js";
      using bundle: Bundle = await load({ onProgress: (done: number, of: number) => void (done / of) });
      const { loss } = await bundle.run({ x: new Float32Array(40), y: new Int32Array(2) });
      const mistakes: string[] = await selfTest({ device: bundle.device satisfies GPUDevice });
      console.log(loss[0], mistakes);`,
    "wrong.ts": `
      import { load } from "./index.js";
      import { selfTest } from "./selftest.js";
      using bundle = await load();
      await bundle.run({ x: new Float32Array(40), y: new Float32Array(2) });
      const mistakes: number = await selfTest();
      console.log(mistakes);`,
  };
  for (const [name, text] of Object.entries(sources)) Deno.writeTextFileSync(join(bundle.folder, name), text);
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["check", "--no-config", ...Object.keys(sources)],
    cwd: bundle.folder,
    env: { NO_COLOR: "1" },
  }).output();
  const said = new TextDecoder().decode(stderr);
  assert.equal(code, 1, said);
  assert.match(said, /Found 2 errors/);
  assert.match(said, /Float32Array<ArrayBuffer>' is not assignable to type 'Int32Array/);
  assert.match(said, /'string\[\]' is not assignable to type 'number'/);
  assert.doesNotMatch(said, /at file:.*right\.ts/);
});

Deno.test("halves are converted as Float16Array converts them", () => {
  const all = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const floats = decodeHalves(all);
  // Not as bytes: a NaN is a NaN, whatever else it says.
  const same = (a: Float32Array, b: Float32Array) =>
    a.length === b.length && a.every((x, i) => Object.is(x, b[i]));
  assert(same(floats, Float32Array.from(new Float16Array(all.buffer))));
  const between = Float32Array.from({ length: 3 * 65536 }, (_, i) => {
    const [a, b] = [floats[Math.floor(i / 3)]!, floats[(Math.floor(i / 3) + 1) & 0xffff]!];
    const middle = Math.fround((a + b) / 2);
    return [middle, Math.fround(middle * (1 + 2 ** -20)), Math.fround(middle * (1 - 2 ** -20))][i % 3]!;
  });
  for (
    const values of [
      floats,
      between,
      Float32Array.of(65519, 65520, 65521, 1e9, -1e9, 2 ** -25, 2 ** -24, 3 * 2 ** -26, -0, NaN),
    ]
  ) {
    const own = decodeHalves(encodeHalves(values).subarray(0, values.length));
    assert(same(own, Float32Array.from(new Float16Array(values))));
  }
});

Deno.test("a manifest whose steps reach beyond their ranges is refused before anything is allocated", async () => {
  const { manifest } = await buildBundle(mlp, { ...options, format: "json", sizes: { batch: 2 } });
  const program = () => (structuredClone(manifest) as Manifest).variants[0]!.programs[0]!;
  check(manifest, program());
  // deno-lint-ignore no-explicit-any -- breaks what is read-only
  const wrong: ((broken: any) => void)[] = [
    (p) => p.steps[0].bindings[0][1] += 256 * 1000,
    (p) => p.steps[0].bindings[0][1] += 4,
    (p) => p.steps[0].bindings[0][0] = 99,
    (p) => p.steps[0].bindings[0][2] = 16,
    (p) => p.steps[0].bindings.pop(),
    (p) => p.steps[0].kernel = 99,
    (p) => p.steps[0].grid = [70_000, 1],
    (p) => p.steps[0].grid[0] += 1000,
    (p) => p.steps[0].uniforms.push(0),
    (p) => p.inputs[0][1] = 2 ** 40,
    (p) => p.state[0][2] -= 4,
    (p) => p.outputs[0][1] = -256,
    (p) => p.arenas[p.state[0][0]].bytes = 256,
  ];
  wrong.forEach((change, i) => {
    const broken = program();
    change(broken);
    assert.throws(
      () => check(manifest, broken),
      { name: "BundleError", message: /bounds don't cover/ },
      `change ${i}`,
    );
  });
});

Deno.test("what a device lacks is named", () => {
  const variant = { features: ["shader-f16"], limits: { maxBufferSize: 100, maxOther: 3 }, programs: [] };
  const has = { features: new Set<string>(), limits: { maxBufferSize: 99 } };
  assert.equal(
    lacking(variant, has as never),
    "shader-f16, maxBufferSize of 100 (it has 99), maxOther of 3 (it has undefined)",
  );
  assert.equal(
    lacking(
      { ...variant, limits: { maxBufferSize: 99 } },
      { ...has, features: new Set(["shader-f16"]) } as never,
    ),
    "",
  );
  const asking = { features: ["subgroups"], limits: {}, info: { subgroupMinSize: 8 }, programs: [] };
  const wanting = (device: object) => lacking(asking, { ...has, ...device } as never);
  for (const size of [8, 32]) {
    assert.equal(wanting({ info: { subgroupMinSize: size } }), ""); // an adapter
    assert.equal(wanting({ adapterInfo: { subgroupMinSize: size } }), ""); // a device
  }
  assert.equal(wanting({ info: { subgroupMinSize: 4 } }), "subgroupMinSize of 8 (it has 4)");
  for (const silent of [{}, { info: {} }]) {
    assert.equal(wanting(silent), "subgroupMinSize of 8 (it has undefined)");
  }
});
