/**
 * Gradients against central differences, both in f64 by references.
 *
 * Two step sizes say how much the difference itself can be trusted at an element: where they disagree (a kink, a pole, a
 * jump nearby) the tolerance is wide, and the element counts as loose.
 * @module
 */

import { gradient } from "../../compiler/autodiff/gradient.ts";
import { WeftError } from "../../compiler/errors.ts";
import { apply } from "../../compiler/graph/build.ts";
import { type DType, type HostArray, isFloat } from "../../compiler/graph/dtype.ts";
import type { Node, Tensor } from "../../compiler/graph/node.ts";
import type { Op, Sample } from "../../compiler/graph/op.ts";
import { inputOp } from "../../ops/leaves.ts";
import { evaluateGraph } from "../../compiler/reference/evaluate.ts";
import { randomOf } from "../../compiler/reference/random.ts";
import type { SampleGraph } from "./sample_graph.ts";

export interface GradientCheck {
  /** Sentences about elements where the gradient is wrong. */
  readonly wrong: readonly string[];
  readonly elements: number;
  /** Elements at which differences say little. */
  readonly loose: number;
}

/** Constants in a gradient are rounded to the type of their tensors. */
const exactness: Readonly<Record<DType, number>> = { f32: 1e-6, f16: 2 ** -10, i32: 0, u32: 0, bool: 0 };

/** Elements tried per input. */
const most = 40;

/** Compares ∂Σ c·y/∂x with differences for every float input x and float result y, with random c. */
export function checkGradient(
  { builder, inputs, outputs, feeds: given }: SampleGraph,
  seed = 3,
): GradientCheck {
  const random = randomOf(seed);
  const wrong: string[] = [];
  let elements = 0;
  let loose = 0;
  const wrt = inputs.filter((t) => isFloat(t.dtype));
  if (wrt.length === 0) return { wrong, elements, loose };
  for (const y of outputs.filter((t) => isFloat(t.dtype))) {
    const feeds = new Map<Node, HostArray>(given);
    const seedInput = builder.use(() => apply(inputOp, [], { name: "c", shape: y.shape, dtype: y.dtype }));
    const [y0] = evaluateGraph([y], feeds);
    const c = y0!.map(() => (random() < 0.5 ? -1 : 1) * (0.5 + random()));
    feeds.set(seedInput.node, c);
    const gradients = evaluateGraph(builder.use(() => gradient(y, wrt, seedInput)), feeds);
    wrt.forEach((x, i) => {
      const g = gradients[i]!;
      const scale = Math.max(...g.map(Math.abs), 1e-3);
      for (const at of someOf(g.length, random)) {
        const { value, doubt } = differenceAt(y, x, at, feeds, c);
        const tolerance = exactness[x.dtype] * Math.max(scale, Math.abs(value)) + doubt;
        elements++;
        if (!(tolerance < 0.01 * Math.max(scale, Math.abs(value)))) loose++;
        else if (!(Math.abs(g[at]! - value) <= tolerance)) {
          wrong.push(
            `∂(result ${y.result})/∂(input ${i})[${at}] is ${g[at]}; differences say ${value} ± ${tolerance}`,
          );
        }
      }
    });
  }
  return { wrong, elements, loose };
}

/**
 * The same sample with its gradient as results, and the cotangent as one more input: what to check for second
 * derivatives. Undefined where no float depends on a float.
 */
export function gradientGraph(
  { builder, node, inputs, outputs, feeds }: SampleGraph,
): SampleGraph | undefined {
  const wrt = inputs.filter((t) => isFloat(t.dtype));
  const y = outputs.find((t) => isFloat(t.dtype));
  if (!y || wrt.length === 0) return undefined;
  const c = builder.use(() => apply(inputOp, [], { name: "c0", shape: y.shape, dtype: y.dtype }));
  const [values] = evaluateGraph([y], feeds);
  const gradients = builder.use(() => gradient(y, wrt, c));
  return {
    builder,
    node,
    inputs: [...wrt, c],
    outputs: gradients,
    feeds: new Map(feeds).set(c.node, values!.map((_, i) => 0.5 + (i % 8) / 8)),
  };
}

/** All indices, or evenly spaced ones with a random start. */
function someOf(length: number, random: () => number): number[] {
  const step = Math.max(1, Math.floor(length / most));
  const from = Math.floor(random() * step);
  return Array.from({ length: Math.min(length, most) }, (_, i) => from + i * step);
}

/** The central difference of Σ c·y at one element of x, extrapolated from two steps, and how far it may be off. */
function differenceAt(
  y: Tensor,
  x: Tensor,
  at: number,
  feeds: ReadonlyMap<Node, HostArray>,
  c: HostArray,
): { value: number; doubt: number } {
  const center = feeds.get(x.node)!;
  const loss = (shift: number): { sum: number; size: number } => {
    const moved = center.slice();
    moved[at] = center[at]! + shift;
    const [values] = evaluateGraph([y], new Map(feeds).set(x.node, moved));
    let sum = 0;
    let size = 0;
    values!.forEach((v, i) => {
      sum += v * c[i]!;
      size += Math.abs(v * c[i]!);
    });
    return { sum, size };
  };
  const h = 1e-4 * Math.max(1, Math.abs(center[at]!));
  const slope = (step: number) => (loss(step).sum - loss(-step).sum) / (2 * step);
  const wide = slope(h);
  const narrow = slope(h / 2);
  const noise = 1e-14 * loss(0).size / h;
  return { value: (4 * narrow - wide) / 3, doubt: 2 * Math.abs(narrow - wide) + noise };
}

/** Notes of samples that sit on kinks and poles: what holds there is tested by name. */
const kinks = /special values|\bties\b/;
/** Ops whose gradient is not the derivative on purpose. */
const ownGradient = new Set(["stopGradient"]);

/** Whether an op has a gradient that is its derivative. */
export const hasGradient = <Attrs>(op: Op<Attrs>): boolean =>
  !("notDifferentiable" in op.gradient) && !ownGradient.has(op.name);

/** The samples of an op at which it has a derivative. */
export const smoothSamples = <Attrs>(op: Op<Attrs>): readonly Sample<Attrs>[] =>
  op.samples.filter(({ note }) => !(note && kinks.test(note)));

/**
 * Holds gradients to differences.
 *
 * @throws WeftError where one is wrong, or where differences say nothing at too many elements.
 */
export function assertGradients(graphs: readonly SampleGraph[]): { readonly elements: number } {
  let elements = 0;
  let loose = 0;
  for (const graph of graphs) {
    const check = checkGradient(graph);
    if (check.wrong.length > 0) {
      const what = `${graph.node.op.name} of ${graph.inputs.join(", ")}`;
      throw new WeftError(`the gradient of ${what} is wrong: ${check.wrong.slice(0, 3).join("; ")}`);
    }
    elements += check.elements;
    loose += check.loose;
  }
  if (loose > 0.1 * elements) {
    throw new WeftError(`differences say nothing of the gradient at ${loose} of ${elements} elements`);
  }
  return { elements };
}
