/** What is said of mistakes in the WGSL of custom kernels, by the machine's adapter. */

import assert from "node:assert/strict";
import { CompileError } from "../../compiler/errors.ts";
import { add, compile, customKernel, input, model, mul, openDevice } from "../../mod.ts";

const device = await openDevice({ device: "webgpu" });

/** What loading a kernel with this text says. */
async function complaintOn(wgsl: string, declarations = "", input0 = "x"): Promise<string> {
  const op = customKernel({
    name: "wrong",
    inputs: { [input0]: { shape: ["n"], dtype: "f32" } },
    outputs: { y: { shape: ["n"], dtype: "f32" } },
    wgsl,
    declarations,
  });
  const net = model({ x: input([8], "f32") }, ({ x }) => ({ y: add(op({ [input0]: add(x, 1) })["y"]!, 1) }));
  try {
    using _ = await compile(net, { device });
    return "";
  } catch (error) {
    assert.ok(error instanceof CompileError, String(error));
    assert.match(error.message, /\n {4}at tests\/gpu\/custom_kernel_mistakes_test\.ts:\d+:\d+$/);
    return error.what;
  }
}

Deno.test("what the GPU's compiler has against a text is said with the user's own line, and the device goes on", async () => {
  const refused = "customKernel(wrong): the GPU's compiler refuses its WGSL";
  assert.equal(
    await complaintOn("\nlet i = global_invocation_id.x;\ny[i] = 1u;\n"),
    `${refused} at line 3 of wgsl, "y[i] = 1u;": automatic conversions cannot convert elements of \`u32\` to \`f32\` ` +
      "(this expression has type u32; a value with elements of type f32 is required here)",
  );
  assert.match(
    await complaintOn("y[0] = twice(x[0]);", "\nfn twice(v: f32) -> f32 {\n  return 2 * w;\n}"),
    /^.* at line 3 of declarations, "return 2 \* w;": no definition in scope for identifier: `w`/,
  );
  assert.match(await complaintOn("x[0] = y[0];"), /line 1 of wgsl, "x\[0\] = y\[0\];": .*not permitted/);
  assert.match(await complaintOn("y[0] = x[1"), /^.* refuses its WGSL/);
  assert.match(await complaintOn("if (x[0] > 0) { y[0] = 1.0;"), /is a brace missing/);
  assert.match(
    await complaintOn("y[0] = 1.0;", "", "ref"),
    /"@group.* ref: .*", which Weft writes .*reserved in WGSL/,
  );
  assert.match(await complaintOn("y[9] = 1.0;"), /line 1 of wgsl, "y\[9\] = 1.0;": .*out of/);
  using next = await compile(model({ x: input([2], "f32") }, ({ x }) => ({ y: mul(x, 2) })), { device });
  assert.deepEqual([...await next.run({ x: Float32Array.of(1, 2) }).y.read()], [2, 4]);
});
