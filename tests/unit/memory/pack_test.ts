/** Packing makes one kernel of many updates, and leaves the order of reads and writes as it must be. */

import assert from "node:assert/strict";
import { compileGraph } from "../../../compiler/compile.ts";
import { InternalError } from "../../../compiler/errors.ts";
import { elementsOf, type Shape } from "../../../compiler/graph/dim.ts";
import { isPacked, packGroups } from "../../../compiler/memory/pack.ts";
import { verifyOrder } from "../../../compiler/memory/verify.ts";
import { defaultLimits, type Target, testTarget } from "../../../compiler/target.ts";
import { add, init, input, matmul, type Model, model, mul, setState, slice, state } from "../../../mod.ts";
import { runOnHost } from "../../support/check_cases.ts";
import { runByReference } from "../../support/run_by_reference.ts";
import { assertClose } from "../schedule/row_support.ts";

/** Runs of what a value has been before it is computed anew, twice; `scale` belongs to each. */
const averages = (updated: (n: number) => boolean): Model =>
  model({ x: input([8, 8], "f32") }, ({ x }) => {
    for (const n of [1, 2, 3]) {
      const value = state(`value${n}`, [8, 8], init.ones());
      const average = state(`average${n}`, [8, 8], init.zeros());
      setState(average, add(mul(average, 0.75), mul(value, 0.25)));
      if (updated(n)) setState(value, matmul(mul(x, n), x));
    }
    return {};
  }) as Model;

const numbers = (seed: number, shape: Shape = [8, 8]) =>
  Float32Array.from({ length: elementsOf(shape) as number }, (_, i) => Math.sin(seed + 0.37 * i));

/** The labels of the kernels, once results and states are as the references say. */
function check({ graph }: Model, target: Target = testTarget): string[] {
  const { program, kernels } = compileGraph(graph, { target });
  const feeds = Object.fromEntries(program.inputs.map(({ name }) => [name, numbers(1)]));
  const states = Object.fromEntries(
    graph.states.map(({ path, tensor }, i) => [path, numbers(i + 2, tensor.shape)]),
  );
  const expected = runByReference(graph, feeds, { states });
  const results = runOnHost(program, { feeds, states });
  for (const [path, want] of Object.entries(expected.states)) {
    assertClose(Float32Array.from(results[`state:${path}`]!), want, 1e-5, path);
  }
  return kernels.map(({ label }) => label);
}

Deno.test("a packed kernel runs before what overwrites a state that one of its members reads", () => {
  const labels = check(averages(() => true));
  assert.equal(labels[0], "mul×2 add, 3 times");
  assert.equal(labels.length, 4);
});

Deno.test("what cannot run as late as the others of its kind is left out of their kernel", () => {
  // The second average reads what the second product gives, which needs the first, which overwrites what the first reads.
  const net = model({ x: input([8, 8], "f32") }, ({ x }) => {
    const [value, other, first, second] = ["value", "other", "first", "second"].map((path) =>
      state(path, [8, 8], init.ones())
    );
    const product = matmul(x, x);
    setState(value!, product);
    const next = matmul(product, product);
    setState(other!, next);
    setState(first!, add(mul(first!, 0.75), mul(value!, 0.25)));
    setState(second!, add(mul(second!, 0.75), mul(next, 0.25)));
    return {};
  });
  assert.deepEqual(check(net as Model), ["mul×2 add", "matmul", "matmul", "mul×2 add"]);
});

Deno.test("a state of which the others of its kind read a number lies beside their slab, and not in it", () => {
  const net = model({}, () => {
    // Of other sizes, so that they cannot be one kernel anyway.
    const [a, b] = [state("a", [32], init.ones()), state("b", [64], init.ones())];
    const [c, d] = [state("c", [32], init.ones()), state("d", [64], init.ones())];
    const number = slice(b, [{ start: 3, stop: 4 }]);
    setState(a, mul(add(c, number), 2));
    setState(d, mul(add(b, number), 2));
    return {};
  });
  assert.equal(check(net as Model).length, 2);
});

Deno.test("verifyOrder() refuses an order in which a state is overwritten before it is read", () => {
  const { graph, placement } = compileGraph(averages((n) => n === 1).graph, { target: testTarget });
  const units = packGroups(placement, defaultLimits).order
    .map((unit) => isPacked(unit) ? unit.members : [unit]);
  verifyOrder(graph, placement, units);
  assert.throws(
    () => verifyOrder(graph, placement, units.toReversed()),
    (e) => e instanceof InternalError && /reads .* where "state:value1" holds .*matmul/.test(e.message),
  );
});
