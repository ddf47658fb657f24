/**
 * A lock on disk: one line per node, group, dispatch and line of WGSL, so that version control shows what changed.
 * @module
 */

import type { PlanLock } from "../../compiler/lock/lock.ts";
import { writeWhole } from "../write_whole.ts";

/**
 * Writes a lock, in one piece or not at all.
 *
 * @throws RunError where it can't be written.
 */
export const writeLock = (path: string | URL, lock: PlanLock): Promise<void> =>
  writeWhole(path, printLock(lock));

/** A lock as the text that is written: equal locks have equal texts. */
export const printLock = (lock: PlanLock): string => `${printed(lock, 0, "")}\n`;

/** Levels below which a value stands on one line. */
const deepest: Readonly<Record<string, number>> = {
  graph: 3,
  kernels: 4,
  groups: 2,
  dispatches: 2,
  tuning: 2,
};

function printed(value: unknown, level: number, under: string): string {
  const isWhole = typeof value !== "object" || value === null ||
    level >= (under === "" ? 1 : deepest[under] ?? 1);
  const entries = isWhole ? [] : Object.entries(value);
  if (entries.length === 0) return JSON.stringify(value);
  const inner = "  ".repeat(level + 1);
  const isList = Array.isArray(value);
  const lines = entries.filter(([, part]) => part !== undefined).map(([key, part]) =>
    `${inner}${isList ? "" : `${JSON.stringify(key)}: `}${
      printed(part, level + 1, level === 0 ? key : under)
    }`
  );
  const [open, close] = isList ? "[]" : "{}";
  return `${open}\n${lines.join(",\n")}\n${"  ".repeat(level)}${close}`;
}
