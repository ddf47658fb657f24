/**
 * `checkOp`: the tests that Weft's own ops pass, for an op of a user's own.
 * @module
 */

import { compileGraph } from "../../compiler/compile.ts";
import { WeftError } from "../../compiler/errors.ts";
import { roundTo, storedArray } from "../../compiler/graph/dtype.ts";
import { inputName, makeGraph } from "../../compiler/graph/graph.ts";
import { Tensor } from "../../compiler/graph/node.ts";
import type { Op, Sample } from "../../compiler/graph/op.ts";
import { expectedOf, mismatches } from "../../compiler/reference/tolerance.ts";
import { type Device, openDevice } from "../device.ts";
import { load } from "../executable.ts";
import { graphOf } from "./sample_graph.ts";
import { checkGradients, checkLowering, checkSamples, lowersToValue } from "./statements.ts";

/** What was compared. */
export interface OpReport {
  readonly samples: number;
  /** Results of the lowering that were compared with the reference. */
  readonly results: number;
  /** Elements of gradients that were compared with differences. */
  readonly slopes: number;
}

/**
 * Holds an op to its own statements, on each of its samples: `infer` gives the sizes that `reference` fills; `lower` gives
 * what `reference` computes, and so do the kernels that are made of it; `gradient` agrees with finite differences. An error
 * of one percent in a result would be noticed, or the samples are no samples.
 *
 * @param device Where the kernels run. Default: the CPU.
 * @throws WeftError with the first thing that does not hold.
 * @example
 * ```ts
 * import { applyOp, checkOp, defineOp, mul, type Tensor } from "@weft/weft";
 *
 * const cubeOp = defineOp<Record<never, never>>({
 *   name: "cube",
 *   infer: ([x]) => [x!],
 *   gradient: ({ inputs: [x], cotangents: [g] }) => [g ? mul(g, mul(3, mul(x!, x!))) as Tensor : null],
 *   reference: ([x]) => [x!.map((v) => v ** 3)],
 *   lower: (k, [x], at) => k.mul(x!.at(at), k.mul(x!.at(at), x!.at(at))),
 *   ulp: 2,
 *   samples: [{ inputs: [{ shape: [3, 5] }], attrs: {} }],
 * });
 * export const cube = (x: Tensor): Tensor => applyOp(cubeOp, [x], {});
 * console.log(await checkOp(cubeOp)); // { samples: 1, results: 2, slopes: 15 }
 * ```
 */
export async function checkOp<Attrs>(
  op: Op<Attrs>,
  { device }: { readonly device?: Device } = {},
): Promise<OpReport> {
  checkSamples(op);
  const { cases } = lowersToValue(op) ? checkLowering(op) : { cases: 0 };
  using own = device ? undefined : await openDevice({ device: "cpu" });
  for (const sample of op.samples) await checkKernels(op, sample, device ?? own!);
  const { elements } = checkGradients(op);
  return { samples: op.samples.length, results: cases, slopes: elements };
}

/** The kernels of one sample, run, against the reference. */
async function checkKernels<Attrs>(op: Op<Attrs>, sample: Sample<Attrs>, device: Device): Promise<void> {
  const { builder, outputs, feeds } = graphOf(op, sample);
  const inputs = [...feeds.keys()].map((node) => new Tensor(node, 0));
  const names = outputs.map((_, i) => `y${i}`);
  const graph = makeGraph({
    builder,
    inputs,
    outputs: Object.fromEntries(outputs.map((t, i) => [names[i]!, t])),
    states: [],
    writes: [],
  });
  const { target } = device;
  using program = await load(compileGraph(graph, { target }).program, device);
  const results = program.run(Object.fromEntries(inputs.map((t) => {
    const array = storedArray(t.dtype, feeds.get(t.node)!.length);
    feeds.get(t.node)!.forEach((x, i) => array[i] = roundTo(t.dtype, x));
    return [inputName(t), array];
  })));
  for (const [i, want] of expectedOf(outputs, feeds, { builtins: target.builtins.exp }).entries()) {
    if (want.dropped) continue;
    const [wrong] = mismatches(want, await results[names[i]!]!.read());
    if (!wrong) continue;
    throw new WeftError(
      `${op.name}: a kernel on ${device.name} gives ${wrong.got} for result ${i}[${wrong.index}], which should be ` +
        `${wrong.want} ± ${wrong.tolerance}, of ${JSON.stringify(sample)}`,
    );
  }
}
