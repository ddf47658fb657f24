/** A gradient rule of the user's own: its types, what it is given, and what is said where it gives something else. */

import assert from "node:assert/strict";
import { ShapeError } from "../../../compiler/errors.ts";
import {
  cast,
  clamp,
  customGradient,
  exp,
  full,
  gradient,
  init,
  input,
  mean,
  model,
  mul,
  parameter,
  round,
  sgd,
  type Shape,
  sum,
  type Tensor,
  trainStep,
} from "../../../mod.ts";
import { runByReference } from "../../support/run_by_reference.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

function typeIs<T>() {
  return <U>(_value: U, _same: Equal<U, T>): void => {};
}

/** Rounding that gradients pass as if it were not there. */
const straightThrough = <S extends Shape>(x: Tensor<S, "f32">): Tensor<S, "f32"> =>
  customGradient([x], ([x]) => [round(x)], ({ cotangents: [g] }) => [g])[0];

Deno.test("customGradient() gives the results of its function with their types, and its rule the types of all", () => {
  const net = model({ x: input(["n"], "f32"), w: input(["n"], "f32") }, ({ x, w }) => {
    const [y, scale] = customGradient([x, w], ([x, w]) => [mul(x, w), sum(w)], (site) => {
      typeIs<Tensor<readonly ["n"], "f32">>()(site.inputs[1], true);
      typeIs<Tensor<readonly [], "f32">>()(site.outputs[1], true);
      typeIs<Tensor<readonly ["n"], "f32"> | null>()(site.cotangents[0], true);
      // Nothing flows into the second result: here nobody asks for it.
      assert.equal(site.cotangents[1], null);
      return [site.cotangents[0], null];
    });
    typeIs<Tensor<readonly ["n"], "f32">>()(y, true);
    typeIs<Tensor<readonly [], "f32">>()(scale, true);
    const [dx, dw] = gradient(sum(mul(y, 3)), [x, w]);
    return { y, scale, dx: dx!, dw: dw! };
  });
  const { outputs } = runByReference(net.graph, { x: [1, 2], w: [5, 6] }, { sizes: { n: 2 } });
  assert.deepEqual([...outputs["y"]!], [5, 12]);
  assert.deepEqual([...outputs["scale"]!], [11]);
  assert.deepEqual([...outputs["dx"]!], [3, 3]);
  assert.deepEqual([...outputs["dw"]!], [0, 0]);
  model({ x: input([4], "f32") }, ({ x }) => {
    // @ts-expect-error two inputs need two cotangents
    customGradient([x, x], ([x]) => [x], ({ cotangents: [g] }) => [g]);
    return {};
  });
});

Deno.test("a rule is ops like any others: gradients of gradients and training go through it", () => {
  const net = model({ x: input([3], "f32") }, ({ x }) => {
    const [y] = customGradient(
      [x],
      ([x]) => [exp(x)],
      ({ inputs: [x], cotangents: [g] }) => [mul(g, mul(x, x))],
    );
    const [first] = gradient(sum(y), [x]);
    return { first: first!, second: gradient(sum(first!), [x])[0]! };
  });
  const { outputs } = runByReference(net.graph, { x: [1, -2, 3] });
  assert.deepEqual([...outputs["first"]!], [1, 4, 9]);
  assert.deepEqual([...outputs["second"]!], [2, -4, 6]);

  const quantized = model({ x: input([2], "f32") }, ({ x }) => {
    const w = parameter("w", [2], init.values([0.4, 1.6]));
    return { loss: mean(mul(straightThrough(w), x)) };
  });
  const step = trainStep(quantized, sgd({ rate: 1 }));
  const { states } = runByReference(step.graph, { x: [1, 2] });
  assert.deepEqual([...states["w"]!].map((v) => Math.round(10 * v) / 10), [-0.1, 0.6]);
});

Deno.test("customGradient() says what its function or its rule should have given", () => {
  const said = (
    rule: (x: Tensor<readonly [4], "f32">, g: Tensor) => unknown,
    f: (x: Tensor) => unknown = (x) => [x],
  ) => {
    try {
      model({ x: input([4], "f32") }, ({ x }) => {
        const [y] = customGradient(
          [x],
          ([x]) => f(x) as readonly [Tensor],
          ({ inputs: [x], cotangents: [g] }) => {
            return rule(x, g) as readonly [Tensor];
          },
        );
        gradient(sum(mul(y, 2)), [x]);
        return {};
      });
      return "";
    } catch (error) {
      assert.ok(error instanceof ShapeError, String(error));
      assert.match(error.message, /\n {4}at tests\/unit\/model\/custom_gradient_test\.ts:/);
      return error.what;
    }
  };
  assert.equal(said((_, g) => [clamp(g as Tensor<Shape, "f32">, -1, 1)]), "");
  assert.match(
    said((_, g) => [sum(g as Tensor<Shape, "f32">)]),
    /cotangent of input 0 is f32\[\]; it must be f32\[4\]/,
  );
  assert.match(said((x) => [cast(x, "i32")]), /cotangent of input 0 is i32\[4\]; it must be f32\[4\]/);
  assert.match(said((_, g) => [g, g]), /the rule gave 2 cotangents for 1 inputs; give one per input/);
  assert.match(said(() => undefined), /the rule gave 0 cotangents for 1 inputs/);
  assert.match(
    said((_, g) => [g], (x) => x),
    /the function must give its results as an array of tensors: \[y\]/,
  );
  assert.equal(said(() => [full([4], 1)]), "");
});
