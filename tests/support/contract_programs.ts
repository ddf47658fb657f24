/**
 * What the tests of the runtime's contract share: the programs that they load, and how they are refused something.
 * @module
 */

import assert from "node:assert/strict";
import { RunError } from "../../compiler/errors.ts";
import type { StoredArray } from "../../compiler/graph/dtype.ts";
import type { Device } from "../../runtime/device.ts";
import { type Executable, load } from "../../runtime/executable.ts";
import { affine, counter } from "./tiny_programs.ts";

/** A test of the contract. It leaves the device as it was, or is named in `testContract`. */
export type ContractTest = (device: Device) => Promise<void>;

export type Line = { x: { shape: readonly [number]; dtype: "f32" } };
export type LineResult = { y: { shape: readonly [number]; dtype: "f32" } };
export type By = { by: { shape: readonly []; dtype: "i32" } };
export type Count = { count: { shape: readonly []; dtype: "i32" } };

export const loadAffine = (device: Device, n: number): Promise<Executable<Line, LineResult>> =>
  load<Line, LineResult>(affine([n]), device);
export const loadCounter = (device: Device, start = 0): Promise<Executable<By, Count>> =>
  load<By, Count>(counter(), device, { state: () => new Int32Array([start]) });
export const by = (n: number): { by: Int32Array } => ({ by: new Int32Array([n]) });

/** Feeds for programs whose types the test doesn't state. */
export const untyped = (feeds: Record<string, unknown>): Record<string, StoredArray> =>
  feeds as Record<string, StoredArray>;

export const refuses = (act: () => unknown, ...patterns: RegExp[]): void =>
  assert.throws(act, (error) => {
    assert(error instanceof RunError, String(error));
    for (const pattern of patterns) assert.match(error.message, pattern);
    return true;
  });

export const rejects = (promise: Promise<unknown>, ...patterns: RegExp[]): Promise<void> =>
  assert.rejects(promise, (error) => {
    assert(error instanceof RunError, String(error));
    for (const pattern of patterns) assert.match(error.message, pattern);
    return true;
  });
