import assert from "node:assert/strict";
import { compileGraph } from "../../../compiler/compile.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { input } from "../../../compiler/model/input.ts";
import { model } from "../../../compiler/model/model.ts";
import { gpuTarget, softwareTarget, type Target, testTarget } from "../../../compiler/target.ts";
import { cpuTarget } from "../../../runtime/targets.ts";
import { add, cummax, cumprod, cumsum, exp, mul, type Tensor } from "../../../mod.ts";
import { evaluateGraph } from "../../support/evaluate.ts";
import { HostRun } from "../../support/run_program.ts";

const targets: readonly Target[] = [testTarget, softwareTarget, gpuTarget, cpuTarget];
type Shape = readonly number[];

/** Compiles y = f(x) for every target, and compares with the references. */
function agree(shape: Shape, f: (x: Tensor) => Tensor, value: (i: number) => number): void {
  const net = model({ x: input(shape, "f32") }, ({ x }) => ({ y: f(x as Tensor) }));
  const x = Float32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => value(i));
  const [want] = evaluateGraph(
    [net.graph.outputs["y"]!],
    new Map([[net.graph.inputs[0]!.node, Float64Array.from(x)]]),
  );
  for (const target of targets) {
    const { program, kernels } = compileGraph(net.graph, { target });
    assert.equal(kernels.length, 1);
    assert.equal(kernels[0]!.schedule, "scan", `${target.name}: ${kernels[0]!.schedule}`);
    for (const kernel of program.kernels) verifyKernel(kernel, target.limits, target.features);
    const { y } = new HostRun(program).run({ x });
    want!.forEach((w, i) => {
      // A sum of n terms is off by at most n roundings of the largest partial sum; values here are below 2.
      const tolerance = 1e-6 * (1 + Math.abs(w)) * Math.sqrt(shape.at(-1)! + 8);
      const same = Object.is(w, y![i]) || Math.abs(w - y![i]!) <= tolerance;
      assert(same, `${target.name} [${shape}] [${i}]: ${y![i]}, not ${w}`);
    });
  }
}

const wave = (i: number) => Math.sin(i * 1.7 + 0.3);

for (const shape of [[1, 3], [3, 127], [2, 1000], [40, 9], [5]] as const) {
  Deno.test(`scheduleScan() sums [${shape}] along its last axis in one walk`, () => {
    agree(shape, (x) => cumsum(x, -1) as Tensor, wave);
  });
}

Deno.test("scheduleScan() runs along any axis, backwards and without the element itself", () => {
  agree([7, 33, 3], (x) => cumsum(x, 1) as Tensor, wave);
  agree([7, 33], (x) => cumsum(x, 1, { reverse: true }) as Tensor, wave);
  agree([3, 50], (x) => cumsum(x, 1, { exclusive: true }) as Tensor, wave);
});

Deno.test("scheduleScan() multiplies, and keeps the largest so far, NaN from its place on", () => {
  agree([4, 20], (x) => cumprod(x, 1) as Tensor, (i) => 1 + 0.1 * wave(i));
  agree([3, 90], (x) => cummax(x, 1) as Tensor, (i) => i === 100 ? NaN : wave(i));
});

Deno.test("what stands before and behind a scan is computed in its kernel", () => {
  agree([3, 64], (x) => add(mul(cumsum(exp(x), 1), 0.5), x) as Tensor, wave);
});
