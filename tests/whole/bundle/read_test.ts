/** Reading bundles that anybody may have made. */

import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { checkManifest } from "../../../examples/bundle_host/host.mjs";
import schema from "../../../compiler/bundle/manifest.schema.json" with { type: "json" };
import { checkSubgroups } from "../../../runtime/bundle/check_kernel.ts";
import { parseManifest } from "../../../runtime/bundle/check_manifest.ts";
import { parseSelfTest } from "../../../runtime/bundle/check_self_test.ts";
import { inspectionText } from "../../../runtime/bundle/inspect.ts";
import { folderSource, readBundle } from "../../../runtime/bundle/read.ts";
import { mlp, mlpStep } from "../../support/bundle_models.ts";
import { fileText, testBundle } from "../../support/bundles.ts";
import {
  applyChange,
  assertManifestIsSafe,
  assertWeightsAreSafe,
  change,
  weightChange,
} from "../../support/mutate_bundle.ts";

const options = { selfTest: false, format: "json" } as const;

Deno.test("a bundle as it was built is accepted, and its table has every step", async () => {
  using bundle = await testBundle(mlpStep, { ...options, sizes: [{ batch: 2 }, { batch: 4 }] });
  const checked = await readBundle(folderSource(bundle.folder));
  const text = inspectionText(checked);
  for (const { steps } of checked.manifest.variants[0]!.programs) {
    for (const step of steps) if ("label" in step) assert(text.includes(step.label), step.label);
  }
  assert.match(
    text,
    /batch = 2: \d+ steps, [\d,]+ bytes of memory, of which temporaries [\d,]+ \(at least [\d,]+\)/,
  );
  assert.match(text, /Schema, hashes and bounds hold\.$/);
});

Deno.test("the table says what the self-test compares: of a model that changes no state, outputs alone", async () => {
  const settings = { sizes: { batch: 2 }, format: "json" } as const;
  using reading = await testBundle(mlp, settings);
  const checked = await readBundle(folderSource(reading.folder));
  const text = inspectionText(checked);
  const states = checked.manifest.state.length;
  assert(states > 1 && text.includes(`, ${states} states, `));
  assert.match(text, /^The self-test compares \d+ elements of \d+ outputs? and no state, after one run\.$/m);
  using training = await testBundle(mlpStep, settings);
  assert.match(
    inspectionText(await readBundle(folderSource(training.folder))),
    /^The self-test compares 1 element of 1 output and \d+ elements of \d+ states, after one run\.$/m,
  );
});

Deno.test("the table of an open bundle has the workgroups of one row and of all", async () => {
  using bundle = await testBundle(mlp, { ...options, sizes: { batch: 64 }, open: "batch", tune: "gpu" });
  assert.match(inspectionText(await readBundle(folderSource(bundle.folder))), / {2}1–\d+ of \d+×1×1 {2}/);
  const manifest = JSON.parse(fileText(bundle.built, "manifest.json"));
  const step = manifest.variants[0].programs[0].steps.find((step: object) => "open" in step);
  for (const block of [0, step.grid[0] + 1, 0.5]) {
    step.open = [block, 1, 1];
    assert.equal(assertManifestIsSafe(JSON.stringify(manifest)), true, String(block));
  }
  step.open = [step.grid[0], 1, 1];
  assert.equal(assertManifestIsSafe(JSON.stringify(manifest)), false);
  delete manifest.open;
  assert.equal(assertManifestIsSafe(JSON.stringify(manifest)), true);
});

Deno.test("what was changed on disk is named", async () => {
  using bundle = await testBundle(mlp, { ...options, selfTest: true, sizes: { batch: 2 } });
  const { manifest } = bundle.built;
  const read = () => readBundle(folderSource(bundle.folder));
  const changed = async (
    file: string,
    change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array,
    message: RegExp,
  ) => {
    const path = join(bundle.folder, file);
    const before = await Deno.readFile(path);
    await Deno.writeFile(path, change(before.slice()));
    await assert.rejects(read(), { name: "RunError", message }, file);
    await Deno.writeFile(path, before);
  };
  const flip =
    (at: number) => (bytes: Uint8Array<ArrayBuffer>) => (bytes[at < 0 ? bytes.length + at : at]! ^= 1, bytes);
  const text = (from: string | RegExp, to: string) => (bytes: Uint8Array<ArrayBuffer>) =>
    new TextEncoder().encode(new TextDecoder().decode(bytes).replace(from, to));
  const kernel = manifest.kernels[0]!.file;
  await changed(kernel, flip(-3), /is not the file that the bundle was made with/);
  await changed(kernel, (bytes) => bytes.fill(0xff, 40, 50), /is not a text in UTF-8/);
  await changed(
    "weights.safetensors",
    flip(-1),
    /bytes 0 … \d+ of ".*" are not what the bundle was made with/,
  );
  await changed(
    "weights.safetensors",
    (bytes) => bytes.subarray(0, -4),
    /has \d+ bytes, and the manifest says \d+/,
  );
  await changed("selftest.json", flip(5), /selftest\.json is not the file/);
  await changed("manifest.json", (bytes) => bytes.subarray(0, 100), /it is not JSON/);
  await changed("manifest.json", text('"version":2', '"version":1'), /\/version must be equal to constant/);
  await changed(
    "manifest.json",
    text(/"file":"kernels\/[^"]*"/, '"file":"../../x"'),
    /\/kernels\/0\/file must match pattern/,
  );
  await changed("manifest.json", text('"bindings":[[', '"bindings":[[9'), /lies in arena 9\d of \d/);
  await Deno.remove(join(bundle.folder, kernel));
  await assert.rejects(read(), { message: /can't be read: there is no such file/ });
  await Deno.symlink("/etc/hostname", join(bundle.folder, kernel));
  await assert.rejects(read(), { message: /it is no plain file/ });
});

Deno.test("a tolerance is a number that allows something and not everything, where there is a self-test and only there", async () => {
  using bundle = await testBundle(mlpStep, { ...options, selfTest: true, sizes: { batch: 2 } });
  const text = fileText(bundle.built, "manifest.json");
  const { absolute, relative } = bundle.built.manifest.outputs[0]!.tolerance!;
  assert(absolute + relative > 0 && absolute < 1e-3 && relative < 1e-3, `${absolute} + ${relative}`);
  const states = bundle.built.manifest.state.filter(({ tolerance }) => tolerance);
  assert(states.some(({ name }) => name === "linear/weight") && states.length > 4);
  const stated = text.match(/"tolerance":\{[^}]*\}/)![0];
  const refused = (to: string, message: RegExp, from = stated) => {
    const changed = text.replace(from, to);
    assert.notEqual(changed, text);
    assert.throws(() => parseManifest(changed, "manifest.json"), { name: "RunError", message });
    assert.throws(
      () => checkManifest(JSON.parse(changed), schema),
      { name: "Error" },
      `the other reader: ${to}`,
    );
  };
  const tolerance = (absolute: string, relative: string) =>
    `"tolerance":{"absolute":${absolute},"relative":${relative}}`;
  for (const wrong of ["-1e-6", "1e999", '"1e-6"', "null"]) {
    refused(tolerance(wrong, "0"), /outputs\/0\/tolerance/);
    refused(tolerance("0", wrong), /outputs\/0\/tolerance/);
  }
  refused(tolerance("0", "1.5"), /outputs\/0\/tolerance/);
  refused('"tolerance":{"absolute":0}', /outputs\/0\/tolerance/);
  refused('"tolerance":1e-6', /outputs\/0\/tolerance/);
  refused("", /the output "loss" has no tolerance, and there is a self-test/, `,${stated}`);
  refused("", /"loss" has a tolerance, and there is no self-test/, text.match(/,"selfTest":\{[^}]*\}/)![0]);
});

Deno.test("a self-test that compares what is not there is refused, also where the manifest's hash agrees", async () => {
  using bundle = await testBundle(mlpStep, { ...options, selfTest: true, sizes: { batch: 2 } });
  const { manifest } = bundle.built;
  const text = fileText(bundle.built, "selftest.json");
  assert.equal(parseSelfTest(text, manifest, "selftest.json").outputs[0]!.name, "loss");
  // deno-lint-ignore no-explicit-any -- breaks what is read-only
  const wrong: readonly (readonly [(test: any) => void, RegExp])[] = [
    [(t) => t.program = 1, /choice 1 of 1 sizes/],
    [(t) => t.inputs.x.pop(), /39 elements for the input "x" of 40/],
    [(t) => delete t.inputs.y, /no elements for the input "y" of 2/],
    [(t) => t.inputs.z = [1], /"z", which is no input/],
    [(t) => t.inputs.x[3] = "1", /inputs\/x\/3 must be number/],
    [(t) => t.outputs[0].name = "none", /the output "none" is not there/],
    [(t) => t.outputs[0].indices[0] = 1, /the output "loss" has 1 elements, and element 1 is compared/],
    [(t) => t.outputs[0].indices[0] = -1, /indices\/0 must be >= 0/],
    [(t) => t.outputs[0].values.push(1), /2 values for 1 indices/],
    [(t) => t.outputs[0].values[0] = "nan", /values\/0 must/],
    [(t) => t.outputs[0].tolerances = [1], /must NOT have additional properties/],
    [(t) => t.state[0].indices[0] = 2 ** 40, /is compared/],
  ];
  for (const [change, message] of wrong) {
    const test = JSON.parse(text);
    change(test);
    const changed = JSON.stringify(test);
    assert.throws(() => parseSelfTest(changed, manifest, "selftest.json"), { name: "RunError", message });
  }
  const unstated = { ...manifest, outputs: manifest.outputs.map((t) => ({ ...t, tolerance: null })) };
  assert.throws(() => parseSelfTest(text, unstated, "selftest.json"), {
    message: /compares the output "loss", and the manifest states no tolerance/,
  });
});

Deno.test("a kernel whose text asks for more than the manifest says is refused", async () => {
  const { checkKernelText } = await import("../../../runtime/bundle/check_kernel.ts");
  using bundle = await testBundle(mlp, { ...options, sizes: { batch: 2 } });
  const { built } = bundle;
  const kernel = built.manifest.kernels[0]!;
  const text = fileText(built, kernel.file);
  checkKernelText(text, kernel);
  const refused = (changed: string, message: RegExp) => {
    assert.notEqual(changed, text);
    assert.throws(() => checkKernelText(changed, kernel), { name: "RunError", message });
  };
  refused(text.replace(/(array<(?:vec4<)?f32>?, )\d+/, "$199999"), /declares \d+ bytes at binding 0/);
  refused(
    text.replace("var<storage, read> b0", "var<storage, read_write> b0"),
    /declares binding 0 read_write/,
  );
  refused(text.replace(/@workgroup_size\(\d+/, "@workgroup_size(255"), /its workgroups are 255/);
  refused(`${text}\n@group(1) @binding(7) var<uniform> more: vec4<f32>;`, /declares \d+ bindings/);
});

Deno.test("a variant says what its kernels ask of subgroups, and its probes are kernels that need nothing", async () => {
  using bundle = await testBundle(mlpStep, { ...options, sizes: { batch: 64 }, features: ["subgroups"] });
  const { manifest } = await readBundle(folderSource(bundle.folder));
  // deno-lint-ignore no-explicit-any -- breaks what is read-only
  const wrong: readonly (readonly [(manifest: any) => void, RegExp])[] = [
    [(m) => delete m.variants[0].info, /variants\/0: .* are stated together/],
    [(m) => delete m.variants[0].probes, /stated together/],
    [(m) => m.variants[1].features = ["subgroups"], /variants\/1: .* are stated together/],
    [(m) => m.variants[0].info.subgroupMinSize = 0, /subgroupMinSize must be >= 1/],
    [(m) => m.variants[0].probes = [999], /probe 999 is none of \d+ kernels/],
    [(m) => m.variants[0].probes = [0], /probe 0 has other buffers/],
  ];
  for (const [change, message] of wrong) {
    const changed = structuredClone(manifest);
    change(changed);
    const text = JSON.stringify(changed);
    assert.throws(() => parseManifest(text, "manifest.json"), { name: "RunError", message });
  }
  const asking = manifest.kernels.findIndex(({ file }, i) =>
    !manifest.variants[0]!.probes!.includes(i) && fileText(bundle.built, file).includes("enable subgroups;")
  );
  const text = fileText(bundle.built, manifest.kernels[asking]!.file);
  checkSubgroups(text, asking, manifest);
  const [first, plain] = manifest.variants;
  const unasked = { ...manifest, variants: [{ ...first!, probes: [] }] };
  assert.throws(() => checkSubgroups(text, asking, unasked), {
    message: /no probe with workgroups of 8 × 1 × 1/,
  });
  // Without the line that says so, as some compilers take it.
  const hidden = text.replace("enable subgroups;", "");
  const step = { kernel: asking, grid: [1, 1], bindings: [], uniforms: [], label: "" } as const;
  const sneaking = { ...plain!, programs: [{ ...plain!.programs[0]!, steps: [step] }] };
  assert.throws(() => checkSubgroups(hidden, asking, { ...manifest, variants: [sneaking] }), {
    message: /no probe with workgroups/,
  });
  checkSubgroups(text.replace(/.*[sS]ubgroup.*/g, "// subgroups"), asking, {
    ...manifest,
    variants: [sneaking],
  });
});

Deno.test("a manifest that somebody changed is refused by a sentence, or every step stays within its ranges", async () => {
  const sizes = [{ batch: 2 }, { batch: 3 }];
  using bundle = await testBundle(mlp, { ...options, selfTest: true, sizes, open: "batch" });
  const text = fileText(bundle.built, "manifest.json");
  assert.equal(assertManifestIsSafe(text), false);
  let refused = 0;
  let runs = 0;
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      const manifest = JSON.parse(text);
      for (const one of changes) applyChange(manifest, one);
      runs++;
      if (assertManifestIsSafe(JSON.stringify(manifest))) refused++;
    }),
    { numRuns: 1500, seed: 4 },
  );
  assert(refused > runs / 2 && refused < runs, `${refused} of ${runs} were refused`);
});

Deno.test("a self-test that somebody changed is refused by a sentence, or compares what there is", async () => {
  using bundle = await testBundle(mlpStep, { ...options, selfTest: true, sizes: { batch: 2 } });
  const { manifest } = bundle.built;
  const text = fileText(bundle.built, "selftest.json");
  let [refused, runs] = [0, 0];
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 3 }), (changes) => {
      const changed = JSON.parse(text);
      for (const one of changes) applyChange(changed, one);
      runs++;
      try {
        const test = parseSelfTest(JSON.stringify(changed), manifest, "selftest.json");
        const [own, others] = [test.outputs[0]!, test.state];
        assert(own.indices.every((index) => index === 0) && own.values.length === own.indices.length);
        for (const { name, indices } of others) {
          const { shape } = manifest.state.find((state) => state.name === name)!;
          assert(indices.every((index) => index >= 0 && index < shape.reduce((n, d) => n * d, 1)));
        }
      } catch (error) {
        if (!(error instanceof Error && error.name === "RunError")) throw error;
        refused++;
      }
    }),
    { numRuns: 500, seed: 6 },
  );
  assert(refused > runs / 4 && refused < runs, `${refused} of ${runs} were refused`);
});

Deno.test("weights that somebody changed are refused by a sentence, also where the manifest's hashes agree", async () => {
  using bundle = await testBundle(mlp, { ...options, sizes: { batch: 2 } });
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(weightChange, async (one) => {
      if (await assertWeightsAreSafe(bundle.built.files, one)) refused++;
    }),
    { numRuns: 500, seed: 5 },
  );
  assert(refused > 200, `${refused} were refused`);
});
