/**
 * Functions over ops as graphs that the whole pipeline can compile: each with the gradient of Σ c·y in every float input,
 * so that forward and backward share kernels as they do in a training step.
 * @module
 */

import { gradient } from "../../compiler/autodiff/gradient.ts";
import { GraphBuilder } from "../../compiler/graph/build.ts";
import { type HostArray, isFloat } from "../../compiler/graph/dtype.ts";
import { type Node, Tensor } from "../../compiler/graph/node.ts";
import type { SampleInput } from "../../compiler/graph/op.ts";
import { inputOp } from "../../ops/leaves.ts";
import { caseOf, type SampleCase } from "./compile_samples.ts";
import { draw } from "../../runtime/check_op/sample_graph.ts";
import { randomOf } from "./random.ts";

export type FunctionOf = (...inputs: Tensor[]) => Tensor;

/** The function's result and its gradients on given inputs. */
export function functionCase(name: string, f: FunctionOf, specs: readonly SampleInput[]): SampleCase {
  return graphCase(name, specs, (inputs, declare) => {
    const y = f(...inputs);
    const wrt = inputs.filter((t) => isFloat(t.dtype));
    // A cotangent away from 0: what it multiplies must show.
    const seed = declare({ shape: y.shape as readonly number[], dtype: y.dtype, lo: 0.5, hi: 1.5 }, "c");
    return [y, ...gradient(y, wrt, seed)];
  });
}

/** The function's results alone. */
export const forwardCase = (
  name: string,
  f: (...inputs: Tensor[]) => readonly Tensor[],
  specs: readonly SampleInput[],
): SampleCase => graphCase(name, specs, (inputs) => f(...inputs));

function graphCase(
  name: string,
  specs: readonly SampleInput[],
  outputsOf: (inputs: Tensor[], declare: (spec: SampleInput, name: string) => Tensor) => readonly Tensor[],
): SampleCase {
  const builder = new GraphBuilder();
  const random = randomOf(specs.length);
  const feeds = new Map<Node, HostArray>();
  const declare = (spec: SampleInput, name: string): Tensor => {
    const node = builder.node(inputOp, [], { name, shape: spec.shape, dtype: spec.dtype ?? "f32" });
    feeds.set(node, draw(spec, random));
    return new Tensor(node, 0);
  };
  const inputs = specs.map((spec, i) => declare(spec, `x${i}`));
  const outputs = builder.use(() => outputsOf(inputs, declare));
  return caseOf(name, name, { builder, node: outputs[0]!.node, inputs, outputs, feeds });
}

/** A tensor of zeros and ones that no gradient flows into. */
export const maskInput = (shape: readonly number[]): SampleInput => ({ shape, dtype: "bool" });
