/**
 * Computes what is known while compiling: a node all of whose inputs are constants becomes a constant, by the op's own
 * reference in f64, rounded to its type. That is at least as exact as the device, and well within each op's bound.
 */

import type { HostArray } from "../graph/dtype.ts";
import type { Node, Tensor } from "../graph/node.ts";
import { isProgram } from "../graph/op.ts";
import { constant, full } from "../../ops/leaves.ts";

/** A larger result is cheaper to compute on the device than to carry along. */
const mostElements = 4096;

/** The node's result as a constant, given the new forms of its inputs; undefined where it is not known or too large. */
export function folded(node: Node, inputs: readonly Tensor[]): Tensor | undefined {
  const { op, attrs, types } = node;
  const named = op.name === "constant" || op.name === "input" || op.name === "state" || op.name === "iota";
  if (named || op.view || types.length !== 1 || isProgram(op.lower) || attrs.stream !== undefined) {
    return undefined;
  }
  if (inputs.length === 0 && op.name !== "sizeOf") return undefined;
  const { shape, dtype } = types[0]!;
  const size = shape.reduce<number>((n, d) => typeof d === "number" ? n * d : Infinity, 1);
  if (size > mostElements || size === 0) return undefined;
  const values = inputs.map(valuesOf);
  if (values.some((v) => v === undefined)) return undefined;
  const concrete = (t: { shape: Tensor["shape"]; dtype: Tensor["dtype"] }) => ({
    shape: t.shape as readonly number[],
    dtype: t.dtype,
  });
  const [result] = op.reference(values as HostArray[], attrs, {
    inputs: inputs.map(concrete),
    outputs: types.map(concrete),
  });
  const first = result![0]!;
  if (result!.every((x) => Object.is(x, first))) return full(shape, first, dtype);
  return constant(Array.from(result!), shape, dtype);
}

/** The numbers of a constant, or of a constant seen through stretching views. */
function valuesOf(tensor: Tensor): HostArray | undefined {
  const { node } = tensor;
  const size = tensor.shape.reduce<number>((n, d) => typeof d === "number" ? n * d : Infinity, 1);
  if (size > mostElements) return undefined;
  if (node.op.name === "constant") return node.attrs.data.expand(tensor.dtype, size);
  if (!node.op.view || node.inputs.length !== 1) return undefined;
  const from = valuesOf(node.inputs[0]!);
  if (!from) return undefined;
  const type = (t: Tensor) => ({ shape: t.shape as readonly number[], dtype: t.dtype });
  return node.op.reference([from], node.attrs, {
    inputs: [type(node.inputs[0]!)],
    outputs: [type(tensor)],
  })[0];
}
