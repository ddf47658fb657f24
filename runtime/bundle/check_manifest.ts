/**
 * A manifest that comes from anywhere: everything that must hold of it, so that whoever runs it needs to ask nothing more.
 *
 * The schema says what is there and of which type. What numbers mean together is checked here: that lists belong to
 * each other, that every range lies in its arena, that a dispatch stays within what its kernel was proven for and binds
 * nothing for writing that it binds elsewhere too, and that tensors cover their files without gaps.
 * @module
 */

import {
  type BundleProgram,
  type BundleTensor,
  type DispatchStep,
  isCopy,
  type Manifest,
  pieceBytes,
  type Range,
  type StoredTensor,
  type Variant,
} from "../../compiler/bundle/manifest.ts";
import { RunError } from "../../compiler/errors.ts";
import { bindDim, divideDims, namesOf } from "../../compiler/graph/dim.ts";
import { deviceBytes, type DType } from "../../compiler/graph/dtype.ts";
import { wholeWords } from "../engine.ts";
import { elementBytes } from "../safetensors/header.ts";
import { parseBySchema } from "./schema.ts";

type Fail = (message: string) => never;

/** More bytes than any manifest of a program that a device could run. */
export const mostManifestBytes = 256 * 2 ** 20;

/** Reads and checks a manifest. `where` is what messages call it. @throws RunError that says what does not hold. */
export function parseManifest(text: string, where: string): Manifest {
  const fail: Fail = (message) => {
    throw new RunError(`${where}: ${message}.`);
  };
  const manifest = parseBySchema("manifest", text, fail) as Manifest;
  checkLists(manifest, fail);
  checkTensors(manifest, fail);
  for (const [v, variant] of manifest.variants.entries()) {
    const { programs } = variant;
    checkProbes(manifest, variant, (message) => fail(`variants/${v}: ${message}`));
    for (const [p, program] of programs.entries()) {
      checkProgram(manifest, program, p, `variants/${v}/programs/${p}`, fail);
    }
    checkMemories(programs, fail);
  }
  return manifest;
}

function checkLists(manifest: Manifest, fail: Fail): void {
  const { inputs, outputs, state, sizes, variants, kernels, weights } = manifest;
  const lists = { inputs, outputs, state };
  for (const [what, list] of Object.entries(lists)) {
    const names = list.map(({ name }) => name);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) fail(`${what} has two of ${JSON.stringify(twice)}`);
  }
  const files = [...kernels, ...weights].map(({ file }) => file.toLowerCase());
  const twice = files.find((file, i) => files.indexOf(file) !== i);
  if (twice !== undefined) fail(`two parts are the file ${twice}`);
  checkOpen(manifest, fail);
  checkTolerances(manifest, fail);
  for (const { programs } of variants) {
    if (programs.length !== sizes.length) {
      fail(`a variant has ${programs.length} programs for ${sizes.length} sizes`);
    }
  }
}

/** Where there is a self-test every output has a tolerance, or null; where there is none, nobody has derived one. */
function checkTolerances({ inputs, outputs, state, selfTest }: Manifest, fail: Fail): void {
  const shown = (list: readonly { readonly name: string }[]) => JSON.stringify(list[0]!.name);
  const missing = outputs.filter(({ tolerance }) => tolerance === undefined);
  if (selfTest && missing.length > 0) {
    fail(`the output ${shown(missing)} has no tolerance, and there is a self-test`);
  }
  const stated = [...outputs, ...state].filter(({ tolerance }) => tolerance !== undefined);
  if (!selfTest && stated.length > 0) fail(`${shown(stated)} has a tolerance, and there is no self-test`);
  const given = inputs.filter(({ tolerance }) => tolerance !== undefined);
  if (given.length > 0) fail(`the input ${shown(given)} has a tolerance, which is for what is computed`);
}

/** A variant that asks subgroups says what it needs of them; a probe is a kernel that needs nothing but its buffer. */
function checkProbes({ kernels }: Manifest, { features, info, probes }: Variant, fail: Fail): void {
  const asks = features.includes("subgroups");
  if (asks !== (info !== undefined) || asks !== (probes !== undefined)) {
    fail("the feature subgroups, the least size of subgroups and probes of them are stated together");
  }
  for (const probe of probes ?? []) {
    const { bindings, uniforms, groups } = kernels[probe] ??
      fail(`probe ${probe} is none of ${kernels.length} kernels`);
    const [binding] = bindings;
    const isAlone = bindings.length === 1 && binding!.access === "read_write" && uniforms === 0;
    if (!isAlone || binding!.bytes % 4 !== 0 || groups > 65_535) {
      fail(`probe ${probe} has other buffers than one that it writes words to, or too many workgroups`);
    }
  }
}

/** What is marked open has the open size as its leading axis, and nothing else mentions it. */
function checkOpen(
  { inputs, outputs, sizes, open }: Pick<Manifest, "inputs" | "outputs" | "sizes" | "open">,
  fail: Fail,
): void {
  if (open !== undefined && !sizes.every((size) => Object.hasOwn(size, open) && size[open]! > 0)) {
    fail(`the open size ${JSON.stringify(open)} has no maximum`);
  }
  const namesIn = (dim: number | string): readonly string[] => {
    try {
      return namesOf(dim);
    } catch {
      return fail(`"${dim}" is no size`);
    }
  };
  for (const { name, shape, open: isOpen } of [...inputs, ...outputs]) {
    const places = shape.flatMap((dim, axis) =>
      open !== undefined && namesIn(dim).includes(open) ? [axis] : []
    );
    const factor = places.length === 1 && places[0] === 0 ? divideDims(shape[0]!, open!) : undefined;
    if (isOpen ? typeof factor !== "number" : places.length > 0) {
      fail(
        `${JSON.stringify(name)} ${isOpen ? "is" : "is not"} marked open, and its shape is [${
          shape.join(", ")
        }]`,
      );
    }
  }
  const input = inputs.find(({ shape, open: isOpen }) => isOpen && shape[0] !== open);
  if (input) fail(`the input ${JSON.stringify(input.name)} has a computed size`);
}

const fileTypes: { readonly [D in DType]: readonly StoredTensor["fileType"][] } = {
  f32: ["F32", "F16"],
  f16: ["F16"],
  i32: ["I32"],
  u32: ["U32"],
  bool: ["BOOL"],
};

function checkTensors({ tensors, weights, state }: Manifest, fail: Fail): void {
  let file = -1;
  let end = 0;
  const finish = () => {
    if (file >= 0 && end !== weights[file]!.bytes) {
      fail(`tensors end at ${end} of ${weights[file]!.bytes} bytes`);
    }
  };
  for (const tensor of tensors) {
    const what = `the tensor ${JSON.stringify(tensor.name)}`;
    while (tensor.file > file) {
      finish();
      if (++file >= weights.length) fail(`${what} is in file ${tensor.file} of ${weights.length}`);
      end = weights[file]!.header.bytes;
    }
    if (tensor.file !== file) fail(`${what} is not in the order of files`);
    if (tensor.offset !== end) {
      fail(`${what} begins at ${tensor.offset}, and the one before it ends at ${end}`);
    }
    if (!fileTypes[tensor.dtype].includes(tensor.fileType)) {
      fail(`${what} is ${tensor.dtype}, stored as ${tensor.fileType}`);
    }
    const bytes = tensor.elements * elementBytes(tensor.fileType)!;
    if (tensor.bytes !== bytes) {
      fail(`${what} has ${tensor.elements} elements, so ${bytes} bytes, and claims ${tensor.bytes}`);
    }
    const pieces = Math.ceil(bytes / pieceBytes);
    if (tensor.sha256.length !== pieces) {
      fail(`${what} has ${tensor.sha256.length} hashes for ${pieces} pieces`);
    }
    end += bytes;
    if (!Number.isSafeInteger(end)) fail(`${what} ends beyond all numbers`);
  }
  finish();
  if (file !== weights.length - 1) fail("a weight file has no tensor");
  for (const { name, dtype, shape, tensor } of state) {
    if (tensor === undefined) continue;
    const stored = tensors[tensor] ??
      fail(`the state ${JSON.stringify(name)} begins as tensor ${tensor} of ${tensors.length}`);
    if (stored.dtype !== dtype || stored.elements !== product(shape)) {
      fail(
        `the state ${JSON.stringify(name)} is ${dtype} of ${
          product(shape)
        } elements, and begins as ${stored.dtype} of ${stored.elements}`,
      );
    }
  }
}

const product = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);

function checkProgram(
  manifest: Manifest,
  program: BundleProgram,
  index: number,
  where: string,
  fail: Fail,
): void {
  const { inputs, outputs, state, tensors } = manifest;
  const { arenas, constants, steps } = program;
  const inside = (range: Range, what: string) => {
    const [arena, offset, bytes] = range;
    const size = arenas[arena]?.bytes ?? fail(`${where}: ${what} lies in arena ${arena} of ${arenas.length}`);
    if (offset % 256 === 0 && offset + wholeWords(bytes) <= size) return;
    fail(
      `${where}: ${what} lies at bytes ${offset} … ${
        offset + bytes
      } of an arena of ${size}; offsets are multiples of 256`,
    );
  };
  const holds = (range: Range | undefined, elements: number, dtype: DType, what: string) => {
    const bytes = elements * deviceBytes(dtype);
    const claimed = (range ?? fail(`${where}: ${what} has no range`))[2];
    if (claimed !== bytes) fail(`${where}: ${what} has ${bytes} bytes, and its range ${claimed}`);
    if (bytes > 0) inside(range!, what);
  };
  const openTensors = (ranges: readonly Range[], list: readonly BundleTensor[], what: string) => {
    if (ranges.length !== list.length) fail(`${where}: ${ranges.length} ${what} ranges for ${list.length}`);
    list.forEach(({ name, dtype, shape }, i) =>
      holds(
        ranges[i],
        product(bound(shape, manifest.sizes[index]!, fail)),
        dtype,
        `${what} ${JSON.stringify(name)}`,
      )
    );
  };
  openTensors(program.inputs, inputs, "input");
  openTensors(program.outputs, outputs, "output");
  if (program.state.length !== state.length) {
    fail(`${where}: ${program.state.length} state ranges for ${state.length}`);
  }
  state.forEach(({ name, dtype, shape }, i) => {
    holds(program.state[i], product(shape), dtype, `state ${JSON.stringify(name)}`);
    const [arena, , bytes] = program.state[i]!;
    if (bytes > 0 && arenas[arena]!.role !== "state") {
      fail(`${where}: the state ${JSON.stringify(name)} lies in no arena of states`);
    }
  });
  for (const { tensor, at } of constants) {
    const stored = tensors[tensor] ?? fail(`${where}: a constant is tensor ${tensor} of ${tensors.length}`);
    holds(at, stored.elements, stored.dtype, `the constant ${JSON.stringify(stored.name)}`);
  }
  for (const [s, step] of steps.entries()) {
    const what = `step ${s}`;
    if (!isCopy(step)) {
      checkDispatch(
        manifest,
        step,
        (range) => inside(range, what),
        (message) => fail(`${where}: ${what} ${message}`),
      );
      continue;
    }
    inside(step.from, what);
    inside(step.to, what);
    if (step.from[2] !== step.to[2]) fail(`${where}: ${what} copies ${step.from[2]} bytes to ${step.to[2]}`);
  }
}

function checkDispatch(
  { kernels, open: openSize }: Manifest,
  step: DispatchStep,
  inside: (range: Range) => void,
  fail: Fail,
): void {
  const { bindings, grid: [x, y], uniforms, open } = step;
  const kernel = kernels[step.kernel] ?? fail(`runs kernel ${step.kernel} of ${kernels.length}`);
  if (bindings.length !== kernel.bindings.length) {
    fail(`binds ${bindings.length} buffers of ${kernel.bindings.length}`);
  }
  if (uniforms.length * 4 !== kernel.uniforms) {
    fail(`has ${uniforms.length} words for ${kernel.uniforms} bytes`);
  }
  const isFolded = y > 1;
  // A folded grid has more groups than are wanted; the kernel leaves out those beyond its first word.
  const groups = isFolded ? uniforms[0] ?? Infinity : x * y;
  if (groups > kernel.groups || (isFolded && (kernel.groups <= 65_535 || groups > x * y))) {
    fail(`has ${groups} workgroups of ${kernel.groups}, in a grid of ${x} × ${y}`);
  }
  if (open !== undefined && (openSize === undefined || isFolded || x % open[0] !== 0)) {
    fail(
      `has blocks of ${open[0]} workgroups in a grid of ${x} × ${y}, and ${openSize ?? "no size"} is open`,
    );
  }
  bindings.forEach((range, i) => {
    inside(range);
    const { bytes } = kernel.bindings[i]!;
    if (range[2] < bytes || range[2] % 4 !== 0) fail(`binds ${range[2]} bytes where ${bytes} are needed`);
  });
  for (const [i, [arena, offset, bytes]] of bindings.entries()) {
    for (const [j, [other, from, size]] of bindings.entries()) {
      if (i >= j || arena !== other) continue;
      const writes = [i, j].filter((k) => kernel.bindings[k]!.access !== "read").length;
      if (writes === 1) fail(`binds arena ${arena} both for reading and for writing`);
      if (writes === 2 && offset < from + size && from < offset + bytes) {
        fail(`writes overlapping ranges of arena ${arena}`);
      }
    }
  }
}

/** Arenas with one number are one memory, of one size; which numbers there are, the first program says. */
function checkMemories(programs: readonly BundleProgram[], fail: Fail): void {
  const sizes = new Map<number, number>();
  for (const [p, { arenas }] of programs.entries()) {
    const seen = new Set<number>();
    for (const { role, bytes, memory } of arenas) {
      if ((role === "state") !== (memory !== undefined)) {
        fail("arenas of states have the number of their memory, and no others");
      }
      if (memory === undefined) continue;
      if (seen.has(memory)) fail(`two arenas of a program are memory ${memory}`);
      seen.add(memory);
      if (p === 0) sizes.set(memory, bytes);
      else if (sizes.get(memory) !== bytes) {
        fail(`memory ${memory} has ${sizes.get(memory)} bytes, and in another program ${bytes}`);
      }
    }
  }
  const [first, ...others] = programs;
  const place = ({ arenas, state }: BundleProgram) =>
    JSON.stringify(
      state.map(([arena, offset, bytes]) => bytes > 0 ? [arenas[arena]!.memory, offset, bytes] : []),
    );
  if (others.some((other) => place(other) !== place(first!))) {
    fail("the states of two programs lie in different places");
  }
}

function bound(shape: BundleTensor["shape"], sizes: Readonly<Record<string, number>>, fail: Fail): number[] {
  return shape.map((dim) => {
    if (typeof dim === "number") return dim;
    let size: number | string;
    try {
      const missing = namesOf(dim).find((name) => !Object.hasOwn(sizes, name));
      size = missing === undefined ? bindDim(dim, sizes) : fail(`no size "${missing}" is stated`);
    } catch (error) {
      if (error instanceof RunError) throw error;
      return fail(`"${dim}" is no size`);
    }
    return Number.isSafeInteger(size) && Number(size) >= 0 ? Number(size) : fail(`"${dim}" is ${size}`);
  });
}
