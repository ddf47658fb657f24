/**
 * The text form of a program: arenas, what is fed, kept and given, then the steps in order. Kernels are numbers here; their
 * own text is that of `kernel/print.ts`.
 *
 *     arena 0 input: 512 bytes
 *     input x: f32[8, 16] at 0+0
 *     0: k0 × 8 [0+0 512, 1+0 512]  softmax: max sub exp sum div
 */

import { showType } from "../graph/node.ts";
import type { Binding, Program, Slot } from "./program.ts";

/** A program as text: its memory, what is fed and given, and its steps; see the top of this file. */
export function printProgram({ arenas, inputs, state, outputs, steps, memory }: Program): string {
  const place = ({ arena, offset }: Pick<Binding, "arena" | "offset">) => `${arena}+${offset}`;
  const range = (b: Binding) => `${place(b)} ${b.bytes}`;
  const slot = (kind: string, s: Slot) => `${kind} ${s.name}: ${showType(s)} at ${place(s.region)}`;
  const lines = [
    ...arenas.map(({ name, role, bytes }, i) =>
      `arena ${i} ${role}${name === role ? "" : ` "${name}"`}: ${bytes} bytes`
    ),
    ...inputs.map((s) => slot("input", s)),
    ...state.map((s) => slot(s.role, s)),
    ...outputs.map((s) => slot("output", s)),
    `temporaries: ${memory.peak} bytes, of which ${memory.bound} live at once`,
  ];
  steps.forEach((step, i) => {
    if (step.kind === "copy") {
      lines.push(`${i}: copy ${range(step.copy.from)} to ${place(step.copy.to)}`);
      return;
    }
    const { kernel, groups, bindings, params, label } = step.dispatch;
    const numbers = params.length > 0 ? ` (${params.join(", ")})` : "";
    lines.push(`${i}: k${kernel} × ${groups} [${bindings.map(range).join(", ")}]${numbers}  ${label}`);
  });
  return lines.join("\n") + "\n";
}
