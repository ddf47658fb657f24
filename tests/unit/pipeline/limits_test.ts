/** What a device cannot hold is refused with the numbers, before anything is made. */

import assert from "node:assert/strict";
import { compileGraph } from "../../../compiler/compile.ts";
import { CompileError } from "../../../compiler/errors.ts";
import { softwareTarget } from "../../../compiler/target.ts";
import { exp, init, input, matmul, model, nn, sum, transpose } from "../../../mod.ts";

function refusal(make: () => Parameters<typeof compileGraph>[0]): string {
  try {
    compileGraph(make(), { target: softwareTarget });
  } catch (error) {
    assert(error instanceof CompileError, `${error}`);
    return error.what;
  }
  return "";
}

Deno.test("a table larger than one binding is refused with both numbers", () => {
  const net = model({ ids: input([8], "i32") }, ({ ids }) => {
    const table = nn.embedding(50_257, 768, { name: "token", init: init.zeros() });
    return { y: table(ids) };
  });
  assert.match(
    refusal(() => net.graph),
    /the state "token\/table", f32\[50257, 768\], is too large: it has 154389504 bytes, and .* can bind 134217728/,
  );
});

Deno.test("an intermediate tensor larger than one binding is refused; one that is never stored is not", () => {
  const x = input([8192, 64], "f32");
  const stored = model({ x }, ({ x }) => {
    const scores = matmul(x, transpose(x));
    return { rows: sum(exp(scores), 1), columns: sum(exp(scores), 0) };
  });
  assert.match(
    refusal(() => stored.graph),
    /a tensor in ".*", f32\[8192, 8192\], is too large: it has 268435456 bytes/,
  );
  const fused = model({ x }, ({ x }) => ({ y: sum(exp(x), 1) }));
  assert.equal(refusal(() => fused.graph), "");
});
