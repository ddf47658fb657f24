/**
 * What plain attention looks like in a graph, from its end to its start:
 *
 *     out     = matmul(weights, v)
 *     weights = e / Σ e                                   over the last axis
 *     e       = exp(scores − max scores)
 *     scores  = masks and factors around matmul(q, kᵀ), in any order:
 *               where(visible, s, −∞)    s + mask    s · number    s / number
 *
 * Whether its steps are also used elsewhere is not asked here; attention_rule.ts does.
 */

import type { Shape } from "../../compiler/graph/dim.ts";
import type { Node, Tensor } from "../../compiler/graph/node.ts";
import { add, mul } from "../elementwise/arithmetic.ts";
import { and, not } from "../elementwise/logical.ts";
import { where } from "../elementwise/select.ts";
import { transpose } from "../views/permute.ts";
import { causalPart } from "./attention_mask.ts";

/** Operands of `attention` that give what the plain ops give. */
export interface AttentionMatch {
  readonly q: Tensor;
  /** [..., D, S], as the product with q has it. */
  readonly transposedKeys: Tensor;
  readonly v: Tensor;
  readonly scale: number;
  /** What stands around the product, outermost first. */
  readonly masks: readonly MaskStep[];
  /** Nodes that are gone once attention stands in their place, masks not among them. */
  readonly steps: ReadonlySet<Node>;
}

type MaskStep =
  | { readonly kind: "visible"; readonly mask: Tensor; readonly where: boolean }
  | { readonly kind: "added"; readonly mask: Tensor; readonly factor: number };

/** A softmax of products of rows, with something in the way. */
export interface NearMiss {
  readonly near: string;
}

export const isNearMiss = (x: AttentionMatch | NearMiss): x is NearMiss => "near" in x;

/** What makes matmul(weights, v) attention, or what is missing; undefined: it is something else altogether. */
export function matchAttention(weights: Tensor, v: Tensor): AttentionMatch | NearMiss | undefined {
  const softmax = matchSoftmax(weights);
  if (!softmax) return nearMissBehind(weights);
  const { scores } = softmax;
  const steps = new Set(softmax.steps);
  const masks: MaskStep[] = [];
  let scale = 1;
  for (let s = scores;;) {
    const { node } = s;
    steps.add(node);
    const inputs = node.inputs as readonly [Tensor, Tensor, Tensor];
    switch (node.op.name) {
      case "matmul":
        return { q: inputs[0], transposedKeys: inputs[1], v, scale, masks, steps };
      case "where": {
        const side = inputs.findIndex((x, i) => i > 0 && uniformValue(x) === -Infinity);
        const other = inputs[side === 1 ? 2 : 1]!;
        if (side < 0) {
          return reachesProduct(s) ? { near: "a mask puts in a number that is not −∞" } : undefined;
        }
        masks.push({ kind: "visible", mask: unstretched(inputs[0]), where: side === 2 });
        s = other;
        continue;
      }
      case "add": {
        const side = inputs.findIndex(reachesProduct);
        if (side < 0) return undefined;
        masks.push({ kind: "added", mask: unstretched(inputs[1 - side]!), factor: scale });
        s = inputs[side]!;
        continue;
      }
      case "mul":
      case "div": {
        const number = uniformValue(inputs[1]) ??
          (node.op.name === "mul" ? uniformValue(inputs[0]) : undefined);
        const rest = uniformValue(inputs[1]) === undefined ? inputs[1] : inputs[0];
        if (number === undefined || !Number.isFinite(number) || number <= 0) {
          return reachesProduct(s)
            ? { near: "the scores are scaled by what is no positive number" }
            : undefined;
        }
        scale = node.op.name === "mul" ? scale * number : scale / number;
        s = rest;
        continue;
      }
      default:
        return reachesProduct(s)
          ? { near: `its scores go through ${node.op.name} before the softmax` }
          : undefined;
    }
  }
}

/** The operands of the op, built where the match was found. */
export function operandsOf(match: AttentionMatch): {
  readonly q: Tensor;
  readonly k: Tensor;
  readonly v: Tensor;
  readonly mask: Tensor | undefined;
  readonly causal: boolean;
} {
  const { q, v, masks } = match;
  const k = transpose(match.transposedKeys);
  const pairs = { queries: q.shape.at(-2)!, keys: v.shape.at(-2)! };
  let causal = false;
  let visible: Tensor<Shape, "bool"> | undefined;
  let added: Tensor | undefined;
  for (const step of masks) {
    const known = causalPart(step.mask, pairs, step.kind === "visible" && !step.where);
    if (known) {
      causal ||= known === "causal";
      continue;
    }
    if (step.kind === "added") {
      const mask = step.factor === 1 ? step.mask : mul(step.mask, step.factor);
      added = added ? add(added, mask) : mask;
    } else {
      const mask = step.mask as Tensor<Shape, "bool">;
      const one = step.where ? mask : not(mask);
      visible = visible ? and(visible, one) as Tensor<Shape, "bool"> : one;
    }
  }
  const mask = added && visible ? where(visible, added, -Infinity) : added ?? visible;
  return { q, k, v, mask, causal };
}

/** e / Σ e with e = exp(x − max x), over the last axis. */
function matchSoftmax(
  weights: Tensor,
): { readonly scores: Tensor; readonly steps: readonly Node[] } | undefined {
  const division = weights.node;
  if (division.op.name !== "div") return undefined;
  const [e, total] = division.inputs as readonly [Tensor, Tensor];
  if (e.node.op.name !== "exp" || !isOfLastAxis(total, "sum", e)) return undefined;
  const difference = e.node.inputs[0]!.node;
  if (difference.op.name !== "sub") return undefined;
  const [scores, top] = difference.inputs as readonly [Tensor, Tensor];
  if (!isOfLastAxis(top, "max", scores)) return undefined;
  return { scores, steps: [division, e.node, difference, ...viewsOf(total), ...viewsOf(top)] };
}

/** Is it a reduction of x over its last axis, stretched back along it? */
function isOfLastAxis(stretched: Tensor, op: "sum" | "max", x: Tensor): boolean {
  const chain = viewsOf(stretched);
  const reduction = chain.at(-1)!;
  if (reduction.op.name !== op || reduction.inputs[0]!.key !== x.key) return false;
  const last = x.shape.length - 1;
  const { axes } = reduction.attrs as { readonly axes: readonly number[] };
  if (axes.length !== 1 || axes[0] !== last) return false;
  // In between stands the row with an axis of size 1 at its end, and nothing else.
  const rows = x.shape.slice(0, -1);
  return chain.slice(0, -1).every(({ op, types: [type] }, i) => {
    const expected = i === 0 ? x.shape : [...rows, 1];
    const fits = type!.shape.length === expected.length && type!.shape.every((d, a) => d === expected[a]);
    return fits && ["broadcastTo", "reshape", "stopGradient"].includes(op.name);
  });
}

/** A tensor's node and, through views of one input, the nodes below, down to the first that is no view. */
function viewsOf(t: Tensor): Node[] {
  const chain = [t.node];
  for (let { node } = t; node.op.view && node.inputs.length === 1;) chain.push(node = node.inputs[0]!.node);
  return chain;
}

/** What was stretched: attention broadcasts its mask itself. */
function unstretched(t: Tensor): Tensor {
  return t.node.op.name === "broadcastTo" ? unstretched(t.node.inputs[0]!) : t;
}

/** The number that a tensor is everywhere. */
function uniformValue(t: Tensor): number | undefined {
  const { op, attrs } = viewsOf(t).at(-1)!;
  return op.name === "constant" && attrs.data.values.length === 1 ? attrs.data.values[0] : undefined;
}

const throughProducts: ReadonlySet<string> = new Set([
  "add",
  "sub",
  "mul",
  "div",
  "where",
  "tanh",
  "clamp",
  "cast",
  "reshape",
]);

/** Does it come from a matrix product, through elementwise ops? */
function reachesProduct(t: Tensor): boolean {
  const seen = new Set<Node>();
  const open = [t.node];
  for (let node = open.pop(); node; node = open.pop()) {
    if (node.op.name === "matmul") return true;
    if (seen.has(node) || !throughProducts.has(node.op.name)) continue;
    seen.add(node);
    open.push(...node.inputs.map((input) => input.node));
  }
  return false;
}

const betweenSoftmaxAndProduct: ReadonlySet<string> = new Set([
  ...throughProducts,
  "phase",
  "broadcastTo",
  "permute",
]);

/** A softmax of products that does not come straight into the product with v: dropout on the weights, for one. */
function nearMissBehind(weights: Tensor, depth = 4): NearMiss | undefined {
  const { op, inputs } = weights.node;
  if (depth === 0 || !betweenSoftmaxAndProduct.has(op.name)) return undefined;
  for (const input of inputs) {
    const softmax = matchSoftmax(input);
    if (softmax && reachesProduct(softmax.scores)) {
      return { near: `${op.name} stands between the softmax and the product with v` };
    }
    const deeper = nearMissBehind(input, depth - 1);
    if (deeper) return deeper;
  }
  return undefined;
}
