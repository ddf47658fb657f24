/** What a report says of a compile: the same as the compile, and of each line of a kernel the op that it serves. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { main } from "../../../cli.ts";
import { compileGraph, policies } from "../../../compiler/compile.ts";
import { emitWgsl } from "../../../compiler/emit/wgsl.ts";
import type { Graph } from "../../../compiler/graph/graph.ts";
import { printGraph } from "../../../compiler/graph/print.ts";
import { printProgram } from "../../../compiler/program/print.ts";
import { gpuTarget, softwareTarget, type Target, testTarget } from "../../../compiler/target.ts";
import {
  adam,
  add,
  attention,
  crossEntropy,
  floor,
  input,
  layerNorm,
  linear,
  matmul,
  model,
  mul,
  relu,
  softmax,
  sqrt,
  trainStep,
  transpose,
} from "../../../mod.ts";
import { kernelTexts } from "../../../runtime/lab/report/kernel_texts.ts";
import type { CompileView, ReportData } from "../../../runtime/lab/report/data.ts";
import { reportData, type ReportedCompile } from "../../../runtime/lab/report/report_data.ts";
import { reportPage } from "../../../runtime/lab/report/report_page.ts";

const net = model({ x: input(["batch", 24], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
  const [body, head] = [linear(24, 32, { name: "body" }), linear(32, 3, { name: "head" })];
  return { loss: crossEntropy(head(relu(body(x))), y) };
});
const step = trainStep(net, adam({ rate: 1e-3 }));

const numbersOf = ({ nodes }: Graph) => new Map(nodes.map((node, i) => [node, i]));

const unmeasured = "nobody asked for it.";
const one = (target: Target, more: Partial<ReportedCompile> = {}): ReportedCompile => ({
  name: "one",
  target,
  sizes: { batch: 8 },
  measure: unmeasured,
  ...more,
});

/** The final graph's ops, by number. */
const opsOf = ({ ops, stages }: CompileView) => stages.at(-1)!.nodes.map((index) => ops[index]!);

Deno.test("keeping account of which op a statement serves changes no program", () => {
  const nets = [
    { graph: step.graph, sizes: { batch: 8 } },
    {
      graph:
        model({ q: input([2, 64, 16], "f32") }, ({ q }) => ({ y: layerNorm(softmax(attention(q, q, q))) }))
          .graph,
      sizes: {},
    },
  ];
  for (const target of [testTarget, softwareTarget, gpuTarget]) {
    for (const { graph, sizes } of nets) {
      const text = (provenance: boolean) => {
        const { program } = compileGraph(graph, { target, sizes, provenance });
        return [
          printProgram(program),
          ...program.kernels.map((k) => emitWgsl(k, { features: target.features })),
        ];
      };
      assert.deepEqual(text(true), text(false));
    }
  }
});

Deno.test("a line of WGSL names the op whose value it computes", () => {
  const small = model({ x: input([64], "f32") }, ({ x }) => ({ y: mul(add(sqrt(x), floor(x)), 3) }));
  const compiled = compileGraph(small.graph, { target: softwareTarget, provenance: true });
  const { kernels: [kernel], dispatches: [dispatch] } = kernelTexts(compiled, numbersOf(compiled.graph));
  const lines = kernel!.wgsl.split("\n");
  const opAt = (line: number) => compiled.graph.nodes[dispatch!.wgslOps[line]!]?.op.name;
  assert.equal(opAt(lines.findIndex((line) => line.includes("sqrt("))), "sqrt");
  assert.equal(opAt(lines.findIndex((line) => line.includes("floor("))), "floor");
  assert.equal(opAt(lines.findIndex((line) => / = v\d+ \+ v\d+;/.test(line) && line.includes("let"))), "add");
  // The store serves what it stores, the declarations nobody.
  assert.equal(opAt(lines.findLastIndex((line) => line.includes("] = "))), "mul");
  assert.equal(opAt(0), undefined);
});

for (const target of [testTarget, softwareTarget, gpuTarget]) {
  Deno.test(`every line of a kernel for ${target.name} serves an op of its groups, or none`, () => {
    const compiled = compileGraph(step.graph, { target, sizes: { batch: 8 }, provenance: true });
    const numbers = numbersOf(compiled.graph);
    const { kernels, dispatches } = kernelTexts(compiled, numbers);
    let [served, all] = [0, 0];
    dispatches.forEach(({ wgslOps, irOps }, d) => {
      const ops = new Set(
        compiled.serves[d]!.flatMap(({ nodes }) => [...nodes].map((node) => numbers.get(node)!)),
      );
      for (const n of [...wgslOps, ...irOps]) assert(n === -1 || ops.has(n), `%${n} is not in dispatch ${d}`);
      const step = compiled.program.steps[d]!;
      const { ir, wgsl } = kernels[step.kind === "dispatch" ? step.dispatch.kernel : -1]!;
      assert.equal(wgslOps.length, wgsl.split("\n").length);
      assert.equal(irOps.length, ir.trimEnd().split("\n").length);
      assert(wgslOps.some((n) => n >= 0), `no line of dispatch ${d} serves any op`);
      served += wgslOps.filter((n) => n >= 0).length;
      all += wgslOps.length;
    });
    assert(served > all / 3, `only ${served} of ${all} lines serve an op`);
  });
}

Deno.test("a report has the graphs, groups, memory and reasons of its compile", async () => {
  const compiled = compileGraph(step.graph, { target: softwareTarget, sizes: { batch: 8 } });
  const { compiles: [view] } = await reportData("step", step, [one(softwareTarget)]);
  const { stages, groups, dispatches, memory, lines, pairs } = view!;
  assert.deepEqual(stages.map(({ name }) => name).slice(-2), ["fuse", "program"]);
  assert.deepEqual(opsOf(view!).map(({ op }) => op), compiled.graph.nodes.map(({ op }) => op.name));
  assert.equal(
    printGraph(compiled.graph).split("\n").length,
    stages.at(-1)!.nodes.length + compiled.graph.writes.length + 2,
  );
  assert.equal(groups.length, compiled.cover.groups.length);
  assert.deepEqual(
    groups.map(({ nodes }) => nodes.length),
    compiled.cover.groups.map(({ nodes }) => nodes.size),
  );
  assert.equal(dispatches.length, compiled.program.steps.length);
  const { peak, bound } = compiled.program.memory;
  assert.deepEqual([memory.peak, memory.bound, Math.max(...memory.live)], [peak, bound, bound]);
  for (const { offset, bytes } of memory.temporaries) assert(offset + bytes <= peak);
  assert(
    memory.arenas.some(({ role, slots }) =>
      role === "state" && slots.some(({ name }) => name === "body/weight")
    ),
  );
  assert(pairs.some(({ fused }) => fused) && pairs.some(({ fused }) => !fused));
  assert(Object.values(lines).some((line) => line.includes("crossEntropy(head(relu(body(x))), y)")));
  // Before fusion each op is drawn once; numbers in kernels' texts are not.
  const { nodes, picture } = stages[0]!;
  const drawn = nodes.flatMap((index, n) => view!.ops[index]!.kind === "free" ? [] : [`n${n}`]);
  const boxes = picture.boxes.map(({ id }) => id).filter((id) => id.startsWith("n"));
  assert.deepEqual(boxes.sort(), drawn.sort());
  // All phases are there, and every picture lies within its frame.
  assert.deepEqual(new Set(groups.map(({ phase }) => phase)), new Set(["forward", "backward", "update"]));
  for (const { picture: { boxes, width, height } } of stages) {
    for (const { x, y, w, h } of boxes) assert(x >= 0 && y >= 0 && x + w <= width && y + h <= height);
  }
});

Deno.test("two compiles are matched op by op, whatever their policy, target or size", async () => {
  const against: readonly Partial<ReportedCompile>[] = [
    { policy: policies.none },
    { target: gpuTarget },
    { sizes: { batch: 32 } },
  ];
  const net = model(
    { x: input(["batch", 24], "f32") },
    ({ x }) => ({ y: softmax(relu(matmul(x, transpose(x)))) }),
  );
  for (const other of against) {
    const data = await reportData("net", net, [one(softwareTarget), one(softwareTarget, other)]);
    const [a, b] = data.compiles.map(opsOf);
    assert.deepEqual(data.matches, a!.map((_, i) => i));
    assert.deepEqual(b!.map(({ op }) => op), a!.map(({ op }) => op));
  }
});

const weft = new URL("../../../mod.ts", import.meta.url).href;

/** A folder with the file of a model, and what `weft report` says and ends with there. */
async function inFolder(
  f: (folder: string, run: (...args: string[]) => Promise<{ code: number; out: string }>) => Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "weft-report-" });
  const file = join(folder, "model.ts");
  Deno.writeTextFileSync(
    file,
    `import { input, matmul, model, relu } from ${JSON.stringify(weft)};
export const net = model({ x: input(["n", 24], "f32"), w: input([24, 24], "f32") }, ({ x, w }) => {
  return { y: relu(matmul(x, w)) }; // </script>
});`,
  );
  const { log, error } = console;
  try {
    await f(folder, async (...args) => {
      const lines: string[] = [];
      const hear = (...said: unknown[]) => void lines.push(said.join(" "));
      [console.log, console.error] = [hear, hear];
      try {
        return { code: await main(["report", file, "--size", "n=8", ...args]), out: lines.join("\n") };
      } finally {
        [console.log, console.error] = [log, error];
      }
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("weft report without a device writes the same page every time, whole, and data beside it", async () => {
  await inFolder(async (folder, run) => {
    const [a, b, json] = ["a.html", "b.html", "data.json"].map((name) => join(folder, name)) as [
      string,
      string,
      string,
    ];
    const { code, out } = await run("--device", "none", "--out", a, "--json", json);
    assert.equal(code, 0, out);
    assert.match(out, /a\.html: net of model\.ts, 1 dispatch, .* no times: no device was asked for/);
    assert.equal((await run("--device", "none", "--out", b)).code, 0);
    const page = Deno.readTextFileSync(a);
    assert.equal(Deno.readTextFileSync(b), page);
    // Data can't end its script, and the page names nothing to fetch.
    assert.equal(page.split("</script>").length, 3);
    assert.doesNotMatch(page, /src=|url\((?!#)|@import/);
    const data: ReportData = JSON.parse(Deno.readTextFileSync(json));
    assert.equal(data.compiles[0]!.lines["model.ts:3"], "return { y: relu(matmul(x, w)) }; // </script>");
    assert.equal(page, await reportPage(data));
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), [
      "a.html",
      "b.html",
      "data.json",
      "model.ts",
    ]);
  });
});

Deno.test("weft report measures on a device, and puts a second compile beside the first", async () => {
  await inFolder(async (folder, run) => {
    const [out, json] = [join(folder, "a.html"), join(folder, "data.json")];
    const { code, out: said } = await run(
      "--device",
      "cpu",
      "--rounds",
      "2",
      "--against",
      "none",
      "--out",
      out,
      "--json",
      json,
    );
    assert.equal(code, 0, said);
    const { compiles, matches }: ReportData = JSON.parse(Deno.readTextFileSync(json));
    assert.deepEqual(compiles.map(({ policy }) => policy), ["greedy", "none"]);
    assert.equal(matches!.length, compiles[0]!.stages.at(-1)!.nodes.length);
    for (const { measured, dispatches } of compiles) {
      assert.equal(measured!.rounds, 2);
      assert(measured!.gflops > 0 && measured!.bandwidth.every(({ gbPerS }) => gbPerS > 0));
      for (const { time, work } of dispatches) {
        assert(time!.ms >= 0 && work!.reads > 0 && time!.binds !== undefined);
      }
    }
  });
});

Deno.test("weft report says what it can't do", async () => {
  await inFolder(async (folder, run) => {
    const out = join(folder, "a.html");
    const cases: readonly (readonly [string[], number, RegExp])[] = [
      [
        ["--device", "none", "--out", out, "--against", "best"],
        2,
        /--against best: it is no policy \(none, .* no target .* and no size/,
      ],
      [["--device", "none", "--out", out, "--against", "m=4"], 2, /has no size "m"; its sizes are "n"/],
      [
        ["--device", "none", "--out", join(folder, "no", "a.html")],
        2,
        /there is no folder "[^"]*\/no" to write a\.html into/,
      ],
    ];
    for (const [args, wanted, says] of cases) {
      const { code, out: said } = await run(...args);
      assert.match(said, says);
      assert.equal(code, wanted, said);
    }
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["model.ts"]);
  });
});
