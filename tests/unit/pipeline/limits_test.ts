/** What a device cannot hold is refused with the numbers, before anything is made. */

import assert from "node:assert/strict";
import { compileGraph, type CompileOptions } from "../../../compiler/compile.ts";
import { CompileError } from "../../../compiler/errors.ts";
import { softwareTarget } from "../../../compiler/target.ts";
import { crossEntropy, exp, init, input, linear, matmul, model } from "../../../mod.ts";
import { nn, sum, transpose } from "../../../mod.ts";

function refusal(
  make: () => Parameters<typeof compileGraph>[0],
  options: Partial<CompileOptions> = {},
): string {
  try {
    compileGraph(make(), { target: softwareTarget, ...options });
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

Deno.test("a size that makes an input too large is named, with the largest that fits, before anything is planned", () => {
  const began = performance.now();
  const x = input(["batch", 32], "f32");
  const y = input(["batch"], "i32");
  const classified = model({ x, y }, ({ x, y }) => ({ loss: crossEntropy(linear(32, 10)(x), y) }));
  assert.equal(
    refusal(() => classified.graph, { sizes: { batch: 10_000_000_000 } }),
    'memory: the input "x", f32[10000000000, 32], is too large: it has 1280000000000 bytes, and a kernel of this device ' +
      "can bind 134217728; batch = 10000000000 makes it so; it fits up to batch = 1048576",
  );
  const grown = model({ x: input(["n"], "f32") }, ({ x }) => ({ y: exp(x) }));
  assert.match(
    refusal(() => grown.graph, { sizes: { n: 2 ** 50 } }),
    /the input "x".*; it fits up to n = 33554432$/,
  );
  const rows = model({ x: input(["n", "m"], "f32") }, ({ x }) => ({ y: sum(x) }));
  assert.match(
    refusal(() => rows.graph, { sizes: { n: 1e6, m: 100 } }),
    /fits up to n = 335544 beside m = 100$/,
  );
  const outer = model({ x: input(["n", 1], "f32") }, ({ x }) => ({ y: matmul(x, transpose(x)) }));
  assert.match(
    refusal(() => outer.graph, { sizes: { n: 10_000 } }),
    /the output "y", f32\[10000, 10000\].*; it fits up to n = 5792$/,
  );
  assert(performance.now() - began < 3000);
});
