/** The policies that ship: what each makes of small graphs, that all are right, and that the best is the best. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { compileGraph, policies } from "../../compiler/compile.ts";
import { Candidates, type Part } from "../../compiler/fuse/candidates.ts";
import type { PolicyName } from "../../compiler/fuse/policies.ts";
import { bestPartitions } from "../../compiler/fuse/policies/exhaustive.ts";
import { verifyCover } from "../../compiler/fuse/verify.ts";
import { isRunnable } from "../../compiler/fuse/order_groups.ts";
import { costModelOf } from "../../compiler/fuse/worthwhile.ts";
import type { Graph } from "../../compiler/graph/graph.ts";
import { softwareTarget, type Target, testTarget } from "../../compiler/target.ts";
import {
  add,
  exp,
  fuse,
  input,
  matmul,
  type Model,
  model,
  mul,
  relu,
  softmax,
  sum,
  tanh,
} from "../../mod.ts";
import { CaseChecker } from "../support/check_cases.ts";
import { randomCase } from "../support/random_cases.ts";
import { tapes } from "../support/random_graphs.ts";

const names = Object.keys(policies) as PolicyName[];

const compiled = (graph: Graph, name: PolicyName, target: Target = testTarget) =>
  compileGraph(graph, { target, policy: policies[name] });

/** The ops of each kernel, in order. */
const kernelsOf = ({ graph }: Model, name: PolicyName): string[] =>
  compiled(graph, name).cover.groups.map(({ nodes }) =>
    [...nodes].filter((n) => !n.op.view && n.op.name !== "constant").sort((a, b) => a.id - b.id)
      .map((n) => n.op.name).join(" ")
  );

const square = { x: input([64, 64], "f32"), w: input([64, 64], "f32"), b: input([64], "f32") };

/** A prologue, a product, a bias, an activation, and a row over the result. */
const layer = model(square, ({ x, w, b }) => ({ y: softmax(relu(add(matmul(tanh(x), w), b))) }));
/** A cheap op that two products read, and a product that two maps read. */
const shared = model(square, ({ x, w }) => {
  const half = mul(x, 0.5), product = matmul(half, w);
  return { a: exp(product), b: matmul(w, half), c: tanh(product) };
});

const expected: Readonly<Record<PolicyName, readonly (readonly string[])[]>> = {
  none: [
    ["tanh", "matmul", "add", "relu", "max", "sub", "exp", "sum", "div"],
    ["mul", "matmul", "exp", "matmul", "tanh"],
  ],
  "epilogue-only": [
    ["tanh", "matmul add relu", "max sub exp", "sum div"],
    ["mul", "matmul exp tanh", "matmul"],
  ],
  // Consumers first: the row takes the bias and the activation before the product is asked.
  greedy: [["tanh", "matmul", "add relu max sub exp sum div"], ["mul", "matmul exp tanh", "matmul"]],
  // The test's target has cheap accesses: a tanh for every four columns is less than a dispatch.
  search: [["tanh matmul add relu", "max sub exp sum div"], ["mul matmul exp tanh", "mul matmul"]],
  max: [["tanh matmul", "add relu max sub exp sum div"], ["mul matmul exp tanh", "mul matmul"]],
  // Nothing twice.
  exhaustive: [["tanh matmul add relu", "max sub exp sum div"], ["mul", "matmul exp tanh", "matmul"]],
};

for (const name of names) {
  Deno.test(`the policy "${name}" makes of two small graphs what it says`, () => {
    assert.deepEqual([kernelsOf(layer, name), kernelsOf(shared, name)], expected[name]);
  });

  Deno.test(`the policy "${name}" gives covers that can run and compute what the references say`, () => {
    const checker = new CaseChecker();
    let checked = 0;
    for (const tape of fc.sample(tapes(8), { numRuns: 25, seed: 7 })) {
      const sample = randomCase(tape);
      const few = { ...testTarget, limits: { ...testTarget.limits, storageBuffers: 5 } };
      const fits = sample.graph.nodes.every((n) => n.inputs.length + n.types.length <= 5);
      for (const target of fits ? [testTarget, few] : [testTarget]) {
        try {
          checker.check(sample, [{ target, policy: policies[name] }]);
          checked++;
        } catch (error) {
          // Larger graphs are for the other policies.
          if (!/takes graphs of 12 ops at most/.test(`${error}`)) throw error;
        }
      }
    }
    assert(checked > 20, `only ${checked} graphs`);
  });

  Deno.test(`the policy "${name}" is held to fuse(…)`, () => {
    const net = model(square, ({ x, w }) => ({ y: fuse(() => relu(matmul(tanh(x), w))), z: exp(x) }));
    const kernels = kernelsOf(net, name);
    if (policies[name].takesHints === false) return;
    assert(kernels.some((ops) => ops.includes("tanh matmul relu")), `${kernels}`);
  });
}

const candidatesOf = (graph: Graph, target: Target): Candidates => {
  const made = compileGraph(graph, { target });
  return new Candidates(made.graph, { limits: target.limits, cost: costModelOf(target) });
};

/** Every way to put n things into parts. */
function* partitions(n: number): Iterable<Part[]> {
  if (n === 0) return yield [];
  for (const rest of partitions(n - 1)) {
    yield [...rest, [n - 1]];
    for (let i = 0; i < rest.length; i++) {
      yield rest.map((part, j) => i === j ? [...part, n - 1] : part);
    }
  }
}

function connected(part: Part, { neighbors }: Candidates): boolean {
  const reached = new Set([part[0]!]);
  for (const i of reached) for (const j of part) if (neighbors[i]!.has(j)) reached.add(j);
  return reached.size === part.length;
}

Deno.test("exhaustive finds the few best of all partitions that can run, as trying each one does", () => {
  let different = 0;
  for (const tape of fc.sample(tapes(5), { numRuns: 60, seed: 11 })) {
    const candidates = candidatesOf(randomCase(tape).graph, softwareTarget);
    const n = candidates.atoms.length;
    if (n > 7) continue;
    const all = [...partitions(n)].filter((parts) =>
      parts.every((part) => connected(part, candidates) && !candidates.refusal(part)) &&
      isRunnable(candidates.cover(parts).groups)
    ).map((parts) => parts.reduce((ms, part) => ms + candidates.ms(part), 0)).sort((a, b) => a - b);
    const best = bestPartitions(candidates, 4);
    assert.equal(best.length, Math.min(4, all.length));
    best.forEach(({ ms, parts }, i) => {
      assert(Math.abs(ms - all[i]!) <= 1e-9 * all[i]!, `${i}: ${ms} and ${all[i]}`);
      verifyCover(candidates.graph, candidates.cover(parts), "exhaustive");
    });
    if (n > 3 && all.at(-1)! > all[0]! * 1.01) different++;
  }
  assert(different > 10, `only ${different} graphs had anything to choose`);
});

Deno.test("search never gives a cover that the model likes less than greedy's, and some that it likes more", () => {
  let better = 0;
  for (const tape of fc.sample(tapes(12), { numRuns: 40, seed: 4 })) {
    const { graph } = randomCase(tape);
    const [greedy, search] = (["greedy", "search"] as const).map((name) => {
      const { cover, graph: own } = compiled(graph, name, softwareTarget);
      const options = { limits: softwareTarget.limits, cost: costModelOf(softwareTarget) };
      return new Candidates(own, options).estimates.planMs(cover);
    });
    assert(search! <= greedy! * (1 + 1e-9), `${search} > ${greedy}`);
    if (search! < greedy! * 0.999) better++;
  }
  assert(better > 0);
});

Deno.test("search and exhaustive ask the cost model that they are given", () => {
  const net = model(square, ({ x }) => ({ y: tanh(exp(x)) }));
  for (const name of ["search", "exhaustive"] as const) {
    const kernels = (ms: (kind: string, steps: number) => number) =>
      compileGraph(net.graph, {
        target: testTarget,
        policy: policies[name],
        cost: { ...costModelOf(testTarget), groupMs: ({ kind, steps }) => ms(kind, steps) },
      }).cover.groups.length;
    assert.equal(kernels(() => 1), 1);
    // Who thinks that work is dear squared keeps it in small portions.
    assert.equal(kernels((_, steps) => steps ** 2), 2);
  }
});

Deno.test("exhaustive refuses a graph of more than 12 ops with a sentence", () => {
  const net = model(square, ({ x }) => {
    let y = x;
    for (let i = 0; i < 13; i++) y = mul(tanh(y), sum(y));
    return { y };
  });
  assert.throws(
    () => compiled(net.graph, "exhaustive"),
    /takes graphs of 12 ops at most; this one has 39 .* Use the policy "search"/,
  );
});
