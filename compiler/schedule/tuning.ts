/**
 * Tuning as plain data: which groups are scheduled with other numbers than the target's, and which.
 *
 * A compile is a function of its arguments, and a tuning is one of them: where the numbers come from (a search, a file, a
 * test) is nobody's business here. They change who computes what when, never what is computed, and every kernel that they
 * lead to is verified like any other.
 */

import { createHash } from "node:crypto";
import type { Target } from "../target.ts";

/** Numbers of a `Target` that schedules ask for, each in place of the target's own. */
export interface TargetPatch {
  readonly lanes?: Partial<Target["lanes"]>;
  readonly mapPerLane?: number;
  readonly row?: Partial<Target["row"]>;
  readonly contraction?: Partial<Target["contraction"]>;
  readonly parallel?: number;
  readonly statements?: number;
}

/** Patches by what they are for: the `tuningKey` of a group's signature. */
export type Tuning = Readonly<Record<string, TargetPatch>>;

/** A signature (`fuse/signature.ts`) in a form fit for a file's name: equal in every process, whatever ran before. */
export const tuningKey = (signature: string): string =>
  createHash("sha256").update(signature).digest("hex").slice(0, 32);

export function patchTarget(target: Target, patch: TargetPatch): Target {
  const { lanes, mapPerLane, row, contraction, parallel, statements } = patch;
  return {
    ...target,
    lanes: { ...target.lanes, ...lanes },
    mapPerLane: mapPerLane ?? target.mapPerLane,
    row: { ...target.row, ...row },
    contraction: { ...target.contraction, ...contraction },
    parallel: parallel ?? target.parallel,
    statements: statements ?? target.statements,
  };
}

/** Both patches, the second in front of the first. */
export function mergePatches(one: TargetPatch, other: TargetPatch): TargetPatch {
  const part = <K extends "lanes" | "row" | "contraction">(key: K) =>
    one[key] || other[key] ? { [key]: { ...one[key], ...other[key] } } : {};
  return { ...one, ...other, ...part("lanes"), ...part("row"), ...part("contraction") };
}

/** One line: `contraction.tile 4×8, lanes.contraction 32`; `the defaults` for a patch of nothing. */
export function printPatch(patch: TargetPatch): string {
  const show = (value: unknown): string => Array.isArray(value) ? value.join("×") : String(value);
  const parts = Object.entries(patch).flatMap(([key, value]) =>
    typeof value === "object"
      ? Object.entries(value).map(([inner, number]) => `${key}.${inner} ${show(number)}`)
      : [`${key} ${show(value)}`]
  );
  return parts.join(", ") || "the defaults";
}

/** The patch that a text in JSON holds; undefined where it holds none that this target could be given. */
export function readPatch(value: unknown, target: Target): TargetPatch | undefined {
  return alike(value, target as unknown as Fields, patchable) ? value as TargetPatch : undefined;
}

type Fields = { readonly [key: string]: unknown };

const patchable = ["lanes", "mapPerLane", "row", "contraction", "parallel", "statements"];

/** Whether every field of `value` is one of `model` and of the same kind: numbers are whole and not negative. */
function alike(value: unknown, model: Fields, keys: readonly string[] = Object.keys(model)): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([key, own]) => {
    const other = keys.includes(key) ? model[key] : undefined;
    if (Array.isArray(other)) {
      return Array.isArray(own) && own.length === other.length && own.every(isCount);
    }
    if (typeof other === "object" && other !== null) return alike(own, other as Fields);
    if (key === "shape") return own === "panel" || own === "register";
    return typeof other === "number" ? isCount(own) : typeof own === typeof other;
  });
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
