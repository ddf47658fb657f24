/**
 * Explanations of two programs, word for word, and what can be asked.
 *
 * After a change on purpose: `deno test -A tests/unit/explain/explain_test.ts -- --update`, and read the difference.
 */

import assert from "node:assert/strict";
import { type Compiled, compileGraph, policies } from "../../../compiler/compile.ts";
import { CompileError } from "../../../compiler/errors.ts";
import { summaryOf } from "../../../compiler/explain/print.ts";
import type { FusionPolicy } from "../../../compiler/fuse/policy.ts";
import type { Model } from "../../../compiler/model/model.ts";
import { softwareTarget, type Target, testTarget } from "../../../compiler/target.ts";
import {
  add,
  exp,
  explain,
  input,
  linear,
  matmul,
  model,
  mse,
  mul,
  named,
  noFuse,
  printExplanations,
  relu,
  sgd,
  softmax,
  sort,
  sum,
  tanh,
  trainStep,
} from "../../../mod.ts";

const golden = new URL("../../golden/explanations.txt", import.meta.url);

const compiled = (
  net: Model,
  policy: FusionPolicy = policies.greedy,
  target: Target = testTarget,
): Compiled => compileGraph(net.graph, { target, policy });

const step = trainStep(
  model({ x: input([16, 8], "f32"), t: input([16, 4], "f32") }, ({ x, t }) => {
    const hidden = named("first", () => linear(8, 32)(x));
    return { loss: mse(linear(32, 4)(relu(hidden)), t) };
  }),
  sgd({ rate: 0.1 }),
);

/** One of every kind: products in a row, a hint, a program, siblings, a cycle. */
const mixed = model({ x: input([64, 64], "f32"), w: input([64, 64], "f32") }, ({ x, w }) => {
  const product = named("one", () => matmul(tanh(x), w));
  const second = named("two", () => matmul(relu(product), w));
  const kept = noFuse(exp(second));
  return { a: softmax(mul(kept, 2)), b: sort(add(second, 1), { axis: 1 }), c: sum(mul(x, w), 1), d: exp(x) };
});

Deno.test("explanations of a training step and of a mixed graph read as the golden file says", () => {
  const text = [["a training step", step], ["a mixed graph", mixed]].map(([title, net]) => {
    const list = explain(compiled(net as Model));
    return `# ${title}: ${summaryOf(list)}\n\n${printExplanations(list)}\n`;
  }).join("\n");
  if (Deno.args.includes("--update")) Deno.writeTextFileSync(golden, text);
  assert.equal(text, Deno.readTextFileSync(golden));
});

Deno.test("explain() takes numbers, ops, scopes and lines, in either order", () => {
  const program = compiled(mixed);
  const pairs = (...asked: [string, string?]) =>
    explain(program, ...asked).map(({ a, b }) => `${a.scope}/${a.op} ${b.scope}/${b.op}`);
  assert.deepEqual(pairs("one/matmul", "relu"), ["one/matmul two/relu"]);
  assert.deepEqual(pairs("relu", "one/matmul"), ["one/matmul two/relu"]);
  const [{ a, b }] = explain(program, "tanh", "matmul") as [ReturnType<typeof explain>[number]];
  assert.deepEqual(pairs(`%${a.number}`, `%${b.number}`), ["one/tanh one/matmul"]);
  assert.match(a.lines[0]!, /explain_test\.ts:\d+:\d+$/);
  const line = a.lines[0]!.split("/").at(-1)!.split(":").slice(0, 2).join(":");
  assert(pairs(line).includes("one/tanh one/matmul"));
  assert(pairs("matmul").length > 2);
  assert.throws(() => explain(program, "conv"), (error) => {
    assert(error instanceof CompileError);
    assert.match(
      error.message,
      /explain: "conv" names no op of the compiled graph; say a number such as %12/,
    );
    return true;
  });
});

Deno.test("explain() of two that are no neighbors says what is between them, or that nothing is", () => {
  const program = compiled(mixed);
  const [between] = explain(program, "tanh", "two/matmul");
  assert.deepEqual([between!.relation, between!.fused, between!.rule], ["strangers", false, "dependency"]);
  assert.match(between!.because, /between them is (relu|matmul) \(%\d+\)/);
  const [nothing] = explain(program, "tanh", "sort");
  assert.match(nothing!.because, /between them is/);
  assert.match(explain(program, "sum", "sort")[0]!.because, /neither reads the other's result/);
});

Deno.test("whatever the policy never asked is asked afterwards: the reasons of policies that give none", () => {
  const list = explain(compiled(mixed, policies.none));
  assert(list.every(({ decided }) => !decided));
  const rules = (a: string, b: string) =>
    explain(compiled(mixed, policies.none), a, b).map(({ rule, because }) => `${rule}: ${because}`);
  assert.match(rules("one/matmul", "relu")[0]!, /^cost: legal, but not what none came to; one kernel saves/);
  assert.match(rules("add", "sort")[0]!, /^program: sort brings kernels of its own/);
  assert.match(rules("noFuse", "mul")[0]!, /^hint: noFuse: it is wanted in memory/);
  const net = model({ x: input([8, 8], "f32") }, ({ x }) => ({ y: matmul(matmul(x, x), x) }));
  const products = explain(compiled(net, policies.none))[0]!;
  assert.equal(products.rule, "iteration space");
  assert.match(products.because, /a reduction over the results of a contraction/);
});

Deno.test("a limit is told with the number that was needed, and the kernel that needed it", () => {
  // Two kernels read the sum; one of them is full.
  const inputs = Object.fromEntries(
    ["a", "b", "c", "d", "e", "f"].map((name) => [name, input([256], "f32")]),
  );
  const net = model(inputs, (x) => {
    const both = mul(x["a"]!, x["b"]!);
    const full = add(add(add(both, x["c"]!), x["d"]!), x["e"]!);
    return { y: sum(add(both, 1)), z: add(full, x["f"]!) };
  });
  const target = { ...testTarget, limits: { ...testTarget.limits, storageBuffers: 6 } };
  const [one] = explain(compiled(net as Model, policies.greedy, target), "mul", "add").filter((e) =>
    !e.fused
  );
  assert.deepEqual([one?.rule, one?.numbers.bindingLimit], ["binding limit", 6]);
  assert.match(one!.because, /needs [78] storage buffers, and the limit is 6/);
});

Deno.test("explanations have the model's numbers, and what the kernel takes of lanes and workgroups", () => {
  const product = model({ x: input([256, 256], "f32") }, ({ x }) => ({ y: relu(matmul(x, x)) }));
  const [one] = explain(compiled(product, policies.greedy, softwareTarget));
  const { togetherMs, apartMs, bindings, registers, workgroupBytes, bytes } = one!.numbers;
  assert(one!.fused && togetherMs! < apartMs!);
  assert(bytes! >= 2 * 4 * 256 * 256);
  assert.equal(bindings, 2);
  assert(registers! > 0, "a panel or a tile of sums");
  assert.equal(workgroupBytes, 0);
});
