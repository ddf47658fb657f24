/**
 * Explanations as text:
 *
 *     %7 relu (net.ts:4:20) → %9 matmul (net.ts:4:9): fused, cost: saves a write and a read
 *         524288 bytes saved for 0 operations repeated; by the model 0.10 ms in one kernel, 0.21 ms in two
 *         3 of 8 buffers, 16 numbers per lane, 0 of 16384 bytes of workgroup memory
 *         in kernel 1 "relu matmul"
 */

import { counted } from "../counted.ts";
import { isRefused } from "../fuse/reason.ts";
import type { Explanation, InPlace, PairNumbers } from "./explain.ts";
import type { Place } from "./places.ts";

const arrows = { feeds: "→", siblings: "beside", strangers: "and" } as const;

export function printExplanations(list: readonly Explanation[]): string {
  return list.map(printExplanation).join("\n");
}

/** How many pairs are fused, and how many are not for which kind of reason: one line. */
export function summaryOf(list: readonly Explanation[]): string {
  const apart = Map.groupBy(list.filter((one) => !one.fused), ({ rule }) => rule);
  const rules = [...apart].sort(([, a], [, b]) => b.length - a.length).map(([rule, { length }]) =>
    `${length} ${rule}`
  );
  const fused = list.filter((one) => one.fused).length;
  const rest = rules.length > 0 ? `, ${list.length - fused} apart: ${rules.join(", ")}` : "";
  return `${list.length} ${list.length === 1 ? "pair" : "pairs"}, ${fused} fused${rest}`;
}

function printExplanation(one: Explanation): string {
  const { relation, a, b, fused, shared, rule, because, decided, kernels, refusedBy } = one;
  const partly = shared.kernels > 0 && !fused
    ? ` in ${shared.of - shared.kernels} of ${counted(shared.of, "kernel")}`
    : "";
  const verdict = `${fused ? "fused" : "apart"}${partly}, ${rule}: ${because}`;
  const homes = fused && kernels.b.every((k) => kernels.a.includes(k))
    ? `in kernel ${kernels.b.join(", ")}`
    : `in kernel ${kernels.a.join(", ")} and in kernel ${kernels.b.join(", ")}`;
  return [
    `${show(a)} ${arrows[relation]} ${show(b)}: ${verdict}${decided ? "" : " (asked afterwards)"}`,
    ...refusedBy
      ? [`    said kernel ${refusedBy}: an op is computed in place by all that read it, or by none`]
      : [],
    ...[...numberLines(one), homes].map((line) => `    ${line}`),
  ].join("\n");
}

/** What is known of a pair in numbers: one line each for traffic, for space and for what else could be. */
export function numberLines({ numbers, inPlace }: Explanation): readonly string[] {
  return [traffic(numbers), space(numbers), inPlace ? whereRead(inPlace) : ""].filter((line) => line !== "");
}

function show({ number, op, scope, lines }: Place): string {
  const [line, ...more] = lines;
  const where = [scope, line && (more.length > 0 ? `${line} and ${more.length} more` : line)];
  const known = where.filter((part) => part);
  return `%${number} ${op}${known.length > 0 ? ` (${known.join(", ")})` : ""}`;
}

function traffic({ bytes, operations, togetherMs, apartMs }: PairNumbers): string {
  const parts: string[] = [];
  if (bytes !== undefined || operations !== undefined) {
    parts.push(
      `${Math.round(bytes ?? 0)} bytes saved for ${Math.round(operations ?? 0)} operations repeated`,
    );
  }
  if (togetherMs !== undefined && apartMs !== undefined) {
    parts.push(
      `by the model ${togetherMs.toPrecision(3)} ms in one kernel, ${apartMs.toPrecision(3)} ms in two`,
    );
  }
  return parts.join("; ");
}

function whereRead(inPlace: InPlace): string {
  if (isRefused(inPlace)) return `computed wherever it is read: ${inPlace.rule}, ${inPlace.refused}`;
  const { kernels, inPlaceMs, storedMs } = inPlace;
  return `computed wherever it is read, in ${kernels} ${kernels === 1 ? "kernel" : "kernels"}: legal now, ` +
    `${inPlaceMs.toPrecision(3)} ms; stored, ${storedMs.toPrecision(3)} ms`;
}

function space({ bindings, bindingLimit, registers, workgroupBytes, workgroupLimit }: PairNumbers): string {
  const parts: string[] = [];
  if (bindings !== undefined) parts.push(`${bindings} of ${counted(bindingLimit, "buffer")}`);
  if (registers !== undefined) parts.push(`${counted(registers, "number")} per lane`);
  if (workgroupBytes !== undefined) {
    parts.push(`${workgroupBytes} of ${workgroupLimit} bytes of workgroup memory`);
  }
  return parts.join(", ");
}
