/**
 * The kernels of a compile as text, as IR and as WGSL, and for each line of each dispatch the op that it serves. Equal
 * layers share a text, and not the ops.
 * @module
 */

import type { Compiled } from "../../../compiler/compile.ts";
import { emitWgsl, printedKernel, wgslLines } from "../../../compiler/emit/wgsl.ts";
import { wgslOptionsOf } from "../../../compiler/emit/wgsl_options.ts";
import { isProgramNode } from "../../../compiler/fuse/group.ts";
import type { Node } from "../../../compiler/graph/node.ts";
import type { Kernel } from "../../../compiler/kernel/ir.ts";
import { kernelLines, type PrintedLine, printKernel } from "../../../compiler/kernel/print.ts";
import { provenanceOf } from "../../../compiler/kernel/provenance.ts";
import { isRaw } from "../../../compiler/kernel/raw.ts";
import type { DispatchView, KernelView } from "./data.ts";

/** For each line of a dispatch's texts, the number of the op that it serves; -1 for none. */
export type LineOps = Pick<DispatchView, "irOps" | "wgslOps">;

/** @param numbers Of the final graph. */
export function kernelTexts(
  { program, kernels, serves, target }: Compiled,
  numbers: ReadonlyMap<Node, number>,
): { readonly kernels: readonly KernelView[]; readonly dispatches: readonly LineOps[] } {
  const options = wgslOptionsOf(target);
  const texts = program.kernels.map((kernel): KernelView => ({
    ir: printKernel(kernel),
    wgsl: emitWgsl(kernel, options),
  }));
  const dispatches = program.steps.flatMap((step, i): LineOps[] => {
    if (step.kind !== "dispatch") return [];
    const { ir, wgsl } = texts[step.dispatch.kernel]!;
    const [only, ...others] = serves[i]!;
    const { node } = only!.roots[0]!;
    // What an op's own kernels do besides computing their inputs they do for it.
    const rest = others.length === 0 && isProgramNode(node) ? numbers.get(node)! : -1;
    const shared = program.kernels[step.dispatch.kernel]!;
    const { kernel, serves: made = new Map() } = kernels[i]!;
    if (isRaw(shared) || isRaw(kernel)) {
      return [{ irOps: linesOf(ir).map(() => rest), wgslOps: linesOf(wgsl).map(() => rest) }];
    }
    // The statements are this dispatch's, the buffers' access that of the text.
    const own: Kernel = { ...kernel, buffers: shared.buffers };
    const expanded = printedKernel(own, options);
    const opsOf = (lines: readonly PrintedLine[], { body }: Kernel) => {
      const ops = provenanceOf(body, made);
      return lines.map(({ at }) => {
        const op = at && ops.get(at);
        return op ? numbers.get(op)! : at ? rest : -1;
      });
    };
    return [{
      irOps: opsOf(kernelLines(own), own),
      wgslOps: opsOf(wgslLines(expanded, options), expanded),
    }];
  });
  return { kernels: texts, dispatches };
}

const linesOf = (text: string): readonly string[] => text.split("\n");
