/**
 * Which suites there are, and how each is cut into processes.
 * @module
 */

import { globSync } from "node:fs";
import { availableParallelism } from "node:os";

export interface Suite {
  readonly name: "unit" | "whole" | "gpu" | "doc" | "long";
  readonly needsAdapter: boolean;
  /** The arguments of `deno test`, one list per process; behind `--` those of the tests. */
  readonly processes: readonly (readonly string[])[];
}

/**
 * Processes of a suite at once, at most: on a software adapter most of a test is compiling, by one core; and a device's
 * memory has to do for all of them.
 */
const PROCESSES = 3;

/** How many run at once here. */
export const cores: number = Math.min(PROCESSES, availableParallelism());

/** The suites of a checkout, whose root is the current folder. The long one is there when it has a test. */
export function findSuites(): Suite[] {
  const long = processPerFile("long");
  return [
    // No test here can abort a process, so that files share one for each core, or several where some take long.
    inParts("unit", cores),
    // Examples as programs, the type checker, a thousand random graphs: a quick answer does without.
    inParts("whole", 2 * cores),
    processPerFile("gpu"),
    processPerFile("doc"),
    ...(long.processes.length > 0 ? [long] : []),
  ];
}

/** A suite that needs no adapter, in so many processes with as many files. */
function inParts(name: "unit" | "whole", parts: number): Suite {
  const processes = Array.from({ length: parts }, (_, part) => {
    return ["tests/support/test_files.ts", "--", `tests/${name}`, String(part), String(parts)];
  });
  return { name, needsAdapter: false, processes };
}

/**
 * A suite that runs on the adapter, with one process per file: an abort in WebGPU loses one file's tests and says whose
 * they were.
 */
function processPerFile(name: "gpu" | "doc" | "long"): Suite {
  const files = globSync(`tests/${name}/**/*_test.ts`).sort();
  return { name, needsAdapter: true, processes: files.map((file) => [file]) };
}
