/**
 * Which suites there are, and how each is cut into processes.
 * @module
 */

import { existsSync, globSync } from "node:fs";

export interface Suite {
  readonly name: "unit" | "gpu" | "doc" | "long";
  readonly needsAdapter: boolean;
  /** The arguments of `deno test`, one list per process. */
  readonly processes: readonly (readonly string[])[];
}

/** The library's code, whose documentation's examples run as tests. */
const DOCUMENTED = ["mod.ts", "cli.ts", "compiler", "ops", "runtime", "tests/support"];

/** The suites of a checkout, whose root is the current folder. */
export function findSuites(): Suite[] {
  return [
    // No test here can abort a process, so they share one, and the machine's cores.
    { name: "unit", needsAdapter: false, processes: [["--parallel", "tests/unit"]] },
    // One process per file: an abort in WebGPU loses one file's tests and says whose they were. One at a time, since a
    // software adapter takes all cores by itself.
    { name: "gpu", needsAdapter: true, processes: testFiles("tests/gpu").map((file) => [file]) },
    {
      name: "doc",
      needsAdapter: true,
      processes: [["--doc", ...DOCUMENTED.filter((path) => existsSync(path))]],
    },
    { name: "long", needsAdapter: true, processes: testFiles("tests/long").map((file) => [file]) },
  ];
}

function testFiles(folder: string): string[] {
  return globSync(`${folder}/**/*_test.ts`).sort();
}
