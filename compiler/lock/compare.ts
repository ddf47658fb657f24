/**
 * Whether a compile came to what was locked: kernels by their text, grids, parameters, places in memory.
 * @module
 */

import { counted } from "../counted.ts";
import type { Compiled } from "../compile.ts";
import { sha256 } from "./graph.ts";
import type { LockedDispatch, LockedKernel, PlanLock, Range } from "./lock.ts";
import { dispatchesOf, lockedKernels, memoryOf } from "./make.ts";

/** Kernels that are shown; the rest is counted. */
const mostShown = 6;

/**
 * One sentence per difference, none where the program is the same to the last bit.
 *
 * @param places Whether memory counts: a program that uses another's states lies elsewhere.
 */
export function programDifferences(
  lock: PlanLock,
  { program, target }: Compiled,
  { places = true }: { readonly places?: boolean } = {},
): readonly string[] {
  const kernels = lockedKernels(program, target, true);
  const dispatches = dispatchesOf(program);
  /** Forty equal layers run one kernel, and have one difference. */
  const told = new Set<string>();
  const found = dispatches.length === lock.dispatches.length
    ? dispatches.flatMap((dispatch, i) => dispatchDifferences(lock, i, dispatch, kernels, places, told))
    : [
      `${wereLocked(lock.dispatches.length, "dispatch")}, and there are ${dispatches.length}: ${
        unpaired(lock.dispatches, dispatches)
      }`,
    ];
  const sentences = [...found];
  if (places) sentences.push(...memoryDifferences(lock.memory, memoryOf(program), sentences.length > 0));
  const shown = sentences.slice(0, mostShown);
  if (sentences.length > mostShown) shown.push(`and ${sentences.length - mostShown} more differences`);
  return shown;
}

function dispatchDifferences(
  lock: PlanLock,
  i: number,
  now: LockedDispatch,
  kernels: readonly LockedKernel[],
  places: boolean,
  told: Set<string>,
): string[] {
  const was = lock.dispatches[i]!;
  const where = `dispatch ${i} "${now.label}"`;
  const [old, own] = [lock.kernels[was.kernel]!, kernels[now.kernel]!];
  if (old.sha256 !== own.sha256) {
    const pair = `${was.kernel} ${now.kernel}`;
    if (told.has(pair)) return [];
    told.add(pair);
    return [`kernel ${was.kernel} "${now.label}": ${textDifference(old, own)}`];
  }
  if (was.groups !== now.groups) {
    return [`${where}: ${wereLocked(was.groups, "workgroup")}, and there are ${now.groups}`];
  }
  if (was.params.join() !== now.params.join()) {
    return [`${where}: its parameters were ${list(was.params)}, and are ${list(now.params)}`];
  }
  const moved = places ? now.bindings.findIndex((range, k) => String(range) !== String(was.bindings[k])) : -1;
  if (moved < 0) return [];
  return [
    `${where}: buffer ${moved} lay at ${at(was.bindings[moved])}, and lies at ${at(now.bindings[moved])}`,
  ];
}

/** Where two texts part. */
function textDifference(
  { sha256: hash, wgsl: before }: LockedKernel,
  { sha256: own, wgsl: after = [] }: LockedKernel,
): string {
  if (!before) {
    return `its WGSL was ${hash.slice(0, 12)} and is ${own.slice(0, 12)}; the lock has no texts to compare`;
  }
  const line = before.findIndex((text, i) => text !== after[i]);
  const show = (text: string | undefined) => text === undefined ? "the end" : `\`${text.trim()}\``;
  const from = line < 0 ? before.length : line;
  return `line ${from + 1} of its WGSL was ${show(before[from])}, and is ${show(after[from])}`;
}

/** The first dispatch that is not what stood at its place. */
function unpaired(was: readonly LockedDispatch[], is: readonly LockedDispatch[]): string {
  const i = was.findIndex(({ label }, k) => label !== is[k]?.label);
  const at = i < 0 ? was.length : i;
  const show = (one: LockedDispatch | undefined) => one ? `"${one.label}"` : "the end";
  return `the first that differs is ${at}, which was ${show(was[at])} and is ${show(is[at])}`;
}

function memoryDifferences(
  was: PlanLock["memory"],
  is: PlanLock["memory"],
  said: boolean,
): string[] {
  if (was.sha256 === is.sha256) return [];
  const shown = ({ arenas }: PlanLock["memory"]) =>
    arenas.map(({ role, bytes }) => `${role} ${bytes}`).join(", ");
  if (shown(was) !== shown(is)) return [`memory in bytes was ${shown(was)}, and is ${shown(is)}`];
  return said ? [] : [`inputs, outputs, states or copies lie elsewhere in memory than when it was locked`];
}

const list = (numbers: readonly number[]): string => `[${numbers.join(", ")}]`;

const at = (range: Range | undefined): string =>
  range ? `arena ${range[0]} + ${range[1]}, ${range[2]} bytes` : "nowhere";

/** Whether a lock's texts are those that its hashes say. */
export const textsHold = ({ kernels }: Pick<PlanLock, "kernels">): boolean =>
  kernels.every(({ sha256: hash, wgsl }) => wgsl === undefined || sha256(wgsl.join("\n")) === hash);

const wereLocked = (n: number, what: string): string =>
  `${counted(n, what)} ${n === 1 ? "was" : "were"} locked`;
