// deno-lint-ignore-file explicit-module-boundary-types -- plain JavaScript, for Node
/**
 * A host for bundles that shares no code with Weft: it reads `manifest.json` by the published schema and runs what it
 * says on Node's Dawn. How a host in any other language would go about it.
 *
 *     npm install webgpu
 *     node examples/bundle_host/host.mjs FOLDER [MANIFEST_SCHEMA]     prints what selftest.json's run gave, as JSON
 *
 * It fails where one is further from what selftest.json has than the manifest's tolerance.
 *
 * A bundle is untrusted: all is checked before the device is touched. The schema should be the host's own copy.
 */

import { createHash } from "node:crypto";
import { existsSync, lstatSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { HostError, need, parse, validate } from "./json_schema.mjs";
import { half, runOnce, whole } from "./run.mjs";

const bytesOn = { f32: 4, f16: 2, i32: 4, u32: 4, bool: 4 };
const bytesIn = { F32: 4, F16: 2, I32: 4, U32: 4, BOOL: 1 };

/** Throws a HostError where a manifest is not as the schema says, or where its numbers don't go together. */
export function checkManifest(manifest, schema) {
  validate(schema, schema, manifest);
  const { kernels, tensors, weights, state, variants, outputs, selfTest } = manifest;
  const stated = outputs.every(({ tolerance }) => (tolerance === undefined) === !selfTest);
  need(stated, "outputs have a tolerance where there is a self-test, and only there");
  const ends = weights.map(({ header }) => header.bytes);
  for (const { name, file, offset, bytes, elements, fileType, sha256 } of tensors) {
    need(offset === ends[file] && bytes === elements * bytesIn[fileType], `${name} lies elsewhere`);
    need(sha256.length === Math.ceil(bytes / 2 ** 22), `${name} has too few hashes`);
    ends[file] += bytes;
  }
  weights.forEach(({ file, bytes }, i) => need(ends[i] === bytes, `${file} has other tensors`));
  for (const { programs, features, info, probes = [] } of variants) {
    const asks = features.includes("subgroups");
    need(asks === !!info && asks === probes.length > 0, "a variant does not say what it asks of subgroups");
    for (const { bindings = [], uniforms, groups } of probes.map((probe) => kernels[probe] ?? {})) {
      const alone = bindings.length === 1 && bindings[0].access === "read_write" && uniforms === 0;
      need(alone && bindings[0].bytes % 4 === 0 && groups <= 65535, "a probe is no kernel of one buffer");
    }
    need(programs.length === manifest.sizes.length, "a variant lacks programs");
    for (const { arenas, steps, inputs, outputs, state: places, constants } of programs) {
      const within = ([arena, offset, bytes], least = bytes) =>
        need(
          (bytes === 0 && least === 0) ||
            (offset % 256 === 0 && bytes >= least && offset + whole(bytes) <= arenas[arena]?.bytes),
          `a range [${arena}, ${offset}, ${bytes}] lies outside, or is too short for ${least}`,
        );
      [...inputs, ...outputs, ...places].forEach((range) => within(range));
      const counts = [inputs, outputs, places].map(({ length }) => length).join();
      const wanted = [manifest.inputs, manifest.outputs, state].map(({ length }) => length).join();
      need(counts === wanted, `a program has ${counts} ranges for ${wanted} tensors`);
      const stored = (index, at) => {
        const { dtype, elements } = tensors[index] ?? need(false, `there is no tensor ${index}`);
        within(at, elements * bytesOn[dtype]);
        need(at[2] === elements * bytesOn[dtype], `tensor ${index} has another length`);
      };
      state.forEach(({ dtype, shape, tensor }, i) => {
        need(places[i][2] === shape.reduce((n, d) => n * d, bytesOn[dtype]), "a state has another length");
        if (tensor !== undefined) stored(tensor, places[i]);
      });
      constants.forEach(({ tensor, at }) => stored(tensor, at));
      for (const step of steps) {
        if (step.from) [step.from, step.to].forEach((range) => within(range, step.from[2]));
        else {
          const kernel = kernels[step.kernel];
          const grid = step.grid[0] * step.grid[1];
          const groups = step.grid[1] > 1 ? step.uniforms[0] : grid;
          need(kernel && groups <= kernel.groups && groups <= grid, `${step.label} has too many workgroups`);
          need(step.grid[0] % (step.open?.[0] ?? 1) === 0, `${step.label} has no whole blocks`);
          const parts = step.bindings.length === kernel.bindings.length &&
            step.uniforms.length * 4 === kernel.uniforms;
          need(parts, `${step.label} binds other buffers`);
          step.bindings.forEach((range, i) => within(range, kernel.bindings[i].bytes));
        }
      }
    }
  }
}

const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");

export function readBundle(folder, schema) {
  const read = (name) => {
    need(lstatSync(join(folder, name), { throwIfNoEntry: false })?.isFile(), `there is no file ${name}`);
    return readFileSync(join(folder, name));
  };
  const manifest = parse(read("manifest.json"), "the manifest");
  checkManifest(manifest, schema);
  const codes = manifest.kernels.map(({ file, sha256: hash }) => {
    const code = read(file).toString().replace(/^(\/\/[^\n]*\n)*/, "");
    need(sha256(code) === hash, `${file} was changed`);
    return code;
  });
  const files = manifest.weights.map(({ file, bytes, header }) => {
    const data = read(file);
    need(
      data.length === bytes && sha256(data.subarray(0, header.bytes)) === header.sha256,
      `${file} was changed`,
    );
    return data;
  });
  const tensors = manifest.tensors.map(({ name, file, offset, bytes, dtype, fileType, sha256: hashes }) => {
    const data = files[file].subarray(offset, offset + bytes);
    hashes.forEach((hash, i) =>
      need(sha256(data.subarray(i * 2 ** 22, (i + 1) * 2 ** 22)) === hash, `${name} was changed`)
    );
    if (fileType === "BOOL") return new Uint8Array(Uint32Array.from(data, (x) => x ? 1 : 0).buffer);
    if (fileType === dtype.toUpperCase()) return data;
    return new Uint8Array(
      Float32Array.from({ length: bytes / 2 }, (_, i) => half(data.readUInt16LE(2 * i))).buffer,
    );
  });
  const test = manifest.selfTest && read(manifest.selfTest.file);
  need(!test || sha256(test) === manifest.selfTest.sha256, "the self-test was changed");
  return {
    manifest,
    codes,
    tensors,
    test: test && checkTest(manifest, schema, parse(test, "the self-test")),
  };
}

/** The self-test, where it compares what there is a tolerance for. */
export function checkTest(manifest, schema, test) {
  validate(schema, schema.$defs.selfTest, test, "self-test");
  need(test.program < manifest.sizes.length, "the self-test is for no size");
  manifest.inputs.forEach(({ name, dtype }, i) => {
    const elements = manifest.variants[0].programs[test.program].inputs[i][2] / bytesOn[dtype];
    need(test.inputs[name]?.length === elements, `the self-test feeds ${name} other elements`);
  });
  for (const { name, indices, values } of test.outputs) {
    const { tolerance } = manifest.outputs.find((output) => output.name === name) ?? {};
    need(tolerance && indices.length === values.length, `${name} can't be compared`);
  }
  return test;
}

/** The exit code: 2 where it was called wrongly, 1 where a bundle is refused or is further off than it may be. */
async function main([folder, schema, ...rest]) {
  const say = (message, code) => {
    console.error(`host.mjs: ${message}.`);
    return code;
  };
  if (!folder || rest.length > 0) {
    return say("name a bundle's folder: node host.mjs FOLDER [MANIFEST_SCHEMA]", 2);
  }
  schema ??= join(folder, "manifest.schema.json");
  const missing = [join(folder, "manifest.json"), schema].find((file) => !existsSync(file));
  if (missing) return say(`there is no ${missing}; FOLDER is what \`weft build\` has made`, 2);
  try {
    const bundle = readBundle(folder, parse(readFileSync(schema), schema));
    const { create } = await import("webgpu").catch(() =>
      need(false, "it needs a package: npm install webgpu")
    );
    console.log(JSON.stringify(await runOnce(create([]), bundle)));
    return 0;
  } catch (error) {
    if (error instanceof HostError) return say(error.message, 1);
    throw error;
  }
}

if (process.argv[1]?.endsWith("host.mjs")) process.exit(await main(process.argv.slice(2))); // Dawn keeps a thread alive
