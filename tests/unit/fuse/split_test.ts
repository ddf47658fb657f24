import assert from "node:assert/strict";
import { compileGraph } from "../../../compiler/compile.ts";
import { input } from "../../../compiler/model/input.ts";
import { model } from "../../../compiler/model/model.ts";
import { testTarget } from "../../../compiler/target.ts";
import { add, cos, div, exp, noFuse, sin, sub, tanh } from "../../../mod.ts";
import { runByReference } from "../../support/run_by_reference.ts";
import { HostRun } from "../../support/run_program.ts";

Deno.test("splitToLimit() cuts a group also where no one cut takes an operand out of it", () => {
  // Whatever is cut off first, a and b are still read by what remains, or by too much in what is cut off.
  const { graph } = model({ x: input([3, 4], "f32") }, ({ x }) => {
    const [a, b] = [noFuse(tanh(x)), noFuse(sin(x))];
    const [c, d] = [noFuse(cos(x)), noFuse(exp(x))];
    const both = add(a, b);
    return { y: add(add(div(sub(both, c), d), both), b) };
  });
  const feeds = { x: Float32Array.from({ length: 12 }, (_, i) => Math.sin(i)) };
  const want = runByReference(graph, feeds).outputs.y!;
  const kernels = (storageBuffers: number) => {
    const target = { ...testTarget, limits: { ...testTarget.limits, storageBuffers } };
    const { program } = compileGraph(graph, { target });
    new HostRun(program).run(feeds).y!.forEach((y, i) => assert(Math.abs(y - want[i]!) < 1e-5));
    return program.kernels.length;
  };
  // The last kernel of five buffers, y and what it is made of, becomes two.
  assert(kernels(4) > kernels(5));
});
