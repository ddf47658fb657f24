/** A function of one tensor, its value and its gradient, beside the central differences of that value. */

import assert from "node:assert/strict";
import { gradient, input, model, type Shape, type Tensor } from "../../mod.ts";
import { runByReference } from "./run_by_reference.ts";

export interface Differentiated {
  readonly value: number;
  readonly gradient: readonly number[];
}

/** f at x; its gradient must be what differences say. */
export function differentiate(
  f: (x: Tensor<Shape, "f32">) => Tensor,
  x: readonly number[],
  shape: readonly number[] = [x.length],
): Differentiated {
  const net = model({ x: input(shape, "f32") }, ({ x }) => {
    const y = f(x);
    return { y, g: gradient(y, [x])[0]! };
  });
  const at = (x: readonly number[]) => runByReference(net.only("y").graph, { x }).outputs["y"]![0]!;
  const { outputs } = runByReference(net.graph, { x });
  const found = [...outputs["g"]!];
  const step = 1e-5;
  x.forEach((_, i) => {
    const moved = (by: number) => at(x.map((v, j) => j === i ? v + by : v));
    const difference = (moved(step) - moved(-step)) / (2 * step);
    const error = Math.abs(found[i]! - difference);
    assert.ok(
      error <= 1e-5 * (1 + Math.abs(difference)),
      `∂/∂x[${i}] is ${found[i]}; differences say ${difference}`,
    );
  });
  return { value: outputs["y"]![0]!, gradient: found };
}

/** Equal up to a relative error, element by element; NaN equals NaN. */
export function assertClose(found: ArrayLike<number>, expected: ArrayLike<number>, relative = 1e-6): void {
  assert.equal(found.length, expected.length);
  for (let i = 0; i < found.length; i++) {
    const [a, b] = [found[i]!, expected[i]!];
    const close = Object.is(a, b) || a === b || Math.abs(a - b) <= relative * Math.max(1, Math.abs(b));
    assert.ok(close, `element ${i} is ${a}; expected ${b}`);
  }
}

/** Numbers between −1 and 1, the same every time. */
export function noise(count: number, seed = 1): number[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
