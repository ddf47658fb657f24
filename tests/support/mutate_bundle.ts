/** Bundles that somebody has tampered with: what fuzzing draws from, and what must hold of the outcome. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { checkManifest } from "../../examples/bundle_host/host.mjs";
import { HostError } from "../../examples/bundle_host/json_schema.mjs";
import { check } from "../../compiler/bundle/loader/check.ts";
import schema from "../../compiler/bundle/manifest.schema.json" with { type: "json" };
import type { Manifest } from "../../compiler/bundle/manifest.ts";
import { RunError } from "../../compiler/errors.ts";
import { parseManifest } from "../../runtime/bundle/check_manifest.ts";
import { type BundleSource, readBundle } from "../../runtime/bundle/read.ts";
import { bytesOf } from "./bundles.ts";

export type Files = ReadonlyMap<string, readonly Uint8Array[]>;

/** A bundle that lies in memory. */
export function memorySource(files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): BundleSource {
  const file = (name: string) => {
    const bytes = files.get(name);
    if (bytes === undefined) throw new RunError(`there is no file ${name}`);
    return bytes;
  };
  return {
    size: (name) => Promise.resolve().then(() => file(name).length),
    read: (name, at, bytes) => Promise.resolve().then(() => file(name).slice(at, at + bytes)),
  };
}

/** What stands in for a value: numbers at every edge, and things of another kind. */
const values = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      0,
      1,
      -1,
      2,
      4,
      16,
      255,
      256,
      257,
      512,
      65535,
      65536,
      2 ** 31,
      2 ** 32,
      2 ** 32 - 1,
      2 ** 53,
      2 ** 53 - 1,
      1e308,
      0.5,
      -256,
    ),
  },
  { weight: 2, arbitrary: fc.integer({ min: -4096, max: 65536 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      null,
      true,
      "",
      "x",
      "../x",
      "/etc/passwd",
      "a/../b",
      "__proto__",
      "batch",
      "2*batch",
      "batch - 9",
      [],
      {},
      [[]],
    ),
  },
);

/** One change: where (as fractions of the choices at each level), and what. */
export const change: fc.Arbitrary<Change> = fc.record({
  path: fc.array(fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }), {
    minLength: 1,
    maxLength: 12,
  }),
  kind: fc.constantFrom("set", "set", "set", "add", "remove", "repeat", "swap"),
  value: values,
});

export interface Change {
  readonly path: readonly number[];
  readonly kind: "set" | "add" | "remove" | "repeat" | "swap";
  readonly value: unknown;
}

/** Applies a change somewhere in a JSON value. */
export function applyChange(root: object, { path, kind, value }: Change): void {
  // deno-lint-ignore no-explicit-any -- walks any JSON
  let at: any = root;
  for (const [depth, choice] of path.entries()) {
    const keys = Object.keys(at);
    if (keys.length === 0) return;
    const key = keys[Math.floor(choice * keys.length)]!;
    const next = at[key];
    if (depth < path.length - 1 && typeof next === "object" && next !== null) {
      at = next;
      continue;
    }
    const other = keys[Math.floor((choice * 7919) % 1 * keys.length)]!;
    if (kind === "set") at[key] = value;
    else if (kind === "add") at[key] = typeof next === "number" ? next + Number(value) : value;
    else if (kind === "remove") Array.isArray(at) ? at.splice(Number(key), 1) : delete at[key];
    else if (kind === "repeat") {
      Array.isArray(at) ? at.splice(Number(key), 0, structuredClone(next)) : at[`${key}2`] = next;
    } else [at[key], at[other]] = [at[other], at[key]];
    return;
  }
}

/**
 * A manifest that somebody has changed is refused by a sentence, or is one whose every step stays within its ranges: as
 * the loader's own check, which shares no code with this one, says too. @returns whether it was refused.
 */
export function assertManifestIsSafe(text: string): boolean {
  const parsed: unknown = JSON.parse(text);
  let manifest: Manifest;
  try {
    manifest = parseManifest(text, "manifest.json");
  } catch (error) {
    assert(error instanceof RunError, `not a sentence: ${error}`);
    assert(error.message.length < 2000, "a long sentence");
    assertHostIsSafe(parsed);
    return true;
  }
  for (const { programs } of manifest.variants) for (const program of programs) check(manifest, program);
  checkManifest(manifest, schema); // accepts what this library accepts
  return false;
}

function assertHostIsSafe(parsed: unknown): void {
  try {
    checkManifest(parsed, schema);
  } catch (error) {
    assert(
      error instanceof HostError,
      `the independent host: ${error instanceof Error ? error.stack : error}`,
    );
  }
}

/** Weights whose bytes were changed, with a manifest that agrees: so that the file itself must be what is refused. */
export interface WeightChange {
  readonly at: number;
  readonly byte: number;
  readonly text?: string | undefined;
  readonly cut: number;
  readonly consistent: boolean;
}

export const weightChange: fc.Arbitrary<WeightChange> = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  byte: fc.integer({ min: 0, max: 255 }),
  text: fc.option(
    fc.constantFrom("[0,", "9007199254740993", "-1", "F64", '"__proto__"', "}", "1e999", "null"),
    { nil: undefined },
  ),
  cut: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: -64, max: 64 })),
  consistent: fc.boolean(),
});

const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** @returns whether the changed bundle was refused. */
export async function assertWeightsAreSafe(
  files: Files,
  { at, byte, text, cut, consistent }: WeightChange,
): Promise<boolean> {
  const changed = new Map([...files].map(([name, parts]) => [name, bytesOf(parts)] as const));
  const manifest = JSON.parse(new TextDecoder().decode(changed.get("manifest.json")));
  const name: string = manifest.weights[0].file;
  const original = changed.get(name)!;
  let bytes = original.slice();
  const { header } = manifest.weights[0];
  // Most changes go into the header, where the structure is.
  const place = Math.floor(
    at < 0.8 ? at / 0.8 * header.bytes : (at - 0.8) / 0.2 * (bytes.length - header.bytes) + header.bytes,
  );
  if (text !== undefined) bytes.set(new TextEncoder().encode(text).subarray(0, bytes.length - place), place);
  else bytes[place] = byte;
  if (cut < 0) bytes = bytes.slice(0, cut);
  if (cut > 0) bytes = bytesOf([bytes, new Uint8Array(cut)]);
  changed.set(name, bytes);
  if (consistent) {
    manifest.weights[0].bytes = bytes.length;
    manifest.weights[0].header.sha256 = hash(bytes.subarray(0, header.bytes));
    for (const tensor of manifest.tensors) {
      tensor.sha256 = [hash(bytes.subarray(tensor.offset, tensor.offset + tensor.bytes))];
    }
    changed.set("manifest.json", new TextEncoder().encode(JSON.stringify(manifest)));
  }
  const isSame = bytes.length === original.length && bytes.every((x, i) => x === original[i]);
  try {
    await readBundle(memorySource(changed));
  } catch (error) {
    assert(error instanceof RunError, `not a sentence: ${error}`);
    assert(!isSame, `an unchanged bundle is refused: ${error.message}`);
    return true;
  }
  assert(isSame || consistent, "changed weights are accepted");
  return false;
}
