/** A new rewrite rule: two products with one left side are one. `deno run -A examples/extend/rewrite.ts` */

import { add, comparePlans, compile, type Device, init, input, linear, matmul, model } from "../../mod.ts";
import { openDevice, parameter, passes, printPlans, relu, rewritePass, term } from "../../mod.ts";

/** Equations in ops without attributes; names stand for any tensor. What ships holds in every bit. */
const distribute = rewritePass("distribute", [{
  name: "sum of products",
  from: term("add", term("matmul", "x", "a"), term("matmul", "x", "b")),
  to: term("matmul", "x", term("add", "a", "b")),
  because: "products distribute over sums; sums are rounded in another order, as a sum's error bound allows",
}]);

/** A layer with weights and a correction to them, kept apart as fine-tuning keeps them. */
const net = model({ x: input(["rows", 256], "f32") }, ({ x }) => {
  const weight = parameter("weight", [256, 256], init.normal(0.06));
  const correction = parameter("correction", [256, 256], init.normal(0.01));
  return { y: linear(256, 8)(relu(add(matmul(x, weight), matmul(x, correction)))) };
});

/** Compiles with the rule and without, compares plans and results. */
export async function example(device: Device): Promise<void> {
  const sizes = { rows: 256 };
  const mine = [distribute, ...passes]; // first, so that what it leaves is simplified like the rest
  const found = await comparePlans(net, { plain: {}, distribute: { passes: mine } }, {
    device,
    sizes,
    rounds: 6,
  });
  console.log(printPlans(found));

  using before = await compile(net, { device, sizes });
  using after = await compile(net, { device, sizes, passes: mine });
  const x = Float32Array.from({ length: 256 * 256 }, (_, i) => Math.sin(i));
  const [one, other] = [await before.run({ x }).y.read(), await after.run({ x }).y.read()];
  const apart = Math.max(...one.map((v, i) => Math.abs(v - other[i]!)));
  const largest = Math.max(...one.map(Math.abs));
  console.log(`results differ by ${apart.toExponential(1)} at most, of ${largest.toFixed(2)}`);
  if (!(apart < 1e-5 * largest)) throw new Error("the rule changes the results");
  if (!(found.rows[1]!.timing!.ratio.median < 1)) throw new Error("one product takes no less time than two");
}

if (import.meta.main) {
  using device = await openDevice();
  await example(device);
}
