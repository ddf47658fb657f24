/**
 * What a run of `deno test` came to, read from what it printed.
 *
 * The exit code alone doesn't tell a suite that ran nothing from one that passed, and an aborted process prints no
 * summary at all. Both are failures here: a test that did not run must never count as one that passed.
 * @module
 */

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
  /** What went wrong beside failing tests, as a sentence; null where nothing did. It has been counted as a failure. */
  readonly problem: string | null;
}

/**
 * The counts of one `deno test` process from its output and exit code.
 *
 * @example
 * ```ts
 * import { readSummary } from "./summary.ts";
 * import assert from "node:assert/strict";
 *
 * const { passed, failed } = readSummary("ok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)\n", 0);
 * assert.deepEqual([passed, failed], [12, 0]);
 * ```
 */
export function readSummary(output: string, exitCode: number): Counts {
  // The last one counts: a test may itself print the summary of a `deno test` that it ran.
  const summary = [...plain(output).matchAll(/^(?:ok|FAILED) \| \d+ passed\b.*$/gm)].at(-1)?.[0];
  if (summary === undefined) {
    return failure(`The process ended with exit code ${exitCode} before it printed a summary.`);
  }
  const count = (word: string) => Number(summary.match(new RegExp(`(\\d+) ${word}`))?.[1] ?? 0);
  const counts = { passed: count("passed"), failed: count("failed"), ignored: count("ignored") };
  if (exitCode !== 0 && counts.failed === 0) {
    return {
      ...counts,
      failed: 1,
      problem: `No test failed, but the process ended with exit code ${exitCode}.`,
    };
  }
  if (counts.passed + counts.failed === 0) return { ...counts, ...failure("No test ran.") };
  return { ...counts, problem: null };
}

/** The counts of something that could not run: one failure. */
export function failure(problem: string): Counts {
  return { passed: 0, failed: 1, ignored: 0, problem };
}

export function addCounts(all: readonly Counts[]): Counts {
  const sum = (key: "passed" | "failed" | "ignored") => all.reduce((total, counts) => total + counts[key], 0);
  const problems = all.map(({ problem }) => problem).filter((problem) => problem !== null);
  return {
    passed: sum("passed"),
    failed: sum("failed"),
    ignored: sum("ignored"),
    problem: problems.length === 0 ? null : problems.join("\n"),
  };
}

function plain(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/\x1b\[[0-9;]*m/g, "");
}
