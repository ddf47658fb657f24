/**
 * A lock that comes from anywhere: everything that must hold of it before a compile may follow it.
 *
 * The schema says what is there and of which type; here is what numbers mean together. What a cover, a tile or a patch
 * leads to needs no trust: the compile verifies it like its own.
 * @module
 */

import { Ajv2020 } from "ajv/dist/2020.js";
import { RunError } from "../../compiler/errors.ts";
import { textsHold } from "../../compiler/lock/compare.ts";
import { lockVersion, type PlanLock, type Ref, targetOfLock } from "../../compiler/lock/lock.ts";
import schema from "../../compiler/lock/plan.schema.json" with { type: "json" };
import { readPatch } from "../../compiler/schedule/tuning.ts";

const matches = new Ajv2020({ allErrors: false, strict: true, strictTuples: false, allowUnionTypes: true })
  .compile(schema);

/** The lock that a text holds. `where` is what messages call it. @throws RunError that says what does not hold. */
export function parseLock(text: string, where: string): PlanLock {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new RunError(`${where}: it is not JSON.`);
  }
  return checkLock(parsed, where);
}

/** The same for a lock as data. */
export function checkLock(parsed: unknown, where: string): PlanLock {
  const fail = (message: string): never => {
    throw new RunError(`${where}: ${message}.`);
  };
  const { format, version } = (typeof parsed === "object" && parsed !== null ? parsed : {}) as Partial<
    PlanLock
  >;
  if (format !== "weft-plan-lock") fail("it is no lock of a plan; `weft lock` writes one");
  if (version !== lockVersion) {
    fail(
      `it is a lock of version ${version}, and this Weft reads ${lockVersion}; make it anew with \`weft lock\``,
    );
  }
  if (!matches(parsed)) {
    const { instancePath = "", message = "" } = matches.errors?.[0] ?? {};
    fail(`${instancePath || "it"} ${message}`);
  }
  const lock = parsed as PlanLock;
  checkGraph(lock, fail);
  checkGroups(lock, fail);
  checkProgram(lock, fail);
  for (const [key, patch] of Object.entries(lock.tuning)) {
    if (readPatch(patch, targetOfLock(lock)) === undefined) fail(`tuning/${key} is no patch of the target`);
  }
  return lock;
}

type Fail = (message: string) => never;

function checkGraph({ graph: { nodes, sources, outputs, writes } }: PlanLock, fail: Fail): void {
  const refersTo = ([node, result]: Ref, below: number): boolean =>
    node < below && result < nodes[node]!.types.length;
  for (const [i, { op, inputs, at }] of nodes.entries()) {
    const wrong = inputs.find((ref) => !refersTo(ref, i));
    if (wrong) fail(`graph/nodes/${i}, ${op}, reads [${wrong}], which is no result of a node before it`);
    if (at !== undefined && at >= sources.length) {
      fail(`graph/nodes/${i} is at source ${at} of ${sources.length}`);
    }
  }
  const ends = [...outputs.map(([, ref]) => ref), ...writes.flat()];
  const wrong = ends.find((ref) => !refersTo(ref, nodes.length));
  if (wrong) fail(`graph returns or writes [${wrong}], which is no result of a node`);
}

function checkGroups({ graph: { nodes }, groups }: PlanLock, fail: Fail): void {
  for (const [g, { nodes: computed, roots }] of groups.entries()) {
    const own = new Set(computed);
    if (own.size !== computed.length) fail(`groups/${g} computes a node twice`);
    const outside = computed.find((node) => node >= nodes.length);
    if (outside !== undefined) fail(`groups/${g} computes node ${outside} of ${nodes.length}`);
    const wrong = roots.find(([node, result]) => !own.has(node) || result >= nodes[node]!.types.length);
    if (wrong) fail(`groups/${g} stores [${wrong}], which it does not compute`);
  }
}

function checkProgram(lock: PlanLock, fail: Fail): void {
  const { kernels, dispatches, memory: { arenas } } = lock;
  for (const [d, { kernel, bindings }] of dispatches.entries()) {
    if (kernel >= kernels.length) fail(`dispatches/${d} runs kernel ${kernel} of ${kernels.length}`);
    const wrong = bindings.find(([arena, offset, bytes]) =>
      arena >= arenas.length || offset + bytes > arenas[arena]!.bytes
    );
    if (wrong) fail(`dispatches/${d} binds [${wrong}], which lies in no arena`);
  }
  if (!textsHold(lock)) fail("a kernel's text is not the one that its hash says");
}
