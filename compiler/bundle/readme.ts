/**
 * `README.md` of a bundle: what it computes and how to use it, for whoever finds the folder.
 * @module
 */

import { counted } from "../counted.ts";
import type { BundleTensor, Manifest } from "./manifest.ts";

export function readmeText(manifest: Manifest, format: "module" | "json"): string {
  const { name, kind, generator, inputs, outputs, state, sizes, variants, kernels } = manifest;
  const table = (tensors: readonly BundleTensor[]) =>
    tensors.length === 0 ? ["none"] : [
      "| name | type | shape |",
      "| ---- | ---- | ----- |",
      ...tensors.map((t) => `| ${t.name} | ${t.dtype} | [${t.shape.join(", ")}] |`),
    ];
  const choices = sizes.map((size) =>
    Object.entries(size).map(([n, x]) => `${n} = ${x}`).join(", ") || "fixed"
  );
  const features = variants.map(({ features }) =>
    features.length > 0 ? features.join(" and ") : "no feature"
  );
  const lines = [
    `# ${name}`,
    "",
    `A compiled model (${kind}) as WGSL kernels, a manifest and weights, made by ${generator}. It needs WebGPU and ` +
    "nothing else.",
    "",
    "## Inputs",
    "",
    ...table(inputs),
    "",
    "## Outputs",
    "",
    ...table(outputs),
    "",
    ...tolerances(manifest),
    `Sizes: ${choices.join("; ")}${
      manifest.open ? `, ${manifest.open} also smaller` : ""
    }. For devices with ${features.join(", or ")}. ${counted(kernels.length, "kernel")}, ` +
    `${counted(state.length, "state")}.`,
    "",
  ];
  if (format === "module") lines.push(...usage(manifest));
  lines.push(
    "## Other hosts",
    "",
    "`manifest.json` follows `manifest.schema.json`. Allocate the arenas with zeros and write the tensors of the weight",
    "files to their ranges; per run write the inputs, do the steps in order, read the outputs.",
    ...manifest.selfTest
      ? [
        "`selftest.json` holds a run and some elements of what it must give, within the manifest's tolerance.",
      ]
      : [],
    "",
  );
  return lines.join("\n");
}

const arrays = {
  f32: "Float32Array",
  f16: "Float32Array",
  i32: "Int32Array",
  u32: "Uint32Array",
  bool: "Uint8Array",
};

/** How far the outputs may be off in the run of the self-test. */
function tolerances({ outputs }: Manifest): string[] {
  const stated = outputs.flatMap(({ name, tolerance }) => tolerance ? [{ name, ...tolerance }] : []);
  if (stated.length === 0) return [];
  return [
    "In the self-test's run an element x may be off its right value y by absolute + relative · |y|, which follows from the",
    "rounding of every operation and not from any one device:",
    "",
    "| name | absolute | relative |",
    "| ---- | -------- | -------- |",
    ...stated.map(({ name, absolute, relative }) => `| ${name} | ${absolute} | ${relative} |`),
    "",
  ];
}

function usage({ inputs, outputs, state, kind, selfTest }: Manifest): string[] {
  const given = inputs.map(({ name, dtype }) => `${JSON.stringify(name)}: new ${arrays[dtype]}(…)`).join(
    ", ",
  );
  const taken = outputs.map(({ name }) => name).filter((name) => /^[A-Za-z_]\w*$/.test(name));
  return [
    "## In a page, a Worker, Deno or Node",
    "",
    "```js",
    'import { load } from "./index.js";',
    "",
    "const bundle = await load({ onProgress: (loaded, total) => {}, onLost: (reason) => {} });",
    `const { ${taken.join(", ")} } = await bundle.run({ ${given} });`,
    ...kind === "training"
      ? [
        "const file = await bundle.state.save(); // a safetensors file, as a Blob",
        "await bundle.state.load(file);",
      ]
      : [],
    "bundle.dispose();",
    "```",
    "",
    'Arrays are row-major. Node has no WebGPU of its own: `import { create } from "webgpu"` and give',
    "`load({ gpu: create([]) })`. Deno needs `--allow-read` for a bundle on disk.",
    "",
    ...state.length > 0
      ? [
        "States stay on the device from run to run; `bundle.state` reads, writes, saves and loads them. To begin anew, load",
        "what `save` gave before the first run.",
        "",
      ]
      : [],
    ...selfTest
      ? [
        'To see whether a device computes what it should: `import { selfTest } from "./selftest.js"`; it resolves to the',
        "mistakes.",
        "",
      ]
      : [],
  ];
}
