import assert from "node:assert/strict";
import { compileGraph, policies } from "../../../compiler/compile.ts";
import { emitWgsl } from "../../../compiler/emit/wgsl.ts";
import { iterationsOf } from "../../../compiler/kernel/iterations.ts";
import type { HostView } from "../../../compiler/kernel/interpret.ts";
import type { Reader, Value } from "../../../compiler/kernel/value.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { input } from "../../../compiler/model/input.ts";
import { model } from "../../../compiler/model/model.ts";
import { isRefusal, type ScheduledKernel } from "../../../compiler/schedule/group.ts";
import { scheduleScan } from "../../../compiler/schedule/scan/scan.ts";
import { gpuTarget, softwareTarget, type Target, testTarget } from "../../../compiler/target.ts";
import { cpuTarget } from "../../../runtime/targets.ts";
import {
  add,
  cummax,
  cumsum,
  exp,
  gradient,
  mul,
  permute,
  reshape,
  sliceAxis,
  sum,
  type Tensor,
} from "../../../mod.ts";
import { evaluateGraph } from "../../support/evaluate.ts";
import { HostRun } from "../../support/run_program.ts";
import {
  assertClose,
  count,
  numbers,
  oneLane,
  RowGroup,
  splitting,
  targets,
} from "../../unit/schedule/row_support.ts";

const everywhere: readonly Target[] = [...targets, splitting, cpuTarget];

class ScanGroup extends RowGroup {
  override schedule(target: Target): readonly ScheduledKernel[] {
    const scheduled = scheduleScan(this.lowered, target);
    assert.ok(!isRefusal(scheduled), isRefusal(scheduled) ? scheduled.refused : "");
    return scheduled as readonly ScheduledKernel[];
  }
}

interface Options {
  readonly kind?: "sum" | "prod" | "max" | "min";
  readonly axis?: number;
  readonly reverse?: boolean;
  readonly exclusive?: boolean;
  /** Numbers after which sums begin anew: true where one begins. */
  readonly restart?: Uint32Array;
  readonly data?: HostView;
}

const steps = {
  sum: (a: number, x: number) => a + x,
  prod: (a: number, x: number) => a * x,
  max: Math.max,
  min: Math.min,
};
const starts = { sum: 0, prod: 1, max: -Infinity, min: Infinity };

/** A scan of x along an axis, with its meaning as a plain loop in f64. */
function scanning(shape: readonly number[], options: Options = {}): { group: ScanGroup; want: Float64Array } {
  const { kind = "sum", axis = shape.length - 1, reverse = false, exclusive = false, restart } = options;
  const g = new ScanGroup();
  const data = options.data ?? numbers(count(shape));
  const x = g.input("x", shape, data);
  const flags = restart && g.input("restart", shape, restart);
  const n = shape[axis]!;
  const turned = (i: Value) => reverse ? g.k.isub(g.k.int(n - 1), i) : i;
  g.output("y", shape, (at) => {
    const read = (from: Reader) => (i: Value) => from.at(at.with(axis, turned(i)));
    return g.k.prefix(kind, n, turned(at[axis]!), at, exclusive, read(x), flags && read(flags));
  });
  const want = new Float64Array(data.length);
  const stride = count(shape.slice(axis + 1));
  for (let first = 0; first < data.length; first++) {
    if (Math.floor(first / stride) % n !== 0) continue;
    let total = starts[kind];
    for (let i = 0; i < n; i++) {
      const at = first + (reverse ? n - 1 - i : i) * stride;
      if (restart?.[at]) total = starts[kind];
      const next = steps[kind](total, data[at]!);
      want[at] = exclusive ? total : next;
      total = next;
    }
  }
  return { group: g, want };
}

function check(shape: readonly number[], options: Options = {}, only = everywhere): void {
  for (const target of only) {
    const { group, want } = scanning(shape, options);
    for (const k of group.run(target)) emitWgsl(k.kernel, { features: target.features });
    // A sum is off by roundings of its partial sums.
    const tolerance = options.kind === "max" || options.kind === "min" ? 0 : 1e-6 * Math.sqrt(count(shape));
    assertClose(
      group.data.get("y")!,
      want,
      tolerance,
      `${target.name} [${shape}] ${JSON.stringify(options)}`,
    );
  }
}

Deno.test("scheduleScan() sums rows of any length", () => {
  for (const shape of [[2], [3], [5], [17], [64], [130], [1, 7], [3, 127], [40, 9], [33, 16]]) {
    check(shape);
  }
  for (const shape of [[1000], [2, 1000], [3, 2051]]) check(shape);
});

Deno.test("scheduleScan() sums 100,000 elements as one row, as many rows, as columns", () => {
  for (const shape of [[100_000], [3, 33_333], [1000, 100], [50_000, 2]]) {
    check(shape, {}, [softwareTarget, gpuTarget, cpuTarget]);
  }
  check([1000, 100], { axis: 0 }, [softwareTarget, gpuTarget, cpuTarget]);
  check([20_000, 4], { axis: 0, reverse: true }, [softwareTarget, gpuTarget, cpuTarget]);
});

Deno.test("scheduleScan() runs along any axis, backwards and without the element itself", () => {
  for (const shape of [[7, 33, 3], [2, 30, 8], [5, 9, 4]]) {
    for (const axis of [0, 1, 2]) {
      for (const reverse of [false, true]) {
        for (const exclusive of [false, true]) check(shape, { axis, reverse, exclusive });
      }
    }
  }
  check([2, 530], { reverse: true, exclusive: true });
});

Deno.test("scheduleScan() multiplies, and keeps extremes with NaN from its place on", () => {
  const near1 = numbers(600).map((v) => 1 + 0.05 * v);
  check([3, 200], { kind: "prod", data: near1 });
  check([3, 200], { kind: "prod", data: near1, exclusive: true, reverse: true });
  const ties = numbers(600).map((v) => Math.round(v * 8));
  for (const kind of ["max", "min"] as const) {
    check([3, 200], { kind, data: ties });
    const broken = ties.slice();
    broken[250] = NaN;
    broken[31] = -Infinity;
    broken[577] = Infinity;
    check([3, 200], { kind, data: broken });
    check([200, 3], { kind, data: broken, axis: 0, reverse: true });
    check([600], { kind, data: broken });
  }
  check([3, 200], { kind: "max", data: Int32Array.from(ties) });
});

Deno.test("scheduleScan() begins anew where it is told to", () => {
  const some = [testTarget, splitting, softwareTarget, cpuTarget];
  for (const every of [1, 7, 300]) {
    const restart = Uint32Array.from({ length: 300 }, (_, i) => i * 11 % every === 0 ? 1 : 0);
    for (const shape of [[300], [3, 100], [75, 4]]) {
      for (const reverse of [false, true]) {
        check(shape, { restart, reverse }, some);
        check(shape, { restart, reverse, axis: 0 }, some);
        check(shape, { restart, reverse, kind: "max" }, [splitting]);
      }
    }
  }
  // What is forgotten leaves no trace: no ∞ − ∞, no NaN.
  const data = numbers(64);
  data[3] = NaN;
  data[20] = Infinity;
  const restart = Uint32Array.from({ length: 64 }, (_, i) => i % 8 === 0 ? 1 : 0);
  check([64], { data, restart });
});

Deno.test("scheduleScan() cuts rows into chunks where they are few, and where a driver would not finish", () => {
  assert.deepEqual(scanning([4000]).group.schedule(splitting).map((k) => k.split), [true, false]);
  assert.equal(scanning([4000]).group.schedule(oneLane).length, 2);
  assert.equal(scanning([4000]).group.schedule(cpuTarget).length, 1);
  assert.equal(scanning([2000, 256], { axis: 0 }).group.schedule(softwareTarget).length, 1);
  const bounded: Target = { ...softwareTarget, quirks: { ...softwareTarget.quirks, loopBound: 300 } };
  const { group, want } = scanning([60_000]);
  for (const { kernel } of group.run(bounded)) {
    assert.ok(iterationsOf(kernel) <= 300, `${iterationsOf(kernel)}`);
  }
  assertClose(group.data.get("y")!, want, 1e-4, "bounded");
});

Deno.test("scheduleScan() doesn't cut rows where the chunks' totals would be a buffer too many", () => {
  const within = (storageBuffers: number, target = splitting): Target => ({
    ...target,
    limits: { ...target.limits, storageBuffers },
  });
  const kernels = (storageBuffers: number) => {
    const { group, want } = scanning([4000]);
    const made = group.run(within(storageBuffers));
    assertClose(group.data.get("y")!, want, 1e-4, `${storageBuffers} buffers`);
    return made.length;
  };
  // x and y, and what each chunk comes to.
  assert.deepEqual([kernels(3), kernels(2)], [2, 1]);
  const bounded: Target = { ...softwareTarget, quirks: { ...softwareTarget.quirks, loopBound: 300 } };
  const refused = scheduleScan(scanning([60_000]).group.lowered, within(2, bounded));
  assert(isRefusal(refused));
  assert.match(refused.refused, /ends loops early, and a kernel then needs 3 buffers where it may have 2/);
});

Deno.test("scheduleScan() refuses what is no scan, with the reason", () => {
  const refusal = (f: (g: RowGroup, x: Reader) => void): string => {
    const g = new RowGroup();
    f(g, g.random("x", [8, 8]));
    const scheduled = scheduleScan(g.lowered, testTarget);
    assert.ok(isRefusal(scheduled));
    return scheduled.refused;
  };
  const prefix = (g: RowGroup, x: Reader, i: Value, upTo: Value) =>
    g.k.prefix("sum", 8, upTo, [i, upTo], false, (p) => x.at([i, p]));
  assert.match(refusal((g, x) => g.output("y", [8, 8], (at) => x.at(at))), /0 cumulative values/);
  assert.match(
    refusal((g, x) => g.output("y", [8, 4], ([i, j]) => prefix(g, x, i!, j!))),
    /a running sum over 8 for results along 4/,
  );
  assert.match(
    refusal((g, x) => g.output("y", [8, 8], ([i, j]) => g.k.add(prefix(g, x, i!, j!), prefix(g, x, j!, i!)))),
    /2 cumulative values/,
  );
  assert.match(
    refusal((g, x) =>
      g.output("y", [8, 8], ([i, j]) => g.k.prefix("sum", 8, j!, [i!, j!], false, (p) => x.at([j!, p])))
    ),
    /what is summed changes/,
  );
});

// ---- through the pipeline ----------------------------------------------------------------------------------------

/** Compiles y = f(x) for several targets, compares with the references, and says which schedules were used. */
function pipeline(shape: readonly number[], f: (x: Tensor) => Tensor, fused = true): readonly string[] {
  const net = model({ x: input(shape, "f32") }, ({ x }) => ({ y: f(x as Tensor) }));
  const x = numbers(count(shape));
  const feeds = new Map([[net.graph.inputs[0]!.node, Float64Array.from(x)]]);
  const [want] = evaluateGraph([net.graph.outputs["y"]!], feeds);
  let used: readonly string[] = [];
  for (const target of [testTarget, softwareTarget, gpuTarget, cpuTarget]) {
    const policy = fused ? policies.greedy : policies.none;
    const { program, kernels } = compileGraph(net.graph, { target, policy });
    used = kernels.map((k) => k.schedule);
    for (const kernel of program.kernels) verifyKernel(kernel, target.limits);
    const { y } = new HostRun(program).run({ x });
    assertClose(y!, want!, 1e-6 * Math.sqrt(count(shape)), target.name);
  }
  return used;
}

Deno.test("what stands before and behind a scan is computed in its kernel", () => {
  const f = (x: Tensor) => add(mul(cumsum(exp(x), 1), 0.5), x) as Tensor;
  assert.deepEqual(pipeline([3, 64], f), ["scan"]);
  assert.deepEqual(pipeline([3, 64], f, false), ["map", "scan", "map", "map"]);
  assert.deepEqual(pipeline([5, 6, 7], (x) => permute(cumsum(x, 1), [2, 0, 1]) as Tensor), ["scan"]);
});

Deno.test("a scan is never summed anew per element because of what reads it", () => {
  assert.deepEqual(pipeline([4, 60], (x) => sliceAxis(cumsum(x, 1), 1, { start: 10, stop: 50 }) as Tensor), [
    "scan",
    "map",
  ]);
  assert.deepEqual(pipeline([4, 60], (x) => mul(reshape(cumsum(x, 1), [240]), 2) as Tensor), ["scan", "map"]);
  assert.deepEqual(pipeline([4, 60], (x) => sum(cummax(x, 1), 1) as Tensor), ["scan", "row"]);
  assert.deepEqual(pipeline([40, 40], (x) => cumsum(cumsum(x, 0), 1) as Tensor), ["scan", "scan"]);
});

Deno.test("the gradient of a running maximum is a few scans: no pairs are compared", () => {
  const net = model({ x: input([2, 5000], "f32") }, ({ x }) => {
    const y = cummax(x, 1);
    return { g: gradient(sum(mul(y, y)), [x])[0]! };
  });
  const x = numbers(10_000);
  const { program, kernels } = compileGraph(net.graph, { target: softwareTarget });
  assert.ok(kernels.filter((k) => k.schedule === "scan").length <= 6, `${kernels.length} kernels`);
  const { g } = new HostRun(program).run({ x });
  const want = new Float64Array(10_000);
  for (let row = 0; row < 2; row++) {
    let best = 0;
    for (let i = 0; i < 5000; i++) {
      if (i === 0 || x[row * 5000 + i]! > x[row * 5000 + best]!) best = i;
      want[row * 5000 + best]! += 2 * x[row * 5000 + best]!;
    }
  }
  assertClose(g!, want, 1e-4, "gradient");
});
