/**
 * A bundle from disk, as untrusted data: its manifest and files are checked in full, and nothing of it is executed but
 * its kernels, on the device.
 * @module
 */

import { counted } from "../../compiler/counted.ts";
import { createHash, type Hash } from "node:crypto";
import { join } from "node:path";
import {
  type Manifest,
  pieceBytes,
  type SelfTest,
  type StoredTensor,
} from "../../compiler/bundle/manifest.ts";
import { RunError } from "../../compiler/errors.ts";
import { headerLength, parseHeader } from "../safetensors/header.ts";
import { checkKernelText, checkSubgroups } from "./check_kernel.ts";
import { mostManifestBytes, parseManifest } from "./check_manifest.ts";
import { parseSelfTest } from "./check_self_test.ts";
import { osReason } from "../os_reason.ts";

/** A kernel's text is short; what is longer is none. */
const mostKernelBytes = 16 * 2 ** 20;

/** Where a bundle's files come from: reads a range of a file, or tells its length. */
export interface BundleSource {
  size(file: string): Promise<number>;
  read(file: string, at: number, bytes: number): Promise<Uint8Array<ArrayBuffer>>;
}

/** A bundle whose manifest, kernels, self-test and weights are what they claim to be. */
export interface CheckedBundle {
  readonly manifest: Manifest;
  /** The text of each kernel, with its header. */
  readonly texts: readonly string[];
  readonly test?: SelfTest;
}

/** The files of a folder. */
export function folderSource(folder: string): BundleSource {
  const problem = (file: string, cause: unknown): never => {
    const because = typeof cause === "string" ? cause : osReason(cause);
    throw new RunError(`${join(folder, file)} can't be read: ${because}.`, { cause });
  };
  return {
    async size(file) {
      // A link could lead out of the folder; a bundle has none.
      const stat = await Deno.lstat(join(folder, file)).catch((cause) => problem(file, cause));
      return stat.isFile ? stat.size : problem(file, "it is no plain file");
    },
    async read(file, at, bytes) {
      try {
        using handle = await Deno.open(join(folder, file));
        await handle.seek(at, Deno.SeekMode.Start);
        const data = new Uint8Array(bytes);
        let done = 0;
        while (done < bytes) {
          const got = await handle.read(data.subarray(done));
          if (got === null) break;
          done += got;
        }
        return data.subarray(0, done);
      } catch (cause) {
        return problem(file, cause);
      }
    },
  };
}

/** Reads a bundle and checks all of it. @throws RunError for the first thing that does not hold. */
export async function readBundle(source: BundleSource): Promise<CheckedBundle> {
  const manifest = parseManifest(
    await textFile(source, "manifest.json", mostManifestBytes),
    "manifest.json",
  );
  const texts: string[] = [];
  for (const [index, kernel] of manifest.kernels.entries()) {
    const { file, sha256 } = kernel;
    const text = await textFile(source, file, mostKernelBytes);
    const code = text.replace(/^(\/\/[^\n]*\n)*/, "");
    if (hashOf(new TextEncoder().encode(code)) !== sha256) throw changed(file);
    checkKernelText(code, kernel);
    checkSubgroups(code, index, manifest);
    texts.push(text);
  }
  const test = manifest.selfTest && await readSelfTest(source, manifest, manifest.selfTest);
  for (const index of manifest.weights.keys()) await checkWeights(source, manifest, index);
  return { manifest, texts, ...test && { test } };
}

async function readSelfTest(
  source: BundleSource,
  manifest: Manifest,
  { file, sha256 }: NonNullable<Manifest["selfTest"]>,
): Promise<SelfTest> {
  const text = await textFile(source, file, mostManifestBytes);
  if (hashOf(new TextEncoder().encode(text)) !== sha256) throw changed(file);
  return parseSelfTest(text, manifest, file);
}

async function checkWeights(
  source: BundleSource,
  { weights, tensors }: Manifest,
  index: number,
): Promise<void> {
  const { file, bytes, header } = weights[index]!;
  const size = await source.size(file);
  if (size !== bytes) throw new RunError(`${file} has ${size} bytes, and the manifest says ${bytes}.`);
  const length = headerLength(await source.read(file, 0, Math.min(8, size)), size, file);
  if (header.bytes !== 8 + length) {
    throw new RunError(`${file} has a header of ${8 + length} bytes, and the manifest says ${header.bytes}.`);
  }
  const start = await source.read(file, 0, header.bytes);
  if (hashOf(start) !== header.sha256) throw changed(file);
  const { entries, dataStart } = parseHeader(start.subarray(8), size, file);
  const own = tensors.filter((tensor) => tensor.file === index);
  if (entries.size !== own.length) {
    throw new RunError(`${file} has ${counted(entries.size, "tensor")}, and the manifest ${own.length}.`);
  }
  for (const tensor of own) {
    const entry = entries.get(tensor.name);
    const fits = entry?.dtype === tensor.fileType && dataStart + entry.begin === tensor.offset &&
      entry.end - entry.begin === tensor.bytes;
    if (!fits) throw new RunError(`${file} and the manifest disagree about "${tensor.name}".`);
    await checkTensor(source, file, tensor);
  }
}

async function checkTensor(
  source: BundleSource,
  file: string,
  { offset, bytes, sha256, name }: StoredTensor,
) {
  for (const [piece, hash] of sha256.entries()) {
    const at = piece * pieceBytes;
    const data = await source.read(file, offset + at, Math.min(pieceBytes, bytes - at));
    if (hashOf(data) !== hash) {
      throw new RunError(
        `${file}: bytes ${at} … ${at + data.length} of "${name}" are not what the bundle was made with.`,
      );
    }
  }
}

const changed = (file: string): RunError =>
  new RunError(`${file} is not the file that the bundle was made with.`);

async function textFile(source: BundleSource, file: string, most: number): Promise<string> {
  const bytes = await source.read(file, 0, await limited(source, file, most));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new RunError(`${file} is not a text in UTF-8.`);
  }
}

async function limited(source: BundleSource, file: string, most: number): Promise<number> {
  const size = await source.size(file);
  if (size > most) throw new RunError(`${file} has ${size} bytes, and may have ${most}.`);
  return size;
}

const hashOf = (bytes: Uint8Array): string => (createHash("sha256") as Hash).update(bytes).digest("hex");
