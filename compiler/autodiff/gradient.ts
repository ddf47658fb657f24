/**
 * Reverse mode: walks from a scalar to what it depends on, asks each op for its inputs' cotangents, and sums.
 *
 * Gradient nodes go into the same graph, so applying it twice gives higher orders. Each op's rule is written in public
 * op functions; a node's gradient serves the node's own source lines and scope.
 */

import { CompileError, InternalError, ShapeError } from "../errors.ts";
import { isFloat } from "../graph/dtype.ts";
import { sameShape, showShape } from "../graph/dim.ts";
import { GraphBuilder } from "../graph/build.ts";
import { type Node, showType, Tensor } from "../graph/node.ts";
import { add, mul } from "../../ops/elementwise/arithmetic.ts";
import { full } from "../../ops/leaves.ts";
import { sum } from "../../ops/reduce/sum.ts";
import { Recompute } from "./recompute.ts";

/**
 * ∂(Σ y)/∂x for each x in `wrt`: zeros where y does not depend on it.
 *
 * @param y A scalar, or any tensor with its cotangent in `seed`.
 * @throws ShapeError when y is no scalar and no seed is given; CompileError when an op on the way has no gradient.
 * @example
 * ```ts
 * import { exp, gradient, input, model, mul, sum } from "@weft/weft";
 *
 * // The gradient, and a product of the Hessian with a vector: the gradient of a gradient.
 * model({ x: input([3], "f32"), v: input([3], "f32") }, ({ x, v }) => {
 *   const [slope] = gradient(sum(mul(exp(x), x)), [x]);
 *   const [curvature] = gradient(sum(mul(slope!, v)), [x]);
 *   return { slope: slope!, curvature: curvature! };
 * });
 * ```
 */
export function gradient(y: Tensor, wrt: readonly Tensor[], seed?: Tensor): Tensor[] {
  return cotangents(y, wrt, seed).map((g, i) => g ?? full(wrt[i]!.shape, 0, wrt[i]!.dtype));
}

/** The same with null where y does not depend on x. */
export function cotangents(y: Tensor, wrt: readonly Tensor[], seed?: Tensor): (Tensor | null)[] {
  return walk(y, wrt, seed, new Set());
}

/** @param stops Nodes that count as given: nothing flows through them. */
function walk(
  y: Tensor,
  wrt: readonly Tensor[],
  seed: Tensor | undefined,
  stops: ReadonlySet<Node>,
): (Tensor | null)[] {
  const builder = GraphBuilder.current("gradient");
  if (!seed && y.shape.length > 0) {
    throw new ShapeError(
      `gradient: starts from a scalar, and ${
        showShape(y.shape)
      } is none; reduce it first (mean, sum) or give a seed`,
    );
  }
  if (!isFloat(y.dtype)) {
    throw new ShapeError(
      `gradient: of ${
        showType(y)
      }; only f32 and f16 have derivatives: use cast(x, "f32") before what is learned`,
    );
  }
  if (seed && (!sameShape(seed.shape, y.shape) || seed.dtype !== y.dtype)) {
    throw new ShapeError(
      `gradient: the seed is ${showType(seed)} and must be ${showType(y)}, as what it weighs`,
    );
  }
  const reached = dependents(wrt, y.node, stops);
  const recompute = new Recompute(builder);
  /** Contributions to each tensor's cotangent, in the order found. */
  const flows = new Map<string, Tensor[]>();
  const flow = (to: Tensor, g: Tensor) => {
    const list = flows.get(to.key);
    if (list) list.push(g);
    else flows.set(to.key, [g]);
  };
  const total = (of: Tensor): Tensor | null => {
    const parts = flows.get(of.key);
    return parts ? parts.reduce((a, b) => add(a, b)) : null;
  };
  flow(y, seed ?? full([], 1, y.dtype));
  const wanted = new Set(wrt.map((t) => t.key));
  const result = new Map<string, Tensor | null>();
  // Ids are a topological order: larger ids first means that every use has flowed before a node is asked.
  for (const node of [...reached].sort((a, b) => b.id - a.id)) {
    const outputs = node.types.map((_, i) => new Tensor(node, i));
    builder.onBehalfOf(node, () => {
      const cotangents = outputs.map(total);
      outputs.forEach((o, i) => {
        if (wanted.has(o.key)) result.set(o.key, cotangents[i]!);
      });
      if (stops.has(node) || cotangents.every((g) => g === null)) return;
      // Nothing beyond this node leads to what is asked for: its rule need not exist.
      if (!node.inputs.some((input) => reached.has(input.node))) return;
      const rule = node.op.gradient;
      if ("notDifferentiable" in rule) {
        throw new CompileError(`gradient: ${node.op.name} has no gradient: ${rule.notDifferentiable}`, {
          origin: builder.originsOf(node)[0],
        });
      }
      const inputs = node.inputs.map((t) => recompute.seenFrom(node, t));
      const flowing = typeof rule === "function"
        ? rule({
          inputs,
          outputs: outputs.map((t) => recompute.seenFrom(node, t)),
          cotangents,
          attrs: node.attrs,
        })
        : throughExpansion(node, inputs, cotangents);
      node.inputs.forEach((input, i) => {
        const g = flowing[i];
        if (g && reached.has(input.node) && isFloat(input.dtype)) flow(input, g);
      });
    });
  }
  return wrt.map((t) => result.get(t.key) ?? null);
}

/** The cotangents of a composite's inputs, each taken as given, through the plain ops that it stands for. */
function throughExpansion(
  node: Node,
  inputs: readonly Tensor[],
  cotangents: readonly (Tensor | null)[],
): (Tensor | null)[] {
  if (!node.op.expand) {
    throw new InternalError("gradient", `${node.op.name} has no expansion to differentiate`);
  }
  const terms = node.op.expand(inputs, node.attrs).flatMap((result, i) => {
    const g = cotangents[i];
    return g ? [sum(mul(result, g))] : [];
  });
  const given = walk(
    terms.reduce((a, b) => add(a, b)),
    inputs,
    undefined,
    new Set(inputs.map((t) => t.node)),
  );
  // A tensor that is an input twice has its whole cotangent already.
  const first = (t: Tensor, i: number) => inputs.findIndex((u) => u.key === t.key) === i;
  return given.map((g, i) => first(inputs[i]!, i) ? g : null);
}

/** The nodes between `wrt` and y, both included. */
function dependents(wrt: readonly Tensor[], y: Node, stops: ReadonlySet<Node>): Set<Node> {
  const leads = new Map<Node, boolean>();
  const targets = new Set(wrt.map((t) => t.node));
  // Depth-first without recursion: graphs of thousands of layers must not overflow the stack.
  const stack: Node[] = [y];
  while (stack.length > 0) {
    const node = stack[stack.length - 1]!;
    if (leads.has(node)) {
      stack.pop();
      continue;
    }
    const open = stops.has(node) ? [] : node.inputs.filter((input) => !leads.has(input.node));
    if (open.length > 0) {
      stack.push(...open.map((input) => input.node));
      continue;
    }
    leads.set(node, targets.has(node) || node.inputs.some((input) => leads.get(input.node)));
    stack.pop();
  }
  return new Set([...leads].filter(([, lead]) => lead).map(([node]) => node));
}
