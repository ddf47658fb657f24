/**
 * Mistakes that users make, each one call. Tensors are typed loosely here, so that the type checker lets them through
 * and the run time has to speak.
 */

import {
  adam,
  add,
  argmax,
  attention,
  bitcast,
  cast,
  checkpoint,
  concat,
  constant,
  conv,
  crossEntropy,
  customGradient,
  customKernel,
  type Dim,
  dropout,
  type DType,
  einsum,
  embedding,
  exp,
  expandDims,
  expectShape,
  gather,
  gradient,
  groupNorm,
  init,
  input,
  iota,
  linear,
  matmul,
  maxPool,
  mean,
  model,
  mse,
  mul,
  named,
  nn,
  pad,
  parameter,
  permute,
  relu,
  reshape,
  setState,
  sgd,
  type Shape,
  slice,
  softmax,
  split,
  squeeze,
  stack,
  state,
  sum,
  Tensor,
  topK,
  trainStep,
  uniform,
  warmupCosine,
  where,
} from "../../mod.ts";
import { compileGraph } from "../../compiler/compile.ts";
import { bindSizes } from "../../compiler/graph/bind.ts";
import { testTarget } from "../../compiler/target.ts";

type Loose = Tensor<Shape, "f32">;

let made = 0;

/** A tensor of a shape, in the graph being traced; typed f32 whatever it is. */
function t(shape: Shape, dtype: DType = "f32"): Loose {
  return state(`tensor${made++}`, shape, init.zeros(), dtype) as Tensor as Loose;
}

/** The same, typed as nothing at all. */
const wrong = (shape: Shape, dtype: DType = "f32"): never => t(shape, dtype) as never;

/** A mistake inside a model. */
const inModel = (f: () => unknown) => () => {
  model({}, () => {
    f();
    return {};
  });
};

/** A small model to make mistakes with. */
const net = (extra: (x: Loose) => Record<string, Tensor> = () => ({})) =>
  model({ x: input(["batch", 4], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
    const logits = linear(4, 3)(x);
    return { logits, loss: crossEntropy(logits, y), ...extra(x) };
  });

const elsewhere = (): Tensor => {
  let leaked: Tensor | undefined;
  model({ x: input([4], "f32") }, ({ x }) => ({ y: leaked = mul(x, 2) }));
  return leaked!;
};

/** A kernel of the user's own, with something wrong about it. */
const kernel = (options: Partial<Parameters<typeof customKernel>[0]>) =>
  customKernel({
    name: "scale",
    inputs: { x: { shape: ["n", 4], dtype: "f32" }, factor: { shape: ["n"], dtype: "f32" } },
    outputs: { y: { shape: ["n", 4], dtype: "f32" } },
    wgsl: "let i = global_invocation_id.x; if (i < 4u * n) { y[i] = factor[i / 4u] * x[i]; }",
    ...options,
  }) as (inputs: Record<string, Tensor>) => Record<string, Tensor>;

/** Compiles a model that calls it. */
const compiling = (options: Partial<Parameters<typeof customKernel>[0]>) => {
  const scale = kernel(options);
  const net = model({ x: input([300, 4], "f32"), factor: input([300], "f32") }, (given) => scale(given));
  compileGraph(net.graph, { target: testTarget });
};

export const mistakes: Readonly<Record<string, () => unknown>> = {
  "an op outside a model": () => add(net().outputs.loss, 1),
  "a parameter outside a model": () => parameter("w", [2], init.zeros()),
  "a tensor of another model": inModel(() => add(elsewhere(), t([4]))),
  "an output of another model": () => model({}, () => ({ y: elsewhere() })),
  "an output that is no tensor": () => model({}, () => ({ y: 3 as never })),
  "a model that returns one tensor": () => model({}, () => t([2]) as never),
  "a model without a function": () => model({ x: input([4], "f32") }, undefined as never),
  "inputs in a list": () => model([input([4], "f32")] as never, () => ({})),
  "a shape for an input": () => model({ x: [4] as never }, () => ({})),
  "an async model": () => model({}, (() => Promise.resolve({})) as never),
  "arithmetic with operators": inModel(() => Number(t([2])) + 1),

  "broadcasting shapes that do not fit": inModel(() => add(t(["batch", 784]), t([100, 10]))),
  "two dtypes in one op": inModel(() => mul(t([3]), wrong([3], "i32"))),
  "a fraction for an integer tensor": inModel(() => add(t([3], "i32"), 0.5)),
  "arithmetic on bool": inModel(() => add(t([3], "bool"), t([3], "bool"))),
  "a condition that is no bool": inModel(() => where(wrong([3]), t([3]), 0)),
  "a layer that is not called": inModel(() => relu(linear(2, 2) as never)),
  "an array for a tensor": inModel(() => add(t([2]), [1, 2] as never)),
  "an operand that is missing": inModel(() => matmul(t([2, 2]), undefined as never)),
  "an exponential of integers": inModel(() => exp(wrong([3], "i32"))),
  "a softmax of integers": inModel(() => softmax(wrong([2, 3], "i32"))),
  "a cast to what is no dtype": inModel(() => cast(t([2]), "float16" as never)),
  "where of two numbers": inModel(() => where(wrong([3], "bool"), 1, 0)),

  "a matmul of inner sizes that differ": inModel(() => matmul(t(["batch", 784]), t([100, 10]))),
  "a matmul with a matrix that needs a transpose": inModel(() => matmul(t([8, 64]), t([10, 64]))),
  "a matmul of leading axes that differ": inModel(() => matmul(t([2, 4, 5]), t([3, 5, 6]))),
  "a matmul with a scalar": inModel(() => matmul(t([2, 3]), t([]))),
  "an einsum of sizes that differ": inModel(() => einsum("ij,jk->ik", t([2, 3]), t([4, 5]))),

  "an einsum with a label too many": inModel(() => einsum("ijk,jk->i", t([2, 3]), t([3, 4]))),
  "attention of sizes that differ": inModel(() =>
    attention(t([1, 2, 4, 8]), t([1, 2, 4, 6]), t([1, 2, 4, 8]))
  ),
  "attention with heads that do not share": inModel(() =>
    attention(t([1, 3, 4, 8]), t([1, 2, 4, 8]), t([1, 2, 4, 8]))
  ),
  "an attention mask of another size": inModel(() => {
    const [q, k] = [t([1, 2, 4, 8]), t([1, 2, 5, 8])];
    attention(q, k, k, { mask: t([4, 4], "bool") as Tensor });
  }),

  "a reshape to another number of elements": inModel(() => reshape(t(["batch", 28, 28]), ["batch", 748])),
  "a reshape with two sizes to work out": inModel(() => reshape(t([4, 6]), [-1, -1])),
  "an axis that is not there": inModel(() => sum(t(["batch", 4]), 2)),
  "an axis twice": inModel(() => mean(t(["batch", 4]), [1, -1])),
  "an order that is none": inModel(() => permute(t([2, 3, 4]), [0, 1])),
  "a concat of sizes that differ": inModel(() => concat([t([2, 3]), t([2, 4])], 0)),
  "a stack of shapes that differ": inModel(() => stack([t([2]), t([3])])),
  "parts that do not make the whole": inModel(() => split(t([2, 7]), [3, 3], 1)),
  "a squeeze of what is not 1": inModel(() => squeeze(t([2, 3]), 0)),
  "an axis added too far out": inModel(() => expandDims(t([2, 3]), 5)),
  "a padding below 0": inModel(() => pad(t([2, 3]), [[-1, 0]])),
  "a reflection wider than the axis": inModel(() => pad(t([2, 3]), [[2, 0]], { mode: "reflect" })),
  "a padding that is none": inModel(() => pad(t([2, 3]), [[1, 0]], { mode: "wrap" as never })),
  "a size below 0 of a new tensor": inModel(() => iota([-1])),
  "more than there are": inModel(() => topK(t([4]), 5)),
  "the largest of nothing": inModel(() => argmax(t(["batch", 0]))),
  "a range beyond its axis": inModel(() => slice(t([4]), [{ start: 2, stop: 9 }])),
  "a range that ends by another name": inModel(() => slice(t([4]), [{ start: 1, end: 3 } as never])),
  "more ranges than axes": inModel(() => slice(t([4]), [{ stop: 2 }, { stop: 2 }])),
  "a shape that is not as expected": inModel(() => expectShape(t(["batch", 6]), ["batch", 8])),
  "a mean of integers": inModel(() => mean(t([4], "i32"))),
  "too few numbers for a constant": inModel(() => constant([1, 2, 3], [2, 2])),

  "nested lists for a constant": inModel(() => constant([[1, 2], [3, 4]] as never, [2, 2])),
  "a fraction in an integer constant": inModel(() => constant([1, 2.5], [2], "i32")),

  "indices that are floats": inModel(() => gather(t([5, 2]), wrong([3]))),
  "an embedding of floats": inModel(() => embedding(t([10, 4]), wrong([3]))),
  "a convolution of channels that differ": inModel(() => conv(t([1, 3, 8, 8]), t([4, 2, 3, 3]))),
  "an image with its channels last": inModel(() => conv(t([1, 28, 28, 1]), t([8, 1, 3, 3]))),
  "a window larger than the image": inModel(() => conv(t([1, 3, 4, 4]), t([2, 3, 5, 5]))),
  "a pooling window larger than the image": inModel(() => maxPool(t(["batch", 3, 4, 4]), 5)),
  "layers in the wrong order": inModel(() => {
    const hidden = linear(784, 128), out = linear(128, 10);
    hidden(out(wrong(["batch", 784])));
  }),
  "a batch norm called twice": inModel(() => {
    const norm = nn.batchNorm(4);
    norm(relu(norm(t([8, 4]))));
  }),
  "a layer for another size": inModel(() => linear(784, 10)(wrong(["batch", 100]))),
  "a layer on integers": inModel(() => linear(4, 2)(wrong([3, 4], "i32"))),
  "a layer of size 0": inModel(() => linear(0, 10)),
  "a norm for another size": inModel(() => nn.layerNorm(128)(wrong(["batch", 64]))),
  "groups that do not divide": inModel(() => groupNorm(t([2, 6, 4]), 4)),
  "dropping everything": inModel(() => dropout(t([4]), 1)),
  "dropping integers": inModel(() => dropout(t([4], "i32"), 0.5)),
  "bounds in the wrong order": inModel(() => uniform([4], { lo: 1, hi: -1 })),
  "a layer's name with a slash": inModel(() => linear(2, 2, { name: "a/b" })),

  "one-hot labels": inModel(() => crossEntropy(t([8, 10]), wrong([8, 10], "i32"))),
  "float labels": inModel(() => crossEntropy(t([8, 10]), wrong([8]))),
  "too much smoothing": inModel(() => crossEntropy(t([8, 10]), wrong([8], "i32"), { smoothing: 1 })),
  "a loss of shapes that differ": inModel(() => mse(t(["batch", 1]), wrong(["batch"]))),

  "a parameter's name twice": inModel(() => {
    parameter("scale", [4], init.ones());
    named("block0", () => parameter("scale", [4], init.ones()));
    parameter("scale", [4], init.zeros());
  }),
  "a parameter without an initializer": inModel(() => parameter("w", [4], undefined as never)),
  "a layer's name twice": inModel(() => {
    linear(2, 2, { name: "head" });
    linear(2, 2, { name: "head" });
  }),
  "a scope with a slash": inModel(() => named("a/b", () => t([1]))),
  "a state written twice": inModel(() => {
    const runs = state("runs", [], init.zeros(), "i32");
    setState(runs, add(runs, 1));
    setState(runs, add(runs, 2));
  }),
  "a state written with another shape": inModel(() => {
    setState(state("average", [4], init.zeros()), wrong([4, 1]));
  }),
  "a write to what is no state": inModel(() => setState(mul(t([2]), 2), t([2]))),

  "a dtype that is none": () => input(["batch"], "float32" as never),
  "a size that is computed": () => input(["seq-1" as Dim], "f32"),
  "a size below 0": () => input([-1], "f32"),
  "a shape that is no array": () => input("batch" as never, "f32"),

  "a gradient of a vector": inModel(() => gradient(softmax(t([4])), [])),
  "a gradient of an integer": inModel(() => gradient(sum(t([4], "i32")), [])),
  "a seed of another shape": inModel(() => gradient(softmax(t([4])), [], t([]))),
  "a gradient through what has none": inModel(() => {
    const x = t([4]);
    gradient(sum(bitcast(bitcast(x, "i32"), "f32")), [x]);
  }),
  "a rule with too few cotangents": inModel(() => {
    const x = t([4]);
    const [y] = customGradient([x, x], ([a]) => [mul(a, 2)], ({ cotangents: [g] }) => [g] as never);
    gradient(sum(y), [x]);
  }),
  "a rule with another shape": inModel(() => {
    const x = t([4]);
    const [y] = customGradient([x], ([a]) => [mul(a, 2)], ({ cotangents: [g] }) => [sum(g)]);
    gradient(sum(y), [x]);
  }),
  "a checkpoint outside a model": () => checkpoint(() => 1),

  "a custom kernel outside a model": () => kernel({})({}),
  "a custom kernel without an input": inModel(() => kernel({})({ x: t([3, 4]) })),
  "a custom kernel with an input too many": inModel(() => {
    kernel({})({ x: t([3, 4]), factor: t([3]), bias: t([4]) });
  }),
  "a custom kernel on sizes that differ": inModel(() => kernel({})({ x: t(["batch", 4]), factor: t([8]) })),
  "a custom kernel on another size": inModel(() => kernel({})({ x: t([3, 5]), factor: t([3]) })),
  "a custom kernel on another number of axes": inModel(() => kernel({})({ x: t([3]), factor: t([3]) })),
  "a custom kernel on integers": inModel(() => kernel({})({ x: t([3, 4], "i32"), factor: t([3]) })),
  "a gradient through a custom kernel that has none": inModel(() => {
    const x = t([3, 4]);
    gradient(sum(kernel({})({ x, factor: t([3]) })["y"]!), [x]);
  }),
  "a custom kernel's gradient of another shape": inModel(() => {
    const x = t([3, 4]);
    const scale = kernel({ gradient: ({ cotangents }) => ({ factor: cotangents["y"]! }) });
    gradient(sum(scale({ x, factor: mean(x, 1) })["y"]!), [x]);
  }),
  "a custom kernel's binding": () =>
    kernel({ declarations: "@group(0) @binding(0) var<storage> x: array<f32>;" }),
  "a custom kernel's function": () => kernel({ wgsl: "fn double(v: f32) -> f32 { return 2 * v; }" }),
  "a custom kernel's pointer to an element": () =>
    kernel({
      declarations: "fn set(p: ptr<function, f32>) { *p = 1.0; }",
      wgsl: "\nvar a: array<f32, 4>;\nset(&a[1]);",
    }),
  "a custom kernel's output of no known size": () =>
    kernel({ outputs: { y: { shape: ["m"], dtype: "f32" } } }),
  "a custom kernel's tensor with the name of a keyword": () =>
    kernel({ outputs: { loop: { shape: ["n"], dtype: "f32" } } }),
  "a custom kernel of too many lanes": () => compiling({ workgroupSize: [32, 32], workgroups: () => 1 }),
  "a custom kernel of too many workgroups": () => compiling({ workgroups: () => [300_000, 300_000] }),
  "a custom kernel with too much workgroup memory": () =>
    compiling({ declarations: "var<workgroup> rows: array<vec4f, 4 * n>;" }),

  "training without a loss": () => trainStep(net().only("logits") as never, adam({ rate: 1e-3 })),
  "training without an optimizer": () => trainStep(net().only("loss") as never, undefined as never),
  "an optimizer that is not made": () => trainStep(net().only("loss") as never, adam as never),
  "training what is no model": () => trainStep({ loss: 1 } as never, adam({ rate: 1e-3 })),
  "training on a loss per row": () => {
    trainStep(
      model({ x: input(["batch", 4], "f32") }, ({ x }) => ({ loss: linear(4, 1)(x) as never })),
      sgd({ rate: 1 }),
    );
  },
  "training without parameters": () => {
    trainStep(model({ x: input(["batch", 4], "f32") }, ({ x }) => ({ loss: mean(x) })), sgd({ rate: 1 }));
  },
  "a rate below 0": () => adam({ rate: -1 }),
  "a rate left out": () => adam({} as never),
  "Nesterov without momentum": () => sgd({ rate: 0.1, nesterov: true }),
  "gradients clipped to nothing": () => adam({ rate: 0.1, clip: 0 }),
  "a momentum of 1": () => sgd({ rate: 0.1, momentum: 1 }),
  "a schedule shorter than its warm-up": () => warmupCosine({ peak: 1, warmup: 100, steps: 50 }),

  "an output that is not there": () => net().only("logit" as never),
  "an input that is not there": () => net().without("labels" as never),
  "an input that is needed": () => net().without("y"),
  "a size renamed to an expression": () => net().rename({ batch: "2*batch" }),

  "a size without a number": () => bindSizes(net().graph, {}),
  "a size that the model does not have": () => bindSizes(net().graph, { batch: 2, seq: 3 }),
  "a size that is a fraction": () => bindSizes(net().graph, { batch: 2.5 }),
  "a size that does not divide for every number": () => net((x) => ({ half: reshape(x, [-1, 8]) })),
  "a size that turns out otherwise": () => {
    const flat = net((x) => ({ flat: expectShape(reshape(x, [-1]), [16]) }));
    bindSizes(flat.graph, { batch: 8 });
  },
  "numbers that do not fill a parameter": () =>
    init.values([1, 2])({ shape: [3], dtype: "f32", seed: 0, path: "w" }),
};
