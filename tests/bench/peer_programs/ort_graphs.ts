/**
 * What ONNX Runtime Web is measured with: graphs of operators that inference has, which express gradients
 * too.
 */

import type { Graph, Node } from "./onnx.ts";
import type { PeerWorkload } from "../workloads/workload.ts";

type Shapes = Readonly<Record<string, readonly number[]>>;

interface OrtGraphs {
  readonly graph: Graph;
  /** What runs once before anything is timed; `graph` may take its outputs. */
  readonly before?: Graph;
}

const node = (
  op: string,
  inputs: string,
  outputs: string,
  attributes: Node["attributes"] = {},
  domain = "",
): Node => ({ op, inputs: inputs.split(" "), outputs: outputs.split(" "), attributes, domain });

/** A graph that takes what none of its nodes gives. */
function graphOf(
  shapes: Shapes,
  nodes: readonly Node[],
  outputs: Shapes,
  constants: Graph["constants"] = {},
): Graph {
  const known = new Set([...Object.keys(constants), ...nodes.flatMap((n) => n.outputs)]);
  const taken = new Set(nodes.flatMap((n) => n.inputs).filter((name) => !known.has(name)));
  return {
    nodes,
    inputs: Object.fromEntries([...taken].map((name) => [name, shapes[name]!])),
    outputs,
    constants,
  };
}

const kept = { keepdims: 1 };

/** By workload, from the shapes of its tensors. */
export const ortGraphs: Readonly<Record<PeerWorkload, (shapes: Shapes) => OrtGraphs>> = {
  // Gemm's own transposed B is slower than a transposition of its own; its transposed A is not.
  matmul_nt: (t) => ({
    graph: graphOf(t, [node("Transpose", "b", "turned"), node("MatMul", "a turned", "y")], { y: [512, 512] }),
  }),
  matmul_tn: (t) => ({ graph: graphOf(t, [node("Gemm", "a b", "y", { transA: 1 })], { y: [512, 512] }) }),
  softmax_backward: (t) => ({
    graph: graphOf(
      t,
      [
        node("Mul", "g s", "product"),
        node("ReduceSum", "product last", "along", kept),
        node("Mul", "along s", "part"),
        node("Sub", "product part", "y"),
      ],
      { y: t.s! },
      { last: [-1] },
    ),
  }),
  layer_norm_backward: (t) => ({
    graph: graphOf(
      t,
      [
        node("ReduceMean", "x last", "mean", kept),
        node("Sub", "x mean", "centered"),
        node("Mul", "centered centered", "squares"),
        node("ReduceMean", "squares last", "variance", kept),
        node("Add", "variance epsilon", "shifted"),
        node("Sqrt", "shifted", "deviation"),
        node("Div", "centered deviation", "normal"),
        node("Mul", "dy g", "d"),
        node("Mul", "d normal", "d_normal"),
        node("ReduceMean", "d last", "plain", kept),
        node("ReduceMean", "d_normal last", "along", kept),
        node("Mul", "normal along", "part"),
        node("Sub", "d plain", "d_plain"),
        node("Sub", "d_plain part", "left"),
        node("Div", "left deviation", "y"),
        node("Mul", "dy normal", "dy_normal"),
        node("ReduceSum", "dy_normal first", "dg", { keepdims: 0 }),
        node("ReduceSum", "dy first", "db", { keepdims: 0 }),
      ],
      { y: t.x!, dg: t.g!, db: t.g! },
      { last: [-1], first: [0], epsilon: 1e-5 },
    ),
  }),
  conv_by_data: (t) => ({
    graph: graphOf(
      t,
      [node("ConvTranspose", "dy w", "y", { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })],
      { y: t.x! },
    ),
  }),
  // The images by the results, with channels in the place of the batch.
  conv_by_weights(t) {
    const turned = { perm: [1, 0, 2, 3] };
    const nodes = [
      node("Transpose", "x", "images", turned),
      node("Transpose", "dy", "results", turned),
      node("Conv", "images results", "sums", { kernel_shape: t.dy!.slice(2), pads: [1, 1, 1, 1] }),
      node("Transpose", "sums", "y", turned),
    ];
    return { graph: graphOf(t, nodes, { y: t.w! }) };
  },
  // Its kernel for attention, which is faster than products and a softmax; ONNX's Attention has none on
  // WebGPU.
  attention: (t) => ({
    graph: graphOf(
      t,
      [node("MultiHeadAttention", "q k v", "y", { num_heads: 1, unidirectional: 1 }, "com.microsoft")],
      { y: t.q! },
    ),
  }),
  // From the result, and the weights, which a forward pass would have kept.
  attention_backward(t) {
    const [heads, n, size] = t.q! as [number, number, number];
    const p = [heads, n, n];
    const scale = 1 / Math.sqrt(size);
    const turned = { perm: [0, 2, 1] };
    const before = graphOf(
      t,
      [
        node("Expand", "low square", "lows"),
        node("Trilu", "lows one", "mask", { upper: 1 }),
        node("Mul", "q scale", "scaled"),
        node("Transpose", "k", "k_turned", turned),
        node("MatMul", "scaled k_turned", "scores"),
        node("Add", "scores mask", "masked"),
        node("Softmax", "masked", "p", { axis: -1 }),
      ],
      { p },
      { low: -1e9, square: [n, n], one: [1], scale },
    );
    const graph = graphOf(
      { ...t, p },
      [
        node("Transpose", "v", "v_turned", turned),
        node("MatMul", "dy v_turned", "dp"),
        // The sum of a row of weights times slopes is that of the result times its gradient.
        node("Mul", "dy o", "shares"),
        node("ReduceSum", "shares last", "along", kept),
        node("Sub", "dp along", "centered"),
        node("Mul", "p centered", "slopes"),
        node("MatMul", "slopes k", "dq"),
        node("Mul", "dq scale", "y"),
        node("Transpose", "slopes", "slopes_turned", turned),
        node("MatMul", "slopes_turned q", "dk_unscaled"),
        node("Mul", "dk_unscaled scale", "dk"),
        node("Transpose", "p", "p_turned", turned),
        node("MatMul", "p_turned dy", "dv"),
      ],
      { y: t.q!, dk: t.q!, dv: t.q! },
      { last: [-1], scale },
    );
    return { before, graph };
  },
};
