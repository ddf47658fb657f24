/**
 * Where a line of the source that was locked is now: ops that compute what they did show how far the lines around them have
 * moved, and into which file.
 * @module
 */

import type { LockedGraph } from "./lock.ts";

/** A line of a source; the column is let go, since whatever is written before it moves it. */
interface Line {
  readonly file: string;
  readonly line: number;
}

/** `model.ts:12` of `model.ts:12:40`. */
export const lineOf = (source: string): string => source.replace(/:\d+$/, "");

function parsed(source: string): Line {
  const line = lineOf(source);
  const at = line.lastIndexOf(":");
  return { file: line.slice(0, at), line: Number(line.slice(at + 1)) };
}

/**
 * @param before Fingerprints of the locked nodes; `after`: those of the nodes that there are now.
 * @returns For a place as the lock has it, the line where it is now, as `lineOf` gives it: that of an op of that line which
 * is the same, or as far from the nearest such line as it was.
 */
export function linesNow(
  locked: LockedGraph,
  before: readonly string[],
  now: LockedGraph,
  after: readonly string[],
): (source: string) => string {
  const found = new Map(now.nodes.map((node, i) => [after[i]!, node.at] as const));
  const known: (readonly [was: Line, is: Line])[] = [];
  locked.nodes.forEach(({ at }, i) => {
    const there = found.get(before[i]!);
    if (at !== undefined && there !== undefined) {
      known.push([parsed(locked.sources[at]!), parsed(now.sources[there]!)]);
    }
  });
  return (source) => {
    const { file, line } = parsed(source);
    const away = ([was]: (typeof known)[number]) => was.file === file ? Math.abs(was.line - line) : Infinity;
    const nearest = known.reduce<(typeof known)[number] | undefined>(
      (best, one) => away(one) < (best ? away(best) : Infinity) ? one : best,
      undefined,
    );
    if (!nearest) return lineOf(source);
    const [was, is] = nearest;
    return `${is.file}:${line + is.line - was.line}`;
  };
}
