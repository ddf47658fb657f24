/**
 * What is counted of a kernel's loops is what an execution does: the interpreter, which is the definition, is
 * asked.
 */

import assert from "node:assert/strict";
import { compileGraph, policies } from "../../compiler/compile.ts";
import { interpret } from "../../compiler/kernel/interpret.ts";
import type { Computed } from "../../compiler/kernel/ir.ts";
import { type KernelWork, workOfKernel } from "../../compiler/kernel/work.ts";
import { gpuTarget, softwareTarget, type Target, testTarget } from "../../compiler/target.ts";
import {
  adam,
  add,
  attention,
  conv,
  crossEntropy,
  exp,
  gelu,
  input,
  layerNorm,
  linear,
  matmul,
  type Model,
  model,
  mul,
  sliceAxis,
  softmax,
  sum,
  trainStep,
  transpose,
} from "../../mod.ts";
import { contentsFor } from "../../runtime/tune/inputs.ts";
import { irKernels } from "../support/ir_kernels.ts";
import { deviceArray } from "../support/random_kernel.ts";

/** What an execution did, counted as it went. */
class Counted {
  loads = 0;
  stores = 0;
  flops = 0;
  functions = 0;
  readonly read = new Map<string, Set<number>>();
  readonly written = new Map<string, Set<number>>();

  computed(instr: Computed): void {
    if (instr.type.scalar !== "f32" && instr.type.scalar !== "f16") return;
    if (instr.kind === "binary" && /^(add|sub|mul|div|rem|min|max)$/.test(instr.op)) {
      this.flops += instr.type.width;
    }
    if (instr.kind === "unary" && /^(exp2?|log2?|sqrt|inverseSqrt|sin|cos|tanh)$/.test(instr.op)) {
      this.functions += instr.type.width;
    }
  }

  touched(buffer: string, at: number, width: number, writes: boolean): void {
    if (writes) this.stores += 4 * width;
    else this.loads += 4 * width;
    const places = writes ? this.written : this.read;
    let known = places.get(buffer);
    if (!known) places.set(buffer, known = new Set());
    for (let i = 0; i < width; i++) known.add(at + i);
  }
}

/** Both accounts of each kernel of a model. */
function accounts(net: Pick<Model, "graph">, target: Target): [KernelWork, Counted, string][] {
  const { kernels } = compileGraph(net.graph, { target, policy: policies.greedy });
  const made = irKernels(kernels);
  const refs = [...new Map(made.flatMap(({ buffers }) => buffers).map((b) => [b.name, b])).values()];
  const memory = new Map(refs.map((b) => {
    const view = deviceArray(b.dtype, b.size);
    view.set(contentsFor([b], kernels, "signed").get(b.name)!);
    return [b.name, view];
  }));
  return made.map(({ kernel, buffers, params, groups, schedule, label }) => {
    const counted = new Counted();
    const named = Object.fromEntries(kernel.params.map(({ name }, i) => [name, params[i]!]));
    interpret(kernel, buffers.map(({ name }) => memory.get(name)!), named, groups, counted);
    return [workOfKernel(kernel, { groups, params }), counted, `${target.name}, ${schedule}: ${label}`];
  });
}

const cases: Readonly<Record<string, () => Pick<Model, "graph">>> = {
  "maps with a ragged edge": () =>
    model({ x: input([7, 13], "f32"), b: input([13], "f32") }, ({ x, b }) => ({ y: exp(mul(add(x, b), 2)) })),
  "a slice of a transpose": () =>
    model(
      { x: input([9, 40], "f32") },
      ({ x }) => ({ y: exp(sliceAxis(transpose(x), 0, { start: 3, stop: 21 })) }),
    ),
  "rows": () =>
    model({ x: input([5, 37], "f32"), g: input([37], "f32"), b: input([37], "f32") }, ({ x, g, b }) => ({
      y: softmax(x),
      z: layerNorm(x, { scale: g, shift: b }),
    })),
  "a sum of all": () => model({ x: input([3000], "f32") }, ({ x }) => ({ y: sum(x) })),
  "a contraction": () =>
    model({ a: input([19, 23], "f32"), b: input([23, 21], "f32"), c: input([21], "f32") }, ({ a, b, c }) => ({
      y: gelu(add(matmul(a, b), c)),
    })),
  "a convolution": () =>
    model({ x: input([1, 2, 9, 9], "f32"), w: input([4, 2, 3, 3], "f32") }, ({ x, w }) => ({
      y: conv(x, w, { padding: 1 }),
    })),
  "attention": () => {
    const heads = input([2, 10, 8], "f32");
    return model(
      { q: heads, k: heads, v: heads },
      ({ q, k, v }) => ({ y: attention(q, k, v, { causal: true }) }),
    );
  },
  "a training step": () =>
    trainStep(
      model(
        { x: input([6, 5], "f32"), y: input([6], "i32") },
        ({ x, y }) => ({ loss: crossEntropy(linear(5, 3)(x), y) }),
      ),
      adam({ rate: 0.01 }),
    ),
};

const seen = new Set<string>();
for (const [what, make] of Object.entries(cases)) {
  Deno.test(`workOfKernel() counts of ${what} what the interpreter executes`, () => {
    for (const target of [testTarget, softwareTarget, gpuTarget]) {
      for (const [work, counted, where] of accounts(make(), target)) {
        seen.add(where.split(/[,:] /)[1]!);
        assert(work.exact, where);
        const { loads, stores, flops, functions } = counted;
        assert.deepEqual(
          { loads: work.loads, stores: work.stores, flops: work.flops, functions: work.functions },
          { loads, stores, flops, functions },
          where,
        );
        for (const { name, reads, writes, loads } of work.buffers) {
          const [read, written] = [counted.read, counted.written].map((all) =>
            4 * (all.get(name)?.size ?? 0)
          );
          assert(writes >= written!, `${where}: ${name} writes ${writes}, touched ${written}`);
          assert(reads === 0 || reads >= read!, `${where}: ${name} reads ${reads}, touched ${read}`);
          assert(reads <= loads, where);
        }
      }
    }
  });
}

Deno.test("the kernels that were counted are of every kind of loop nest", () => {
  for (const schedule of ["map", "row", "contraction", "attention"]) {
    assert(seen.has(schedule), [...seen].join());
  }
});
