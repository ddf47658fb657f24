/** The passes of a compile as a list: each can be left out, and none changes what a program computes. */

import assert from "node:assert/strict";
import { compileGraph, type CompileOptions } from "../../compiler/compile.ts";
import { CompileError } from "../../compiler/errors.ts";
import { type Graph, makeGraph } from "../../compiler/graph/graph.ts";
import { costModelOf } from "../../compiler/fuse/worthwhile.ts";
import { packingPass } from "../../compiler/passes.ts";
import { otherSteps } from "../../compiler/simplify/simplify.ts";
import { testTarget } from "../../compiler/target.ts";
import { gpt } from "../../examples/gpt.ts";
import {
  adam,
  adamW,
  add,
  concat,
  crossEntropy,
  exp,
  expandComposites,
  type GraphPass,
  input,
  linear,
  model,
  mul,
  type Pass,
  passes,
  relu,
  softmax,
  trainStep,
  withoutPasses,
} from "../../mod.ts";
import { runOnHost } from "../support/check_cases.ts";

const classifier = model({ x: input([6, 8], "f32"), y: input([6], "i32") }, ({ x, y }) => {
  const hidden = linear(8, 12), out = linear(12, 3);
  return { loss: crossEntropy(out(relu(hidden(x))), y) };
});
const writer = gpt({ layers: 2, heads: 2, width: 8, context: 4, symbols: 5 });

const wave = (size: number, by: number) =>
  Float32Array.from({ length: size }, (_, i) => Math.sin(by * i + by));
const ids = (size: number, below: number) => Int32Array.from({ length: size }, (_, i) => (i * 7 + 3) % below);

/** Programs with what they are fed: everything that passes are for occurs in one of them. */
const programs = {
  "a classifier's step": {
    graph: trainStep(classifier, adam({ rate: 0.01 })).graph,
    sizes: {},
    feeds: { x: wave(48, 0.7), y: ids(6, 3) },
  },
  "a GPT's step": {
    graph: trainStep(writer.only("loss"), adamW({ rate: 0.01 })).graph,
    sizes: { batch: 2 },
    feeds: { tokens: ids(8, 5), targets: ids(8, 4) },
  },
  "what rules are for": {
    graph: model({ x: input([4, 6], "f32") }, ({ x }) => {
      return { y: softmax(add(mul(x, 1), mul(exp(x), -1))), z: mul(x, 1) };
    }).graph,
    sizes: {},
    feeds: { x: wave(24, 1.3) },
  },
};

/** So that copies are made of small tensors too. */
const cost = { ...costModelOf(testTarget), bytesPerDispatch: 16 };

function resultsOf(
  { graph, sizes, feeds }: (typeof programs)[keyof typeof programs],
  options: Pick<CompileOptions, "passes"> = {},
): Record<string, ArrayLike<number>> {
  const { program } = compileGraph(graph, { target: testTarget, sizes, cost, ...options });
  const states = Object.fromEntries(program.state.map(({ name, shape, dtype }) => {
    const size = shape.reduce((n, d) => n * d, 1);
    // Second moments are positive.
    const numbers = wave(size, 0.31).map((x) => /\/v\//.test(name) ? Math.abs(x) : x / 3);
    return [name, dtype === "i32" || dtype === "u32" ? new Int32Array(size).fill(3) : numbers];
  }));
  return runOnHost(program, { feeds, states });
}

function assertAlike(
  found: Record<string, ArrayLike<number>>,
  wanted: Record<string, ArrayLike<number>>,
): void {
  assert.deepEqual(Object.keys(found).sort(), Object.keys(wanted).sort());
  for (const [name, numbers] of Object.entries(wanted)) {
    Array.from(numbers).forEach((want, i) => {
      const got = found[name]![i]!;
      assert(Math.abs(got - want) <= 2e-5 * (1 + Math.abs(want)), `${name}[${i}] is ${got}, not ${want}`);
    });
  }
}

const everyName = passes.flatMap(({ name, parts = [] }) => [name, ...parts]);

for (const [program, given] of Object.entries(programs)) {
  const all = resultsOf(given);
  const names = program.includes("GPT")
    ? [...passes.map(({ name }) => name), ...otherSteps] // the rules are tried on the others, which compile faster
    // One of its outputs is an input once the rules have run: what isolate is for.
    : everyName.filter((name) => name !== "isolate" || program !== "what rules are for");
  Deno.test(`${program}: every pass and every rule can be switched off, and the numbers stay`, () => {
    for (const name of names) {
      try {
        assertAlike(resultsOf(given, { passes: withoutPasses(passes, name) }), all);
      } catch (cause) {
        throw new Error(`without ${name}: ${cause}`, { cause });
      }
    }
    assertAlike(
      resultsOf(given, { passes: withoutPasses(passes, "simplify", "rematerialize", "pack") }),
      all,
    );
  });
}

Deno.test("without attention's own kernels the numbers stay, and more kernels run", () => {
  const given = programs["a GPT's step"];
  assertAlike(resultsOf(given, { passes: [expandComposites, ...passes] }), resultsOf(given));
  const kernels = (list: readonly Pass[]) =>
    compileGraph(given.graph, { target: testTarget, sizes: given.sizes, passes: list }).kernels.length;
  assert(kernels([expandComposites, ...passes]) > kernels(passes));
});

Deno.test("passes do what they are for: without them there are more nodes, or more kernels", () => {
  const { graph, sizes } = programs["a GPT's step"];
  const made = (...off: readonly string[]) =>
    compileGraph(graph, { target: testTarget, sizes, cost, passes: withoutPasses(passes, ...off) });
  const all = made();
  assert(made("pack").kernels.length > all.kernels.length);
  assert(made("rematerialize").graph.nodes.length < all.graph.nodes.length);
  assert(made("simplify").graph.nodes.length > all.graph.nodes.length);
  assert(made("compose views").graph.nodes.length > all.graph.nodes.length);
});

const net = model({ x: input([4], "f32") }, ({ x }) => ({ y: exp(mul(x, 2)), x }));
const compiled = (list: readonly Pass[]) => compileGraph(net.graph, { target: testTarget, passes: list });
const refusal = (list: () => readonly Pass[]): string => {
  try {
    compiled(list());
  } catch (error) {
    assert(error instanceof CompileError, `${error}`);
    return error.what;
  }
  return "";
};

Deno.test("a pass of one's own runs where it stands, and is heard of by name", () => {
  const heard: string[] = [];
  const listen = (name: string): GraphPass => ({
    name,
    on: "graph",
    run: (graph) => (heard.push(name), graph),
  });
  compiled([listen("first"), ...passes, listen("last")]);
  assert.deepEqual(heard, ["first", "last"]);
});

Deno.test("a pass that breaks a promise is blamed by name", () => {
  const broken = (name: string, run: (graph: Graph) => Graph): readonly Pass[] => [
    { name, on: "graph", run },
    ...passes,
  ];
  assert.match(
    refusal(() => broken("drops", (g) => makeGraph({ ...g, outputs: { y: g.outputs["y"]! } }))),
    /the pass "drops" gave a graph that cannot be compiled: its outputs are y, and were y, x/,
  );
  assert.match(
    refusal(() => broken("shuffles", (g) => ({ ...g, nodes: g.nodes.toReversed() }))),
    /the pass "shuffles" .* (out of order|not in the graph before it)/,
  );
  assert.match(
    refusal(() => broken("retypes", (g) => makeGraph({ ...g, outputs: { ...g.outputs, y: tooLong(g) } }))),
    /"y" of its outputs is f32\[8\], and was f32\[4\]/,
  );
});

const tooLong = (graph: Graph) => graph.builder.use(() => concat([graph.inputs[0]!, graph.inputs[0]!], 0));

Deno.test("the list is checked: unknown names, two that pack, results that nobody stores", () => {
  assert.match(
    refusal(() => withoutPasses(passes, "halves")),
    /no pass and no rule "halves"; there are "simplify", /,
  );
  const twice = [...passes, ...passes.filter(({ on }) => on === "placement")];
  assert.throws(() => packingPass(twice), /"pack" and "pack" would both decide what runs as one kernel/);
  assert.match(
    refusal(() => withoutPasses(passes, "isolate")),
    /leave results that no kernel stores: x is input itself.*Let "isolate" run after/,
  );
});
