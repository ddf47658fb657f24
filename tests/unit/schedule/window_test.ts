import assert from "node:assert/strict";
import { interpret } from "../../../compiler/kernel/interpret.ts";
import type { Value } from "../../../compiler/kernel/value.ts";
import { statementsOfKernel } from "../../../compiler/kernel/walk.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { isRefusal, type ScheduledKernel } from "../../../compiler/schedule/group.ts";
import { scheduleGroup } from "../../../compiler/schedule/schedule.ts";
import { scheduleWindow } from "../../../compiler/schedule/window.ts";
import { softwareTarget } from "../../../compiler/target.ts";
import { Group } from "./contraction_support.ts";

interface Depthwise {
  readonly size: number;
  readonly kernel?: number;
  readonly stride?: number;
  readonly dilation?: number;
}

/** Per channel a kernel that slides over an image with a border of zeros. */
function depthwise({ size, kernel = 3, stride = 1, dilation = 1 }: Depthwise): Group {
  const g = new Group();
  const { k } = g;
  const [channels, border] = [3, Math.floor(kernel / 2) * dilation];
  const results = Math.floor((size - 1) / stride) + 1;
  const x = g.input("x", [channels, size, size]);
  const w = g.input("w", [channels, kernel, kernel]);
  g.output(
    "y",
    [channels, results, results],
    ([c, i, j]) =>
      k.reduce("sum", [kernel, kernel], [c!, i!, j!], ([u, v]) => {
        const place = (at: Value, tap: Value) => k.affine([[at, stride], [tap, dilation]], -border);
        const [row, column] = [place(i!, u!), place(j!, v!)];
        const inside = [row, column].flatMap((p) => [k.le(0, p), k.lt(p, size)]).reduce((a, b) =>
          k.and(a, b)
        );
        return k.mul(k.guard(inside, x.at([c!, row, column]), 0), w.at([c!, u!, v!]));
      }),
  );
  return g;
}

const windowed = (g: Group): readonly ScheduledKernel[] => {
  const kernels = scheduleWindow(g.lowered, softwareTarget);
  assert.ok(!isRefusal(kernels), isRefusal(kernels) ? kernels.refused : "");
  return kernels as readonly ScheduledKernel[];
};

const refusalOf = (g: Group): string => {
  const kernels = scheduleWindow(g.lowered, softwareTarget);
  assert.ok(isRefusal(kernels));
  return kernels.refused;
};

Deno.test("scheduleWindow() writes out windows of any stride, dilation and width of the image", () => {
  for (
    const shape of [
      { size: 8 },
      { size: 7 },
      { size: 9, stride: 2 },
      { size: 12, dilation: 2 },
      { size: 13, dilation: 2 },
      { size: 14 },
      { size: 11, kernel: 5 },
      { size: 8, kernel: 5 },
      { size: 8, kernel: 1, stride: 2 },
    ]
  ) {
    const g = depthwise(shape);
    if (shape.kernel !== 1) {
      const [kernel, ...others] = windowed(g);
      assert.deepEqual(others, []);
      verifyKernel(kernel!.kernel, softwareTarget.limits);
    }
    g.run(scheduleGroup(g.lowered, softwareTarget, "row").kernels, softwareTarget);
    g.compare();
  }
});

Deno.test("scheduleWindow() takes extremes of windows side by side, NaN included", () => {
  const g = new Group();
  const { k } = g;
  const x = g.input("x", [2, 8, 16]);
  const data = g.data.get("x")!;
  data[5] = NaN;
  g.output(
    "y",
    [2, 4, 8],
    ([c, i, j]) =>
      k.reduce(
        "max",
        [2, 2],
        [c!, i!, j!],
        ([u, v]) => x.at([c!, k.affine([[i!, 2], [u!, 1]]), k.affine([[j!, 2], [v!, 1]])]),
      ),
  );
  const [{ kernel, buffers }] = windowed(g) as [ScheduledKernel];
  const y = new Float32Array(64);
  interpret(kernel, buffers.map(({ name }) => name === "x" ? data : y), {});
  for (let at = 0; at < y.length; at++) {
    const [row, column] = [2 * Math.floor(at / 8), 2 * (at % 8)];
    const window = [0, 1, 16, 17].map((step) => data[row * 16 + column + step]!);
    assert.deepEqual(y[at], Math.max(...window));
  }
});

Deno.test("scheduleWindow() refuses rows, long windows and what it would compute again", () => {
  const rows = new Group();
  const x = rows.input("x", [64, 12]);
  rows.output("y", [64], ([n]) => rows.k.reduce("sum", [12], [n!], ([i]) => x.at([n!, i!])));
  assert.equal(refusalOf(rows), "no reduction slides over what it reads");
  assert.equal(
    refusalOf(depthwise({ size: 8, kernel: 9 })),
    "a reduction has 81 terms where 50 may be written out",
  );
  const shared = new Group();
  const { k } = shared;
  const image = shared.input("x", [16, 16]);
  shared.output("y", [8, 2, 16], ([i, u, j]) => {
    const at = (tap: Value) => image.at([k.affine([[i!, 2], [tap, 1]]), j!]);
    return k.sub(
      at(u!),
      k.reduce(
        "sum",
        [2],
        [i!, u!, j!],
        ([v]) => k.mul(at(v!), image.at([k.affine([[i!, 1], [v!, 1]]), j!])),
      ),
    );
  });
  assert.equal(refusalOf(shared), "a reduction would be repeated for results that share it");
});

Deno.test("scheduleWindow() refuses to store over what other windows read", () => {
  const g = new Group();
  const { k } = g;
  const x = g.input("x", [16]);
  g.output("x", [12], ([i]) => k.reduce("sum", [3], [i!], ([u]) => x.at([k.affine([[i!, 1], [u!, 1]])])));
  assert.equal(refusalOf(g), "a result is stored over what other windows read");
});

Deno.test("scheduleWindow() gives rows places for whole vectors where their elements then share what they load", () => {
  const loads = (g: Group) => {
    const [{ kernel, buffers }] = windowed(g) as [ScheduledKernel];
    const x = kernel.buffers[buffers.findIndex(({ name }) => name === "x")]!.name;
    return [...statementsOfKernel(kernel)]
      .flatMap((s) => s.kind === "let" && s.instr.kind === "load" && s.instr.buffer === x ? [s.instr] : []);
  };
  // Per row of the window: six neighbors, and nothing of another row.
  assert.equal(loads(depthwise({ size: 27 })).length, 3 * 6);
  // Where rows are whole vectors: one, and the elements beside it.
  assert.equal(loads(depthwise({ size: 28 })).length, 3 * 3);
  assert.equal(loads(depthwise({ size: 28 })).filter(({ type }) => type.width === 4).length, 3);
});
