/** Optimizers against plain loops, several steps long, with the states carried from run to run. */

import assert from "node:assert/strict";
import {
  adam,
  adamW,
  gradient,
  init,
  input,
  linear,
  model,
  type Optimizer,
  type Schedule,
  sgd,
  square,
  sum,
  trainStep,
  warmupConstant,
  warmupCosine,
  warmupLinear,
} from "../../../mod.ts";
import type { Node, Tensor } from "../../../compiler/graph/node.ts";
import { assertClose, noise } from "../../support/differentiate.ts";
import { runByReference } from "../../support/run_by_reference.ts";

type State = Record<string, number[]>;

const weightInit = init.values(noise(6, 5));
const biasInit = init.values([0.3, -0.2]);
const net = model({ x: input([4, 3], "f32") }, ({ x }) => ({
  loss: sum(square(linear(3, 2, { weightInit, biasInit })(x))),
}));
const x = noise(12);
const names = ["linear/weight", "linear/bias"];

/** The gradient at given parameters, from a graph that has no optimizer in it. */
const gradientAt = (() => {
  const plain = model({ x: input([4, 3], "f32") }, ({ x }) => {
    const layer = linear(3, 2, { weightInit, biasInit });
    const [weight, bias] = gradient(sum(square(layer(x))), [layer.weight, layer.bias!]);
    return { weight: weight!, bias: bias! };
  });
  return (states: State): number[][] => {
    const { outputs } = runByReference(plain.graph, { x }, { states });
    return [[...outputs["weight"]!], [...outputs["bias"]!]];
  };
})();

/** The parameters after some steps. */
function trained(optimizer: Optimizer, steps: number): State {
  const step = trainStep(net, optimizer);
  let states: State = {};
  for (let i = 0; i < steps; i++) {
    const run = runByReference(step.graph, { x }, { states });
    states = Object.fromEntries(Object.entries(run.states).map(([path, values]) => [path, [...values]]));
  }
  return states;
}

/** The same by a rule of plain numbers: (parameter, gradient, its slots, step from 0) to the new parameter. */
function plainly(
  rule: (p: number, g: number, slots: Record<string, number>, step: number, name: string) => number,
  steps: number,
  scaleOf: (gradients: number[][]) => number = () => 1,
): State {
  const initial = runByReference(trainStep(net, sgd({ rate: 0 })).graph, { x }).states;
  let states: State = Object.fromEntries(names.map((name) => [name, [...initial[name]!]]));
  const slots = names.map((name) => states[name]!.map((): Record<string, number> => ({})));
  for (let step = 0; step < steps; step++) {
    const gradients = gradientAt(states);
    const scale = scaleOf(gradients);
    states = Object.fromEntries(names.map((name, n) => [
      name,
      states[name]!.map((p, i) => rule(p, gradients[n]![i]! * scale, slots[n]![i]!, step, name)),
    ]));
  }
  return states;
}

function assertSame(
  optimizer: Optimizer,
  rule: Parameters<typeof plainly>[0],
  scale?: (g: number[][]) => number,
) {
  const [found, expected] = [trained(optimizer, 4), plainly(rule, 4, scale)];
  for (const name of names) assertClose(found[name]!, expected[name]!, 1e-6);
}

const norm = (gradients: number[][]) => Math.sqrt(gradients.flat().reduce((t, g) => t + g * g, 0));

Deno.test("sgd() is p − rate · g, with momentum and decay as in its paper", () => {
  assertSame(sgd({ rate: 0.01 }), (p, g) => p - 0.01 * g);
  const velocity = (s: Record<string, number>, g: number) => s["v"] = 0.9 * (s["v"] ?? 0) + g;
  assertSame(sgd({ rate: 0.01, momentum: 0.9 }), (p, g, s) => p - 0.01 * velocity(s, g));
  assertSame(
    sgd({ rate: 0.01, momentum: 0.9, nesterov: true }),
    (p, g, s) => p - 0.01 * (g + 0.9 * velocity(s, g)),
  );
  assertSame(sgd({ rate: 0.01, decay: 0.1 }), (p, g) => p - 0.01 * (g + 0.1 * p));
});

/** One step of Adam, as the paper writes it. */
function adamStep(s: Record<string, number>, g: number, step: number): number {
  s["m"] = 0.9 * (s["m"] ?? 0) + 0.1 * g;
  s["v"] = 0.999 * (s["v"] ?? 0) + 0.001 * g * g;
  const m = s["m"]! / (1 - 0.9 ** (step + 1));
  const v = s["v"]! / (1 - 0.999 ** (step + 1));
  return m / (Math.sqrt(v) + 1e-8);
}

Deno.test("adam() is its paper's algorithm", () => {
  assertSame(adam({ rate: 0.01 }), (p, g, s, step) => p - 0.01 * adamStep(s, g, step));
});

Deno.test("adamW() takes decay from the parameter, and by default from matrices only", () => {
  assertSame(
    adamW({ rate: 0.01, decay: 0.1 }),
    (p, g, s, step, name) => p - 0.01 * (adamStep(s, g, step) + (name.endsWith("weight") ? 0.1 : 0) * p),
  );
  assertSame(
    adamW({ rate: 0.01, decay: 0.1, decays: () => true }),
    (p, g, s, step) => p - 0.01 * (adamStep(s, g, step) + 0.1 * p),
  );
});

Deno.test("clip scales all gradients by one factor where their norm is larger", () => {
  const scale = (g: number[][]) => Math.min(1, 0.5 / (norm(g) + 1e-6));
  assertSame(sgd({ rate: 0.1, clip: 0.5 }), (p, g) => p - 0.1 * g, scale);
  assertSame(sgd({ rate: 0.01, clip: 1e6 }), (p, g) => p - 0.01 * g);
});

Deno.test("schedules are computed from the step in the graph", () => {
  const rates = (schedule: Schedule, steps: number): number[] => {
    const net = model({ step: input([], "f32") }, ({ step }) => ({ rate: schedule(step) }));
    return Array.from(
      { length: steps },
      (_, step) => runByReference(net.graph, { step: [step] }).outputs["rate"]![0]!,
    );
  };
  assertClose(rates(warmupCosine({ peak: 2, warmup: 2, steps: 6, floor: 1 }), 9), [
    ...[1, 2],
    ...[0, 0.25, 0.5, 0.75].map((t) => 1 + (1 + Math.cos(Math.PI * t)) / 2),
    ...[1, 1, 1],
  ]);
  assertClose(rates(warmupLinear({ peak: 1, steps: 4 }), 6), [1, 0.75, 0.5, 0.25, 0, 0]);
  assertClose(rates(warmupConstant({ peak: 1, warmup: 4 }), 6), [0.25, 0.5, 0.75, 1, 1, 1]);
  const found = trained(sgd({ rate: warmupConstant({ peak: 0.04, warmup: 4 }) }), 4);
  const expected = plainly((p, g, _, step) => p - 0.01 * (step + 1) * g, 4);
  for (const name of names) assertClose(found[name]!, expected[name]!);
  assert.deepEqual(found["sgd/step"], [4]);
});

Deno.test("all updates of one optimizer have the same ops, and share their scalars", () => {
  for (
    const optimizer of [
      adamW({ rate: 0.01, clip: 1 }),
      adam({ rate: 0.01 }),
      sgd({ rate: 0.01, momentum: 0.9 }),
    ]
  ) {
    const { graph } = trainStep(net, optimizer);
    const structures = names.map((name) =>
      structureOf(graph.writes.find((w) => pathOf(w.state.node) === name)!.value)
    );
    assert.equal(structures[0], structures[1]);
  }
});

const pathOf = (node: Node): string => node.attrs.path;

/** An update as text: scalars by identity, everything that is not the optimizer's as a leaf, constants as equals. */
function structureOf(t: Tensor): string {
  const { op, inputs, types } = t.node;
  if (op.name === "state" || op.name === "constant") return op.name;
  const scalar = types[0]!.shape.length === 0;
  if (scalar) return `%${t.node.id}`;
  if (!["add", "sub", "mul", "div", "sqrt", "square", "broadcastTo"].includes(op.name)) return "gradient";
  return `${op.name}(${inputs.map(structureOf).join()})`;
}
