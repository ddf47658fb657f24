import assert from "node:assert/strict";
import { init } from "../../../mod.ts";
import { log, turn } from "../../../ops/nn/host_random.ts";
import type { Initializer } from "../../../compiler/graph/graph.ts";

const draw = (initializer: Initializer, path = "w", seed = 1, shape: readonly number[] = [100, 100]) => [
  ...initializer({ shape, dtype: "f32", seed, path }),
];
const mean = (x: number[]) => x.reduce((a, b) => a + b) / x.length;
const deviation = (x: number[]) => Math.sqrt(mean(x.map((v) => v * v)) - mean(x) ** 2);

Deno.test("equal seed and path give equal numbers, others do not", () => {
  const first = draw(init.normal(1));
  assert.deepEqual(draw(init.normal(1)), first);
  assert.notDeepEqual(draw(init.normal(1), "v"), first);
  assert.notDeepEqual(draw(init.normal(1), "w", 2), first);
  assert.deepEqual(first.slice(0, 4), draw(init.normal(1), "w", 1, [4]));
});

Deno.test("the numbers are the same on every machine", () => {
  assert.deepEqual(draw(init.normal(1), "linear/weight", 0, [4]), [
    1.317449927330017,
    1.1741256713867188,
    -0.06769628077745438,
    -0.48409777879714966,
  ]);
  assert.deepEqual(draw(init.uniform(-1, 1), "linear/weight", 0, [4]), [
    0.5785168409347534,
    -0.7682901620864868,
    -0.7747870683670044,
    0.45577430725097656,
  ]);
});

Deno.test("moments are as asked for", () => {
  const near = (found: number, expected: number) =>
    assert.ok(Math.abs(found - expected) < 0.02, `${found} ${expected}`);
  near(mean(draw(init.normal(0.5, 2))), 2);
  near(deviation(draw(init.normal(0.5, 2))), 0.5);
  near(mean(draw(init.uniform(-1, 3))), 1);
  near(deviation(draw(init.uniform(-1, 3))), 4 / Math.sqrt(12));
  near(deviation(draw(init.kaimingUniform(8))), Math.SQRT2 / Math.sqrt(8));
  near(deviation(draw(init.kaimingNormal(8))), Math.SQRT2 / Math.sqrt(8));
  near(deviation(draw(init.xavierUniform(4, 12))), Math.sqrt(2 / 16));
  near(deviation(draw(init.xavierNormal(4, 12))), Math.sqrt(2 / 16));
});

Deno.test("our logarithm and our circle are within an ULP or two of the engine's", () => {
  for (let i = 1; i < 1000; i++) {
    const u = i / 1000;
    assert.ok(Math.abs(log(u) - Math.log(u)) <= 5e-16 * Math.max(1e-3, Math.abs(Math.log(u))) * 2);
    const [cos, sin] = turn(u);
    assert.ok(
      Math.abs(cos - Math.cos(2 * Math.PI * u)) < 1e-15 && Math.abs(sin - Math.sin(2 * Math.PI * u)) < 1e-15,
    );
  }
});
