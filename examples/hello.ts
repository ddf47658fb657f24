/** The smallest program: a model of two ops, compiled for this machine, run and read. `deno run -A examples/hello.ts` */

import { compile, input, matmul, model, openDevice, relu } from "../mod.ts";

const hello = model({ x: input(["rows", 2], "f32"), w: input([2, 3], "f32") }, ({ x, w }) => {
  return { y: relu(matmul(x, w)) };
});
using device = await openDevice({ device: Deno.args.includes("--cpu") ? "cpu" : "auto" });
using program = await compile(hello, { device, sizes: { rows: 1 } });
const { y } = program.run({ x: new Float32Array([1, 2]), w: new Float32Array([1, 0, -1, 0, 1, 0]) });
console.log(`[${await y.read()}] on ${device.name}, ${program.program.steps.length} kernel`);
