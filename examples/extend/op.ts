/** A new op: squareplus, which plain ops lose far below zero. `deno run -A examples/extend/op.ts` */

import { add, applyOp, checkOp, compile, defineOp, type Device, div, gradient, input } from "../../mod.ts";
import { model, mul, openDevice, sqrt, square, sub, sum, type Tensor } from "../../mod.ts";

/** (x + √(x² + b)) / 2, written b / 2(√(x² + b) − x) where the sum would cancel. */
const squareplusOp = defineOp<{ readonly b: number }>({
  name: "squareplus",
  infer: ([x]) => [x!],
  // In ops, so that it can be differentiated again: y / (2y − x).
  gradient: ({ inputs: [x], outputs: [y], cotangents: [g] }) => {
    return [g ? mul(g, div(y!, sub(mul(y!, 2), x!))) as Tensor : null];
  },
  // In plain loops and f64: a second statement of the meaning, and no copy of the first.
  reference: ([x], { b }) => [x!.map((v) => Math.exp(Math.asinh(v / Math.sqrt(b))) * Math.sqrt(b) / 2)],
  // The value of one element; readers of the inputs are inlined or loads, as fusion decides.
  lower(k, [x], at, { attrs: { b } }) {
    const v = x!.at(at);
    const root = k.unary("sqrt", k.add(k.mul(v, v), b));
    return k.select(k.lt(v, 0), k.div(b / 2, k.sub(root, v)), k.mul(0.5, k.add(v, root)));
  },
  ulp: 4, // how far the lowering may be off, in units of the last place
  samples: [
    { inputs: [{ shape: [5, 8], lo: -50, hi: 50 }], attrs: { b: 4 } },
    { inputs: [{ shape: [33], lo: -1, hi: 1 }], attrs: { b: 0.25 } },
  ],
});

const squareplus = (x: Tensor): Tensor => applyOp(squareplusOp, [x], { b: 4 });
const inPlainOps = (x: Tensor): Tensor => div(add(x, sqrt(add(square(x), 4))), 2);

/** Holds the op to its statements, and compares it with plain ops. */
export async function example(device: Device): Promise<void> {
  const { samples, results, slopes } = await checkOp(squareplusOp, { device });
  console.log(`squareplus holds on ${samples} samples: ${results} results, ${slopes} slopes`);
  for (const [name, f] of Object.entries({ squareplus, inPlainOps })) {
    const net = model({ x: input([1], "f32") }, ({ x }) => {
      const y = f(x);
      return { y, slope: gradient(sum(y), [x])[0]! };
    });
    using program = await compile(net, { device });
    const run = program.run({ x: new Float32Array([-40_000]) });
    const [y, slope] = [(await run.y.read())[0]!, (await run.slope.read())[0]!];
    console.log(
      `${name}: f(−40000) = ${y.toPrecision(4)}, f′ = ${
        slope.toPrecision(4)
      }, which are 2.500e-5 and 6.250e-10`,
    );
    if (f === squareplus && Math.abs(y / 2.5e-5 - 1) > 1e-6) throw new Error(`squareplus gives ${y}`);
  }
}

if (import.meta.main) {
  using device = await openDevice();
  await example(device);
}
