/**
 * Kernels with the tiles of real targets on the machine's adapter: each schedule, for a software adapter and for a GPU, on
 * tensors that lie in memory in different ways. What fusion makes of whole graphs is tested on small tiles, which compile
 * quickly; here stand few cases, since a real tile takes a driver up to seconds.
 */

import assert from "node:assert/strict";
import { policies } from "../../compiler/compile.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { SampleInput } from "../../compiler/graph/op.ts";
import { printKernel } from "../../compiler/kernel/print.ts";
import { gpuTarget, softwareTarget, type Target } from "../../compiler/target.ts";
import * as ops from "../../ops/mod.ts";
import { compileCase, type SampleCase } from "../support/compile_samples.ts";
import { forwardCase, functionCase } from "../support/function_cases.ts";
import { GpuChecker, type Run } from "../support/gpu_checker.ts";

type Floats = Tensor<readonly number[], "f32">;
type Form = (...inputs: Floats[]) => Tensor | readonly Tensor[];

const x = (...shape: number[]): SampleInput => ({ shape, lo: -1.5, hi: 1.5 });
const turned = (t: Floats): Floats => ops.permute(t, [1, 0]) as Floats;

/** Results alone, or with the gradients in all inputs. */
const forward = (name: string, f: Form, inputs: readonly SampleInput[]): SampleCase =>
  forwardCase(name, (...given) => [f(...given as Floats[])].flat(), inputs);
const both = (name: string, f: (...inputs: Floats[]) => Tensor, inputs: readonly SampleInput[]): SampleCase =>
  functionCase(name, f as (...inputs: Tensor[]) => Tensor, inputs);

const changed = (base: Target, name: string, contraction: Partial<Target["contraction"]>): Target => ({
  ...base,
  name,
  contraction: { ...base.contraction, ...contraction },
});
const real = [softwareTarget, gpuTarget];

/** A schedule, the targets whose tiles it takes, and what it is to compute. */
const schedules: Readonly<
  Record<string, readonly [targets: readonly Target[], cases: readonly SampleCase[]]>
> = {
  map: [real, [
    forward("map, dense", (a, b) => ops.gelu(ops.add(a, b)), [x(9, 64), x(9, 64)]),
    forward("map, transposed", (a, b) => ops.mul(turned(a), b), [x(20, 12), x(12, 20)]),
    forward("map, broadcast", (a, b) => [ops.mul(a, b), ops.tanh(a)], [x(7, 33), x(33)]),
    forward(
      "map, of a slice",
      (a) => ops.exp(ops.slice(a, [{ start: 1, stop: 6 }, { start: 3, stop: 20 }])),
      [
        x(7, 21),
      ],
    ),
  ]],
  row: [real, [
    forward("row, dense", (a) => ops.softmax(a), [x(12, 96)]),
    forward("row, of odd length", (a) => [ops.softmax(a), ops.logSumExp(a)], [x(5, 77)]),
    forward("row, of columns", (a) => ops.softmax(a, 0), [x(40, 9)]),
    forward("row, long", (a) => ops.softmax(a), [x(1, 20_000)]),
    both("row, with gradients", (a, s, b) => ops.layerNorm(a, { scale: s, shift: b }), [
      x(6, 64),
      x(64),
      x(64),
    ]),
    forward("row, of everything", (a) => ops.sum(a), [x(130, 70)]),
  ]],
  contraction: [
    [
      softwareTarget,
      changed(softwareTarget, "software, register", {
        shape: "register",
        tile: [4, 8],
        grid: [4, 2],
        depth: 4,
      }),
      gpuTarget,
      changed(gpuTarget, "gpu, not staged", { staged: false, depth: 4, partSteps: 0 }),
    ],
    [
      forward("contraction, a·b", (a, b) => ops.matmul(a, b), [x(32, 40), x(40, 32)]),
      forward("contraction, a·bᵀ", (a, b) => ops.matmul(a, turned(b)), [x(32, 40), x(32, 40)]),
      forward("contraction, aᵀ·b", (a, b) => ops.matmul(turned(a), b), [x(40, 32), x(40, 32)]),
      forward("contraction, odd, between maps", (a, b, c) => {
        return ops.relu(ops.add(ops.matmul(ops.silu(a), b), c));
      }, [x(33, 29), x(29, 37), x(37)]),
      forward("contraction, of batches", (a, b) => ops.matmul(a, b), [x(3, 24, 24), x(3, 24, 16)]),
      forward("contraction, of a long sum", (a, b) => ops.matmul(a, b), [x(8, 1031), x(1031, 12)]),
      both("contraction, of images", (a, w) => ops.conv(a, w, { padding: 1 }), [
        x(2, 4, 9, 9),
        x(8, 4, 3, 3),
      ]),
    ],
  ],
  scan: [real, [
    forward("scan, of rows", (a) => ops.cumsum(a, 1), [x(6, 75)]),
    forward("scan, of columns", (a) => ops.cumsum(a, 0), [x(75, 6)]),
    forward("scan, long", (a) => ops.cummax(a, 0), [x(9000)]),
  ]],
  attention: [[...real, {
    ...softwareTarget,
    name: "software, loads handed on",
    broadcast: 8,
    lanes: { ...softwareTarget.lanes, contraction: 4 },
  }], [
    both("attention, plain", (q, k, v) => ops.attention(q, k, v), [
      x(2, 2, 19, 8),
      x(2, 2, 19, 8),
      x(2, 2, 19, 8),
    ]),
    both(
      "attention, causal, heads that share keys",
      (q, k, v) => ops.attention(q, k, v, { causal: true }),
      [x(1, 4, 33, 8), x(1, 2, 33, 8), x(1, 2, 33, 8)],
    ),
  ]],
  sort: [real, [forward("sort", (a) => ops.sort(a, { axis: 1 }), [x(3, 300)])]],
};

const checker = await GpuChecker.open();

for (const [schedule, [targets, cases]] of Object.entries(schedules)) {
  for (const target of targets) {
    Deno.test(`${schedule}: with the tiles of ${target.name} the adapter gives what the references say`, async () => {
      const way = { target: checker.target(target), policy: policies.greedy };
      await checker.check(cases.map((sample): Run => [sample, way]));
    });
  }

  Deno.test(`${schedule}: no two targets share all kernels of a case, so that none is tested twice`, () => {
    for (const sample of cases) {
      const texts = targets.map((target) =>
        compileCase(sample, { target: checker.target(target) }).program.kernels.map(printKernel).join("\n")
      );
      assert.equal(new Set(texts).size, targets.length, sample.text);
    }
  });
}

Deno.test("Tint accepts every kernel with a real tile, and hardly any result is undecidable", () => {
  console.log(checker.summary());
  checker[Symbol.dispose]();
});
