/** The lab, proved on planted mistakes: bisection names the node, its file fails by itself, and random graphs find it. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { policies } from "../../compiler/compile.ts";
import type { Pull } from "../../compiler/graph/op.ts";
import { InPlace } from "../../compiler/memory/in_place.ts";
import { type Rule, rules } from "../../compiler/simplify/rules.ts";
import type { Value } from "../../compiler/kernel/value.ts";
import {
  add,
  bisect,
  fuzz,
  init,
  input,
  matmul,
  model,
  mul,
  noFuse,
  openDevice,
  parameter,
  relu,
  roll,
  softmax,
  sub,
  sum,
  tanh,
} from "../../mod.ts";
import { opTable } from "../../ops/define_op.ts";
import { cpuTarget } from "../../runtime/targets.ts";
import { withError } from "../support/plant_error.ts";

/** Puts another lowering in the place of an op's until it is disposed. */
function planted(name: string, lower: (right: Pull<unknown>) => Pull<unknown>): Disposable {
  const op = opTable.get(name)! as { lower: Pull<unknown> };
  const right = op.lower;
  op.lower = lower(right);
  return { [Symbol.dispose]: () => void (op.lower = right) };
}

/** Wrong by one percent wherever the op is. */
const always = (name: string) => planted(name, () => withError(opTable.get(name)!, 0).lower as Pull<unknown>);

/** Wrong where its operand is computed in the same kernel, as a bug of fusion is. */
const fusedOnly = (name: string) =>
  planted(name, (right) => (k, inputs, at, site) => {
    const value = right(k, inputs, at, site);
    const read: Value = inputs[0]!.at(at);
    return read.kind === "load" ? value : k.mul(value, 1.01);
  });

/** The same mistake in a process of its own: a Weft that has it, for files to import. */
const plantedWeft = (name: string, how: "always" | "fusedOnly") => `
import { opTable } from ${JSON.stringify(new URL("../../ops/define_op.ts", import.meta.url).href)};
export * from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
const op = opTable.get(${JSON.stringify(name)});
const right = op.lower;
op.lower = (k, inputs, at, site) => {
  const value = right(k, inputs, at, site);
  return ${how === "always" ? "" : 'inputs[0].at(at).kind === "load" ? value : '}k.mul(value, 1.01);
};`;

const net = model({ x: input(["n", 12], "f32"), w: input([12, 8], "f32") }, ({ x, w }) => {
  const hidden = relu(add(matmul(tanh(x), w), parameter("b", [8], init.ones())));
  return { y: softmax(mul(hidden, 2)) };
});

/** Runs a text as a file beside others. */
async function outcome(text: string, weft: string): Promise<{ code: number; out: string }> {
  const folder = await Deno.makeTempDir({ prefix: "weft-lab-" });
  try {
    await Deno.writeTextFile(join(folder, "weft.js"), weft);
    const file = join(folder, "repro.ts");
    await Deno.writeTextFile(file, text);
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", file],
    })
      .output();
    return { code, out: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const right = `export * from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};`;

Deno.test("bisect() says with numbers that nothing departs", async () => {
  using device = await openDevice({ device: "cpu" });
  const { checks, finding } = await bisect(net, { device, sizes: { n: 6 } });
  assert.equal(finding, undefined);
  assert(checks.kernels >= 2 && checks.results >= 2 && checks.worst!.part < 1, JSON.stringify(checks));
});

Deno.test("bisect() begins with what a device has of numbers that are stored in 16 bits", async () => {
  using device = await openDevice({ device: "cpu" });
  const halves = model(
    { x: input([5, 33], "f16"), w: input([33, 7], "f16") },
    ({ x, w }) => ({ y: matmul(x, w) }),
  );
  const { finding } = await bisect(halves, { device });
  assert.equal(finding?.message, undefined);
});

Deno.test("bisect() names an op that is wrong by itself, and its file fails where the mistake is and nowhere else", async () => {
  using _ = always("relu");
  using device = await openDevice({ device: "cpu" });
  const { finding } = await bisect(net, { device, sizes: { n: 6 }, weft: "./weft.js" });
  assert.equal(finding!.kind, "op");
  assert.equal(finding!.node!.op, "relu");
  assert.match(finding!.node!.place!, /lab_test\.ts:\d+/);
  assert.match(finding!.message, /relu, f32\[6, 8\] .* is wrong by itself/);
  const { text, nodes, minimal } = finding!.reproduction!;
  assert(minimal && nodes <= 3, text);
  const wrong = await outcome(text, plantedWeft("relu", "always"));
  assert.deepEqual([wrong.code, wrong.out.slice(0, 13)], [1, "still differs"], wrong.out);
  const fine = await outcome(text, right);
  assert.deepEqual([fine.code, fine.out], [0, "agrees\n"]);
});

Deno.test("bisect() tells what is wrong only when fused from that, with the kernel and the ops it takes", async () => {
  using _ = fusedOnly("relu");
  using device = await openDevice({ device: "cpu" });
  const { finding } = await bisect(net, { device, sizes: { n: 6 }, weft: "./weft.js" });
  assert.equal(finding!.kind, "fused");
  assert.equal(finding!.node!.op, "relu");
  assert.match(finding!.kernel!, /add relu mul/);
  assert.match(finding!.message, /wrong only when fused, in the kernel/);
  const { text, nodes } = finding!.reproduction!;
  assert(nodes <= 3 && /fuse\(\(\) =>/.test(text), text);
  const wrong = await outcome(text, plantedWeft("relu", "fusedOnly"));
  assert.deepEqual([wrong.code, wrong.out.slice(0, 13)], [1, "still differs"], wrong.out);
});

Deno.test("bisect() names the pass, and its rule, that changed the meaning of a graph", async () => {
  const rule = rules.find(({ name }) => name === "times minus one")! as { to: Rule["to"] };
  const { to } = rule;
  rule.to = "x";
  try {
    using device = await openDevice({ device: "cpu" });
    const signs = model({ x: input([5, 4], "f32") }, ({ x }) => ({ y: tanh(mul(relu(x), -1)), z: sum(x) }));
    const { finding } = await bisect(signs, { device });
    assert.equal(finding!.kind, "pass");
    assert.match(
      finding!.message,
      /the pass "simplify", by its rule "times minus one", gave the graph another meaning/,
    );
    const { text, nodes } = finding!.reproduction!;
    assert(nodes <= 4 && /mul\(/.test(text) && !/(relu|tanh|sum)\(/.test(text), text);
  } finally {
    rule.to = to;
  }
});

Deno.test("bisect() tells memory that is shared wrongly from kernels that are wrong", async () => {
  const { refusal } = InPlace.prototype;
  // A kernel may now overwrite what it has still to read.
  InPlace.prototype.refusal = () => undefined;
  try {
    using device = await openDevice({ device: "cpu" });
    const steps = model({ x: input([16], "f32") }, ({ x }) => {
      const a = noFuse(tanh(x));
      return { y: mul(noFuse(sub(a, roll(a, 1, 0))), 3) };
    });
    const { finding } = await bisect(steps, { device });
    assert.equal(finding!.kind, "memory");
    assert.match(finding!.message, /Where they share memory, element \[\d+\] of y is /);
    assert.match(finding!.reproduction!.text, /roll|slice/);
  } finally {
    InPlace.prototype.refusal = refusal;
  }
});

Deno.test("fuzz() finds a planted mistake in a few graphs, and shrinks it to the op", async () => {
  using _ = always("tanh");
  using device = await openDevice({ device: "cpu" });
  const stop = new AbortController();
  const report = await fuzz({
    device,
    seconds: 30,
    seed: 4,
    policies: ["greedy"],
    shrinking: 2,
    signal: stop.signal,
    onProgress: ({ failures }) => failures > 0 && stop.abort(),
  });
  assert.equal(report.failures.length, 1, `none in ${report.graphs} graphs`);
  const [found] = report.failures;
  assert(found!.case.graph.nodes.some((node) => node.op.name === "tanh"));
  assert(found!.case.graph.nodes.length <= 3 && found!.unfused);
  // Its seed and path lead there again.
  const again = await fuzz({
    device,
    seconds: 20,
    seed: found!.seed,
    path: found!.path,
    policies: ["greedy"],
    shrinking: 2,
  });
  assert.equal(again.failures.length, 1);
  assert(again.failures[0]!.case.graph.nodes.some((node) => node.op.name === "tanh"));
});

Deno.test("fuzz() keeps to its time, and counts what it tried", async () => {
  using device = await openDevice({ device: "cpu" });
  const { graphs, seconds, ways, failures, missing, ops, results } = await fuzz({
    device,
    seconds: 2,
    seed: 11,
  });
  assert.deepEqual(failures.map(({ failure }) => failure.message), []);
  assert(graphs >= 1 && results >= graphs && seconds < 5, `${graphs} graphs in ${seconds} s`);
  assert.deepEqual(
    ways.filter(({ limits }) => limits === "small").map(({ policy }) => policy),
    Object.keys(policies).filter((name) => name !== "none"),
  );
  assert.equal(ways[0]!.runs, graphs);
  assert(missing.length + ops.size >= opTable.size && cpuTarget.limits.storageBuffers > 8);
});
