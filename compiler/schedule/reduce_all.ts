/**
 * A sum over all elements of many tensors (the global norm of gradients), as a program.
 *
 * Tensors that the memory plan has laid side by side, because one optimizer update reads them all, are one long vector:
 * one reduction, whatever their number. Others are reduced one by one. Partial sums go to a small scratch buffer, and a
 * last kernel adds them in order, so the result does not depend on when anything ran.
 */

import { counted } from "../counted.ts";
import type { KernelProgram, ProgramSite } from "../kernel/program_op.ts";
import type { ScheduledKernel } from "../kernel/scheduled.ts";
import type { BufferRef, Reader, Value } from "../kernel/value.ts";
import type { Values } from "../kernel/values.ts";
import { InternalError } from "../errors.ts";
import { isRefusal } from "./group.ts";
import { scheduleMap } from "./map.ts";
import { scheduleRow } from "./row/row.ts";

/** Σ over inputs and elements of `element(x)`, as a scalar of the inputs' type. */
export function reduceAll(element: (k: Values, x: Value) => Value): KernelProgram<Record<never, never>> {
  return { inlines: "all", plan: (site) => plan(site, element) };
}

type Site = ProgramSite<Record<never, never>>;

function plan(site: Site, element: (k: Values, x: Value) => Value): readonly ScheduledKernel[] {
  const { values: k, outputs: [out] } = site;
  const packed = new Set(site.sideBySide.flatMap((s) => s.inputs));
  const pieces: { value: Value; label: string }[] = site.sideBySide.map(({ buffer, inputs, ranges }) => ({
    value: k.reduce("sum", [buffer.size], [], ([i]) => {
      const x = element(k, k.load(buffer, i!));
      return whole(ranges, buffer.size) ? x : k.select(inRanges(k, i!, ranges), x, 0);
    }),
    label: `${site.label}, ${counted(inputs.length, "tensor")}`,
  }));
  site.inputs.forEach((input, i) => {
    if (!packed.has(i)) {
      pieces.push({ value: sumOver(k, input, element), label: `${site.label}, tensor ${i}` });
    }
  });
  if (pieces.length === 1) return kernels(site, pieces[0]!.value, out!.buffer, out!.at([]), pieces[0]!.label);
  const partials = site.scratch(out!.dtype, Math.max(1, pieces.length));
  const parts = pieces.flatMap((p, i) => kernels(site, p.value, partials, k.int(i), p.label));
  const total = k.reduce("sum", [pieces.length], [], ([i]) => k.load(partials, i!));
  const last = kernels(site, pieces.length === 0 ? k.const(0) : total, out!.buffer, out!.at([]), site.label);
  return [...parts, ...last].map((kernel, i) =>
    i === 0 ? { ...kernel, scratch: [...kernel.scratch, partials] } : kernel
  );
}

function sumOver(k: Values, input: Reader, element: (k: Values, x: Value) => Value): Value {
  return k.reduce("sum", input.shape, [], (index) => element(k, input.at(index)));
}

function kernels({ values, target }: Site, value: Value, buffer: BufferRef, index: Value, label: string) {
  const group = { values, roots: [{ value, shape: [], axes: [], buffer, index }], label };
  const row = scheduleRow(group, target);
  if (!isRefusal(row)) return row;
  const map = scheduleMap(group, target);
  if (isRefusal(map)) throw new InternalError("reduceAll", map.refused);
  return map;
}

const whole = (ranges: readonly { begin: number; end: number }[], size: number): boolean =>
  ranges.every((r, i) => r.begin === (ranges[i - 1]?.end ?? 0)) && ranges.at(-1)?.end === size;

/** Is an element one of the members', and not of a gap between them? */
function inRanges(k: Values, i: Value, ranges: readonly { begin: number; end: number }[]): Value {
  let inside: Value = k.const(true, "bool");
  ranges.forEach(({ end }, r) => {
    const next = ranges[r + 1]?.begin;
    // A gap of nothing needs no test.
    if (next === end) return;
    const beyond = next === undefined ? k.lt(i, k.int(end)) : k.or(k.lt(i, k.int(end)), k.le(k.int(next), i));
    inside = k.and(inside, beyond);
  });
  return inside;
}
