/**
 * Samples of ops as graphs that the whole pipeline can compile, and what a run of them must give.
 * @module
 */

import { type Compiled, compileGraph, type CompileOptions } from "../../compiler/compile.ts";
import { type Graph, inputName, makeGraph } from "../../compiler/graph/graph.ts";
import type { Op, Sample } from "../../compiler/graph/op.ts";
import { opTable } from "../../ops/define_op.ts";
import "../../ops/mod.ts";
import { graphOf } from "./op_samples.ts";
import { type Expected, expectedOf, mismatches } from "./tolerance.ts";

export interface SampleCase {
  readonly op: string;
  readonly text: string;
  readonly graph: Graph;
  readonly feeds: Readonly<Record<string, ArrayLike<number>>>;
  /** By name of output. */
  readonly expected: Readonly<Record<string, Expected>>;
}

/** Ops whose contents, or rule, are given by the user and not stated by the op. */
const given = new Set(["input", "state", "customGradient"]);

/** Every sample of every op of the table. */
export function sampleCases(): SampleCase[] {
  // deno-lint-ignore no-explicit-any -- the table holds ops of every attribute type.
  const ops: readonly Op<any>[] = [...opTable.values()];
  return ops.filter((op) => !given.has(op.name)).flatMap((op) =>
    op.samples.map((sample) => sampleCase(op, sample))
  );
}

function sampleCase<Attrs>(op: Op<Attrs>, sample: Sample<Attrs>): SampleCase {
  const { builder, inputs, outputs, feeds } = graphOf(op, sample);
  const named = Object.fromEntries(outputs.map((t, i) => [`y${i}`, t]));
  const graph = makeGraph({ builder, inputs, outputs: named, states: [], writes: [] });
  const expected = expectedOf(outputs, feeds);
  return {
    op: op.name,
    text: `${op.name}, ${JSON.stringify(sample)}`,
    graph,
    feeds: Object.fromEntries(inputs.map((t) => [inputName(t), feeds.get(t.node)!])),
    expected: Object.fromEntries(expected.map((e, i) => [`y${i}`, e])),
  };
}

/** The compiled case; an error says of which case it is. */
export function compileCase({ text, graph }: SampleCase, options: CompileOptions): Compiled {
  try {
    return compileGraph(graph, options);
  } catch (cause) {
    throw new Error(`${text}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** What is wrong with the results of a run; undefined where they are as expected, or nothing can be said of them. */
export function complaintOf(
  { text, expected }: SampleCase,
  results: Readonly<Record<string, ArrayLike<number>>>,
): string | undefined {
  for (const [name, want] of Object.entries(expected)) {
    if (want.dropped) continue;
    const [wrong] = mismatches(want, results[name]!);
    if (!wrong) continue;
    return `${name}[${wrong.index}] is ${wrong.got} and should be ${wrong.want} ± ${wrong.tolerance}, of ${text}`;
  }
  return undefined;
}
