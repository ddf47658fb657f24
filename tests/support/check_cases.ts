/**
 * Compiles graphs, holds each distinct kernel to the verifier's rules, runs them without a device and compares.
 * @module
 */

import assert from "node:assert/strict";
import { policies } from "../../compiler/compile.ts";
import type { Arithmetic } from "../../compiler/fuse/lower_group.ts";
import type { FusionPolicy } from "../../compiler/fuse/policy.ts";
import { printKernel } from "../../compiler/kernel/print.ts";
import { verifyKernel } from "../../compiler/kernel/verify.ts";
import type { Program } from "../../compiler/program/program.ts";
import { type Target, testTarget } from "../../compiler/target.ts";
import { compileCase, complaintOf, type SampleCase } from "./compile_samples.ts";
import { type Executor, HostRun } from "./run_program.ts";

/** What a case is compiled for, and what runs it here. */
export interface Way {
  readonly target: Target;
  readonly policy: FusionPolicy;
  readonly executor?: Executor;
  readonly arithmetic?: Arithmetic;
}

const withF16: Target = { ...testTarget, features: { ...testTarget.features, f16: true } };
const oneLane: Target = {
  ...withF16,
  name: "one lane",
  lanes: { map: 1, row: 1, contraction: 1 },
  contraction: { ...testTarget.contraction, grid: [1, 1] },
};

/** Unfused, by the interpreter and as JavaScript, and fused, on several lanes and on one. */
export const ways: { readonly [K in "interpreted" | "none" | "greedy" | "oneLane"]: Way } = {
  interpreted: { target: withF16, policy: policies.none, executor: "interpreter" },
  none: { target: withF16, policy: policies.none },
  greedy: { target: withF16, policy: policies.greedy },
  oneLane: { target: oneLane, policy: policies.greedy },
};

const verified = new Set<string>();

/** Throws where a kernel of the program breaks a rule; a text is looked at once. */
export function verifyKernels({ kernels }: Program, { limits }: Target): void {
  for (const kernel of kernels) {
    const text = printKernel(kernel);
    if (verified.has(text)) continue;
    verifyKernel(kernel, limits);
    verified.add(text);
  }
}

/** Outputs of one run, and states after it as `state:path`. */
export function runOnHost(
  program: Program,
  { feeds, states = {} }: Pick<SampleCase, "feeds" | "states">,
  executor?: Executor,
): Record<string, ArrayLike<number>> {
  const run = new HostRun(program, executor);
  for (const slot of program.state) run.write(slot, states[slot.name]!);
  const outputs = run.run(feeds);
  const after = program.state.map((slot) => [`state:${slot.name}`, run.read(slot)] as const);
  return { ...outputs, ...Object.fromEntries(after) };
}

/** Checks cases, and counts those of which nothing can be said. */
export class CaseChecker {
  #results = 0;
  readonly #dropped: string[] = [];

  /** Throws where the compiled case gives another result than its references. */
  check(sample: SampleCase, all: readonly Way[]): void {
    for (const [name, { dropped }] of Object.entries(sample.expected)) {
      this.#results++;
      if (dropped) this.#dropped.push(`${name} of ${sample.text}: ${dropped}`);
    }
    for (const { target, policy, executor, arithmetic } of all) {
      const { program } = compileCase(sample, { target, policy, arithmetic });
      const by = `(${target.name}, policy ${policy.name})`;
      try {
        verifyKernels(program, target);
      } catch (cause) {
        throw new Error(`${sample.text} ${by}: ${cause instanceof Error ? cause.message : cause}`, { cause });
      }
      const complaint = complaintOf(sample, runOnHost(program, sample, executor));
      assert.equal(complaint, undefined, `${complaint} ${by}`);
    }
  }

  /** SEMANTICS §10: a check from which much is dropped is none. */
  assertHardlyDropped(): void {
    assert.ok(this.#results > 0);
    assert.ok(
      this.#dropped.length <= 0.02 * this.#results,
      `${this.#dropped.length} of ${this.#results}:\n${this.#dropped.join("\n")}`,
    );
  }
}
