/** `fuse(…)` and `noFuse` bind every policy, or the compile fails with the reason. */

import assert from "node:assert/strict";
import { type Compiled, compileGraph, policies } from "../../../compiler/compile.ts";
import { CompileError } from "../../../compiler/errors.ts";
import type { FusionPolicy } from "../../../compiler/fuse/policy.ts";
import { unfused } from "../../../compiler/fuse/policy.ts";
import type { Model } from "../../../compiler/model/model.ts";
import { testTarget } from "../../../compiler/target.ts";
import {
  add,
  exp,
  fuse,
  input,
  linear,
  matmul,
  model,
  mse,
  mul,
  noFuse,
  relu,
  reshape,
  sgd,
  softmax,
  sort,
  sum,
  tanh,
  type Tensor,
  trainStep,
} from "../../../mod.ts";
import { assertClose } from "../schedule/row_support.ts";
import { HostRun } from "../../support/run_program.ts";

const compiled = (net: Model, policy: FusionPolicy = policies.greedy): Compiled =>
  compileGraph(net.graph, { target: testTarget, policy });

/** The ops of each kernel, in order. */
const kernelsOf = ({ cover }: Compiled): string[] =>
  cover.groups.map(({ nodes }) =>
    [...nodes].filter((n) => !n.op.view && n.op.name !== "constant").sort((a, b) => a.id - b.id)
      .map((n) => n.op.name).join(" ")
  );

const square = { x: input([6, 6], "f32") };

Deno.test("noFuse() ends a kernel: what uses its result loads it", () => {
  const chain = (mark: typeof noFuse | ((x: never) => never)) =>
    model(square, ({ x }) => ({ y: mul((mark as typeof noFuse)(exp(x)), 2) }));
  assert.deepEqual(kernelsOf(compiled(chain((x: never) => x))), ["exp mul"]);
  assert.deepEqual(kernelsOf(compiled(chain(noFuse))), ["exp noFuse", "mul"]);
});

Deno.test("noFuse() keeps two kernels apart that would otherwise have shared memory", () => {
  const net = model(square, ({ x }) => {
    const e = noFuse(exp(x));
    return { e, y: add(e, x), z: add(e, 1) };
  });
  for (const kernel of kernelsOf(compiled(net))) {
    assert(!kernel.includes("noFuse") || !kernel.includes("add"), kernel);
  }
});

Deno.test("noFuse() passes gradients, and results are as without it", () => {
  const train = (mark: boolean) =>
    trainStep(
      model({ x: input([4, 3], "f32"), t: input([4, 2], "f32") }, ({ x, t }) => {
        const hidden = relu(linear(3, 5)(x));
        return { loss: mse(linear(5, 2)(mark ? noFuse(hidden) : hidden), t) };
      }),
      sgd({ rate: 0.1 }),
    );
  const [plain, marked] = [false, true].map((mark) => {
    const run = new HostRun(compiled(train(mark)).program);
    run.program.state.forEach((slot, i) => {
      const size = slot.shape.reduce((n, d) => n * d, 1);
      run.write(slot, Float32Array.from({ length: size }, (_, j) => Math.sin(i + j)));
    });
    return run.run({ x: Float32Array.from({ length: 12 }, (_, i) => i / 6), t: new Float32Array(8) });
  });
  assertClose(marked!["loss"]!, plain!["loss"]!, 1e-6, "loss");
});

Deno.test("fuse() makes one kernel of what greedy would store in between", () => {
  // A sum that two products use is stored; asked to be fused with one of them, it is computed there.
  const net = (hint: <T>(f: () => T) => T) =>
    model(square, ({ x }) => {
      const [s, y] = hint(() => {
        const s = sum(exp(x), 1, { keepDims: true });
        return [s, mul(x, s)] as const;
      });
      return { y, s: reshape(s, [6]) };
    });
  const fused = compiled(net(fuse));
  assert(kernelsOf(fused).some((k) => k.includes("exp sum") && k.includes("mul")), `${kernelsOf(fused)}`);
  const data = { x: Float32Array.from({ length: 36 }, (_, i) => Math.cos(i)) };
  const want = new HostRun(compiled(net((f) => f()), policies.none).program).run(data);
  const got = new HostRun(fused.program).run(data);
  for (const name of ["y", "s"]) assertClose(got[name]!, want[name]!, 1e-5, name);
});

Deno.test("fuse() stores what others need of it, and lets in what only it needs", () => {
  const net = model(square, ({ x }) => {
    const before = tanh(x);
    const [a, b] = fuse(() => [exp(before), mul(before, 3)] as const);
    return { y: matmul(a, b) };
  });
  assert.deepEqual(kernelsOf(compiled(net)), ["tanh exp mul", "matmul"]);
});

function refusal(net: Model, policy?: FusionPolicy): string {
  try {
    compiled(net, policy);
  } catch (error) {
    assert(error instanceof CompileError, `${error}`);
    assert.match(error.message, /hints_test\.ts:\d+/, "names the line of the hint");
    return error.what;
  }
  return "";
}

Deno.test("fuse() fails with the reason where its ops cannot be one kernel", () => {
  assert.match(
    refusal(model(square, ({ x }) => ({ y: fuse(() => matmul(relu(matmul(x, x)), x)) }))),
    /matmul, relu, matmul cannot be one kernel: a reduction over the results of a contraction/,
  );
  assert.match(
    refusal(model(square, ({ x }) => ({ y: fuse(() => sort(exp(x), { axis: 1 })) }))),
    /sort brings kernels of its own/,
  );
  assert.match(
    refusal(model(square, ({ x }) => ({ y: fuse(() => mul(noFuse(exp(x)), 2)) }))),
    /noFuse inside it wants a result in memory/,
  );
  const around = model(square, ({ x }) => {
    let outside = x;
    const y = fuse(() => {
      const e = exp(x);
      outside = noFuse(e);
      return e;
    });
    return { y: fuse(() => add(y, outside)) };
  });
  assert.match(refusal(around), /noFuse inside/);
});

Deno.test("fuse() fails where an op outside stands between two inside", () => {
  const net = model(square, ({ x }) => {
    // Equal nodes are one: made outside first, the product is not inside.
    const between = matmul(exp(x), x);
    return { y: fuse(() => add(exp(x), between)) };
  });
  assert.match(refusal(net), /matmul, which is not inside, needs one of them and is needed by another/);
});

Deno.test("a policy of the user's own is held to hints; policies.none takes none", () => {
  const net = model(square, ({ x }) => ({ y: fuse(() => mul(exp(x), 2)) }));
  const apart: FusionPolicy = { name: "apart", cover: (graph) => unfused(graph) };
  assert.match(refusal(net, apart), /exp, mul are several kernels with the policy "apart"/);
  assert.equal(refusal(net, policies.none), "");
  const stored = model(square, ({ x }) => ({ y: mul(noFuse(exp(x)), 2) }));
  const together: FusionPolicy = {
    name: "together",
    cover: (graph) => {
      const nodes = new Set(graph.nodes.filter((n) => n.op.name !== "input"));
      return { groups: [{ id: 0, roots: Object.values(graph.outputs), nodes }], decisions: [] };
    },
  };
  assert.throws(() => compiled(stored, together), /computes noFuse .* in place, against noFuse|not stored/);
});

Deno.test("fuse() asks for nothing where there are no elements", () => {
  const net = model({ x: input(["n", 8], "f32") }, ({ x }) => ({ y: fuse(() => softmax(add(x, 1))) }));
  const kernels = (n: number) => compileGraph(net.graph, { target: testTarget, sizes: { n } }).kernels.length;
  assert.deepEqual([kernels(5), kernels(0)], [1, 0]);
});

Deno.test("fuse(a, b) makes one kernel of the ops that gave two tensors, and of what is between them", () => {
  const net = (hint: boolean) =>
    model(square, ({ x }) => {
      const s = sum(exp(x), 1, { keepDims: true });
      const y = mul(x, tanh(s));
      if (hint) fuse(s, y);
      return { y, s: reshape(s, [6]) };
    });
  const kernels = kernelsOf(compiled(net(true)));
  assert(kernels.some((k) => k.includes("sum tanh mul")), `${kernels}`);
  const between = model(square, ({ x }) => {
    const a = exp(x), b = relu(matmul(a, x));
    const [one, other] = fuse(a, b);
    return { y: add(one, other) };
  });
  assert.match(
    refusal(model(square, ({ x }) => {
      const a = matmul(x, x);
      const b = matmul(relu(a), x);
      fuse(a, b);
      return { y: b };
    })),
    /matmul, relu, matmul cannot be one kernel/,
  );
  assert(
    kernelsOf(compiled(between)).some((k) => k.startsWith("exp matmul relu")),
    `${kernelsOf(compiled(between))}`,
  );
});

Deno.test("fuse(…) says what it takes, and that an op is in one kernel only", () => {
  const wrong = (f: (x: Tensor<readonly [6, 6], "f32">) => unknown): string => {
    let message = "";
    model(square, ({ x }) => {
      try {
        f(x);
      } catch (error) {
        message = `${error}`;
      }
      return { x };
    });
    return message;
  };
  const loose = fuse as unknown as (...args: readonly unknown[]) => unknown;
  assert.match(wrong(() => loose()), /two tensors and more, fuse\(a, b\); here it was given nothing/);
  assert.match(wrong((x) => loose(exp(x))), /given one tensor/);
  assert.match(wrong((x) => loose(exp(x), 3)), /given a number, not a tensor/);
  assert.match(wrong((x) => fuse(x, exp(x))), /this input is in memory already/);
  assert.match(
    wrong((x) => {
      const a = exp(x);
      const b = tanh(a);
      fuse(a, b);
      fuse(b, relu(b));
    }),
    /tanh belongs to another fuse\(…\) already/,
  );
});
