/**
 * An op against its own statements: `infer`, `reference`, `lower`, `gradient`, the error bound (DESIGN §6). What Weft's own
 * ops are held to, and what `checkOp` holds a user's to.
 * @module
 */

import { WeftError } from "../../compiler/errors.ts";
import { type HostArray, isFloat } from "../../compiler/graph/dtype.ts";
import { isProgram, type Op } from "../../compiler/graph/op.ts";
import { concreteTypes, evaluateGraph } from "../../compiler/reference/evaluate.ts";
import { type Expected, expectedOf, mismatches } from "../../compiler/reference/tolerance.ts";
import { assertGradients, hasGradient, smoothSamples } from "./finite_differences.ts";
import { evaluateLowering, graphOf } from "./sample_graph.ts";

const show = (sample: unknown): string => JSON.stringify(sample);

/** @throws WeftError where there are no samples, or a reference fills other sizes than `infer` says. */
export function checkSamples<Attrs>(op: Op<Attrs>): void {
  if (op.samples.length === 0) throw new WeftError(`${op.name}: no samples, so nothing of this op is tested`);
  for (const sample of op.samples) {
    const graph = graphOf(op, sample);
    const { outputs } = concreteTypes(graph.node);
    evaluateGraph(graph.outputs, graph.feeds).forEach((result, i) => {
      const size = outputs[i]!.shape.reduce((n, d) => n * d, 1);
      if (result.length === size) return;
      throw new WeftError(
        `${op.name}: its reference gives ${result.length} elements for result ${i} of ${show(sample)}, and ` +
          `infer says [${outputs[i]!.shape}], which are ${size}`,
      );
    });
  }
}

/** Results that were compared, and those of which nothing can be said. */
export interface Compared {
  readonly cases: number;
  readonly dropped: readonly string[];
}

/**
 * The value that an op lowers to against its reference, with an error of 1 % planted to see that it would be noticed.
 *
 * @throws WeftError where they differ by more than the op's error bound allows (SEMANTICS §10).
 */
export function checkLowering<Attrs>(op: Op<Attrs>): Compared {
  let noticed = 0;
  let cases = 0;
  const dropped: string[] = [];
  for (const sample of op.samples) {
    const graph = graphOf(op, sample);
    const expected = expectedOf(graph.outputs, graph.feeds);
    for (const fused of [false, true]) {
      const got = evaluateLowering(graph, fused);
      expected.forEach((want, i) => {
        cases++;
        if (want.dropped) return void dropped.push(`${op.name}, ${show(sample)}: ${want.dropped}`);
        const [wrong] = mismatches(want, got[i]!);
        if (wrong) {
          throw new WeftError(
            `${op.name}: what it lowers to is not what its reference computes: result ${i}[${wrong.index}] is ` +
              `${wrong.got} and should be ${wrong.want} ± ${wrong.tolerance}, of ${show(sample)}` +
              (fused ? ", products fused with sums" : ""),
          );
        }
        if (noticesPlantedError(want, got[i]!)) noticed++;
      });
    }
  }
  if (noticed === 0) throw new WeftError(`${op.name}: no sample can tell a result from one that is 1 % off`);
  return { cases, dropped };
}

/**
 * An op's gradient against finite differences.
 *
 * @throws WeftError where they differ, or where no element could be compared.
 */
export function checkGradients<Attrs>(op: Op<Attrs>): { readonly elements: number } {
  if (!hasGradient(op)) return { elements: 0 };
  const smooth = smoothSamples(op);
  const { elements } = assertGradients(smooth.map((sample) => graphOf(op, sample)));
  const sloping = smooth.some((sample) => {
    const { inputs, outputs } = graphOf(op, sample);
    return inputs.some((t) => isFloat(t.dtype) && !t.shape.includes(0)) &&
      outputs.some((t) => isFloat(t.dtype));
  });
  if (elements > 0 || !sloping) return { elements };
  throw new WeftError(`${op.name}: no element of its gradient was compared with a difference`);
}

export const lowersToValue = <Attrs>(op: Op<Attrs>): boolean => !isProgram(op.lower);

/** Whether the comparison would notice results that are 1 % off (floats) or another number (integers, bool). */
function noticesPlantedError(expected: Expected, got: HostArray): boolean {
  const off = Float64Array.from(
    got,
    (x) => isFloat(expected.dtype) ? x * 1.01 : expected.dtype === "bool" ? 1 - x : x + 1,
  );
  return mismatches(expected, off).length > 0;
}
