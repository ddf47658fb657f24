/**
 * Which suites there are, and how each is cut into processes.
 * @module
 */

import { globSync } from "node:fs";

export interface Suite {
  readonly name: "unit" | "whole" | "gpu" | "doc" | "long";
  readonly needsAdapter: boolean;
  /** The arguments of `deno test`, one list per process. */
  readonly processes: readonly (readonly string[])[];
}

/** The suites of a checkout, whose root is the current folder. The long one is there when it has a test. */
export function findSuites(): Suite[] {
  const long = processPerFile("long");
  return [
    // No test here can abort a process, so they share one, and the machine's cores.
    { name: "unit", needsAdapter: false, processes: [["--parallel", "tests/unit"]] },
    // Examples as programs, the type checker, a thousand random graphs: a quick answer does without.
    { name: "whole", needsAdapter: false, processes: [["--parallel", "tests/whole"]] },
    processPerFile("gpu"),
    processPerFile("doc"),
    ...(long.processes.length > 0 ? [long] : []),
  ];
}

/**
 * A suite that runs on the adapter, with one process per file: an abort in WebGPU loses one file's tests and says whose
 * they were.
 */
function processPerFile(name: "gpu" | "doc" | "long"): Suite {
  const files = globSync(`tests/${name}/**/*_test.ts`).sort();
  return { name, needsAdapter: true, processes: files.map((file) => [file]) };
}
