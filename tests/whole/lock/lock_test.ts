/** Plans that are locked and made again: hash for hash, or with a sentence that says what differs. */

import assert from "node:assert/strict";
import { type Compiled, compileGraph, policies } from "../../../compiler/compile.ts";
import type { PlanLock } from "../../../compiler/lock/lock.ts";
import { lockOf } from "../../../compiler/lock/make.ts";
import { gpuTarget, softwareTarget, type Target, testTarget } from "../../../compiler/target.ts";
import { gpt } from "../../../examples/gpt.ts";
import {
  adam,
  adamW,
  add,
  attention,
  buildBundle,
  compile,
  crossEntropy,
  customKernel,
  exp,
  expandComposites,
  type GraphPass,
  input,
  linear,
  type Model,
  model,
  mul,
  openDevice,
  passes,
  relu,
  replay,
  sub,
  tanh,
  type Tensor,
  trainStep,
  withoutPasses,
} from "../../../mod.ts";
import { parseLock } from "../../../runtime/lock/check.ts";
import { printLock } from "../../../runtime/lock/write.ts";

const perceptron = (f: typeof relu = relu, rate = 1e-3) =>
  trainStep(
    model({ x: input(["batch", 20], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
      const hidden = linear(20, 33), out = linear(33, 10);
      return { loss: crossEntropy(out(f(hidden(x))), y) };
    }),
    adam({ rate }),
  );

const writer = () => {
  const net = gpt({ layers: 1, heads: 2, width: 16, context: 8, symbols: 11, dropout: 0.1 });
  const step = trainStep(net.only("loss"), adamW({ rate: 1e-3 }));
  void step.graph; // made here, whoever looks at it
  return step;
};

/** The lock as another process reads it. */
const sent = (compiled: Compiled): PlanLock => parseLock(printLock(lockOf(compiled)), "the lock");

const lockedFor = (net: Pick<Model, "graph">, target: Target = softwareTarget) =>
  sent(compileGraph(net.graph, { target, sizes: { batch: 6 } }));

Deno.test("a training step is made again from its lock, hash for hash", () => {
  for (const [make, target] of [[perceptron, softwareTarget], [writer, gpuTarget]] as const) {
    const [net, other] = [1, 2].map(() => make());
    const lock = lockedFor(net!, target);
    const again = replay(other!, lock);
    assert.deepEqual([again.differences, again.notes, again.same], [[], [], true]);
    // And is what was locked in all that a lock says, but for who decided.
    assert.deepEqual({ ...sent(again.compiled!), policy: lock.policy }, lock);
  }
});

Deno.test("a lock holds what no default says: policy, passes, arithmetic, tuned numbers", () => {
  const { graph } = perceptron();
  const sizes = { batch: 2 };
  const policy = policies["epilogue-only"];
  const plain = compileGraph(graph, { target: softwareTarget, sizes, policy });
  const product = plain.units.find(({ kernels }) => kernels.some((k) => k.schedule === "contraction"))!;
  const own = [expandComposites, ...withoutPasses(passes, "pack", "halve", "compose views")];
  const tuning = { [product.key]: { contraction: { plain: 0 } }, ["0".repeat(32)]: { mapPerLane: 3 } };
  const lock = sent(compileGraph(graph, {
    target: softwareTarget,
    sizes,
    tuning,
    policy,
  }));
  assert.deepEqual(lock.tuning, { [product.key]: { contraction: { plain: 0 } } });
  assert.notDeepEqual(lock.kernels, lockOf(plain).kernels);
  assert(replay(perceptron(), lock).same);
  const heads = input([2, 8, 4], "f32");
  const looking = () => model({ q: heads, k: heads, v: heads }, ({ q, k, v }) => ({ y: attention(q, k, v) }));
  const unfused = sent(
    compileGraph(looking().graph, { target: testTarget, policy: policies.none, passes: own }),
  );
  assert.deepEqual(unfused.passes.map(({ name }) => name), [
    "expand composites",
    "simplify",
    "isolate",
    "rematerialize",
  ]);
  assert(replay(looking(), unfused).same);
  const half: Target = { ...gpuTarget, features: { f16: true, subgroups: false } };
  const halves = model({ x: input([8, 32], "f16") }, ({ x }) => ({ y: exp(tanh(x)) }));
  assert(replay(halves, sent(compileGraph(halves.graph, { target: half, arithmetic: "f16" }))).same);
});

Deno.test("lines that stand in another order are the same model", () => {
  const two = (first: boolean) =>
    model({ x: input([64], "f32") }, ({ x }) => {
      const a = first ? exp(x) : undefined;
      const b = tanh(x);
      return { y: sub(a ?? exp(x), b), z: mul(b, 3) };
    });
  const { same, differences } = replay(
    two(false),
    sent(compileGraph(two(true).graph, { target: gpuTarget })),
  );
  assert(same, differences.join());
});

Deno.test("a model with a changed op is refused, with the op and its line", () => {
  const lock = lockedFor(perceptron());
  const { differences, compiled } = replay(perceptron(tanh as typeof relu), lock);
  assert.equal(compiled, undefined);
  assert.match(differences[0]!, /^lock_test\.ts:\d+:\d+: relu when it was locked, tanh now$/);
  assert.match(
    differences[1]!,
    /^of what depends on these, \d+ ops of the lock are no more and \d+ are new$/,
  );
  const [rate] = replay(perceptron(relu, 2e-3), lock).differences;
  assert.match(rate!, /^lock_test\.ts:\d+:\d+: .*constant/);
});

Deno.test("an op that only moved within its line is not told as changed", () => {
  type Net = (x: Tensor) => Tensor;
  const net = (f: Net) => model({ x: input([8, 8], "f32") }, ({ x }) => ({ y: f(x) }));
  const told = (was: Net, is: Net): readonly string[] => {
    const lock = sent(compileGraph(net(was).graph, { target: testTarget }));
    const { differences } = replay(net(is), lock);
    return differences.filter((text) => !text.startsWith("of what depends"))
      .map((text) => text.replaceAll(/lock_test\.ts:\d+:\d+/g, "here"));
  };
  const [plain, longer]: [Net, Net] = [(x) => exp(tanh(x)), (x) => exp(tanh(relu(x)))];
  assert.deepEqual(told(plain, longer), ["here: nothing when it was locked, relu now"]);
  assert.deepEqual(told(longer, plain), ["here: relu when it was locked, nothing now"]);
  const [turned, back]: [Net, Net] = [(x) => exp(tanh(x)), (x) => tanh(exp(x))];
  assert.deepEqual(told(turned, back), ["here: tanh when it was locked, exp now (here)"]);
  // Equal ops of one line, of which one is gone.
  const three = (f: (x: Tensor, i: number) => Tensor): Net => (x) => [0, 1, 2].reduce(f, x);
  const [all, but]: [Net, Net] = [three((x) => exp(relu(x))), three((x, i) => exp(i === 1 ? x : relu(x)))];
  assert.deepEqual(told(all, but), ["here: relu when it was locked, nothing now"]);
});

Deno.test("what else a lock does not fit says so", () => {
  const net = (name: string, y = 1) =>
    model({ x: input([8], "f32") }, ({ x }) => ({ [name]: add(x, 1), b: mul(exp(x), y) }));
  const lock = sent(compileGraph(net("a").graph, { target: testTarget }));
  assert.deepEqual(replay(net("c"), lock).differences, [
    'the output "a" was there when it was locked, and is not now',
    'the output "c" was not there when it was locked',
  ]);
  const change = (part: Partial<PlanLock>) => parseLock(JSON.stringify({ ...lock, ...part }), "the lock");
  const versions = { weft: "0.0.1", deno: "1.0.0" };
  const old = replay(net("a"), change({ versions }));
  assert(old.same);
  assert.match(
    old.notes.join(),
    /^locked by Weft 0\.0\.1, and this is .*,locked with Deno 1\.0\.0, and this is /,
  );
  const pass = { passes: [...lock.passes, { name: "mine" }] };
  assert.throws(() => replay(net("a"), change(pass)), /a pass "mine", which this Weft has not; give it/);
  const mine: GraphPass = { name: "mine", on: "graph", run: (graph) => graph };
  assert(replay(net("a"), change(pass), { passes: [mine] }).same);
  assert.throws(() => replay(net("a"), change({ schedules: ["fast"] })), /a schedule "fast" of its author's/);
  const parts = { passes: [{ name: "simplify", parts: ["times one", "times two"] }] };
  assert.throws(() => replay(net("a"), change(parts)), /the part "times two" of the pass "simplify"/);
});

Deno.test("a kernel that is another one is shown by its first line that differs", () => {
  const lock = lockedFor(perceptron());
  const wide = replay(perceptron(), {
    ...lock,
    target: { ...lock.target, lanes: { ...lock.target.lanes, row: 16 } },
  });
  assert.match(
    wide.differences.join("\n"),
    /^kernel \d+ ".*": line \d+ of its WGSL was `.*\b8\b.*`, and is `.*\b16\b.*`$/m,
  );
  const dispatches = lock.dispatches.with(2, { ...lock.dispatches[2]!, groups: 77 });
  assert.match(
    replay(perceptron(), { ...lock, dispatches }).differences.join(),
    /^dispatch 2 ".*": 77 workgroups were locked, and there are \d+$/,
  );
  const fewer = replay(perceptron(), { ...lock, dispatches: lock.dispatches.slice(1) }).differences[0]!;
  assert.match(
    fewer,
    /^\d+ dispatches were locked, and there are \d+: the first that differs is 0, which was "/,
  );
  const illegal = { ...lock, groups: lock.groups.slice(1) };
  assert.throws(
    () => replay(perceptron(), illegal),
    /the policy "greedy, locked" gave a cover that cannot run/,
  );
});

Deno.test("compile() follows a lock on a device, or says why not", async () => {
  using device = await openDevice({ device: "cpu" });
  const net = model({ x: input(["n", 4], "f32") }, ({ x }) => ({ y: exp(relu(x)) }));
  using first = await compile(net, { device, sizes: { n: 3 }, policy: policies.none });
  const lock = lockOf(first.compiled, { adapter: device.adapter });
  using again = await compile(net, { device, lock });
  assert.equal(again.program.steps.length, 2);
  const { y } = again.run({ x: new Float32Array(12).fill(-1) });
  assert.deepEqual([...await y.read()], new Array(12).fill(1));
  const refused = (options: object, message: RegExp) =>
    assert.rejects(compile(net, { device, lock, ...options }), message);
  await refused({ sizes: { n: 4 } }, /the lock is for n = 3, and n = 4 is asked for/);
  await refused({ policy: policies.greedy }, /policy is given beside a lock/);
  await refused({ lock: { ...lock, version: 2 } }, /a lock of version 2, and this Weft reads 1/);
  await refused({ lock: { ...lock, kernels: [] } }, /dispatches\/0 runs kernel 0 of 0/);
  const wide = (lanesPerWorkgroup: number) => {
    const { limits, lanes } = lock.target;
    const target = {
      ...lock.target,
      limits: { ...limits, lanesPerWorkgroup },
      lanes: { ...lanes, map: 512 },
    };
    return { lock: { ...lock, target } };
  };
  await refused(wide(1024), /lock: it was made for cpu, and this device is cpu: .*512 lanes, .* 1 to 256/);
  await refused(wide(256), /lock: it can't be followed, since its numbers do not fit together: .*512 lanes/);
  const other = model({ x: input(["n", 4], "f32") }, ({ x }) => ({ y: exp(tanh(x)) }));
  await assert.rejects(
    compile(other, { device, lock }),
    /relu when it was locked, tanh now \(lock_test\.ts:\d+:\d+\);.*Make a new lock/s,
  );
});

Deno.test("a bundle that is built by a lock has its kernels, and the same bytes each time", async () => {
  const lock = lockedFor(perceptron(), { ...gpuTarget, parallel: 7 });
  const build = () => buildBundle(perceptron(), { name: "net", lock, selfTest: false, format: "json" });
  const [one, two] = [await build(), await build()];
  assert.deepEqual([...one.files], [...two.files]);
  assert.deepEqual(
    new Set(one.manifest.kernels.map(({ sha256 }) => sha256)),
    new Set(lock.kernels.map(({ sha256 }) => sha256)),
  );
  assert.deepEqual(one.manifest.sizes, [{ batch: 6 }]);
  const refused = (options: object, message: RegExp) =>
    assert.rejects(buildBundle(perceptron(), { name: "net", lock, ...options }), message);
  await refused({ tune: "gpu" }, /tune is given beside a lock/);
  await refused({ sizes: [{ batch: 6 }, { batch: 1 }] }, /2 choices of sizes, and a lock is for one/);
  await refused({ sizes: { batch: 1 } }, /the lock is for batch = 6, and batch = 1 is asked for/);
});

Deno.test("a lock whose lanes hand on what they load gives one plan in two variants, for devices with and without", async () => {
  const target = { ...softwareTarget, broadcast: 8, features: { f16: false, subgroups: true } };
  const lock = lockedFor(perceptron(), target);
  const { manifest } = await buildBundle(perceptron(), {
    name: "net",
    lock,
    selfTest: false,
    format: "json",
  });
  const [handed, plain] = manifest.variants;
  assert.deepEqual(manifest.variants.map(({ features }) => features), [["subgroups"], []]);
  const planOf = ({ programs: [program] }: NonNullable<typeof plain>) =>
    program!.steps.map((step) => "kernel" in step ? { ...step, kernel: 0 } : step);
  assert.deepEqual(planOf(handed!), planOf(plain!));
});

Deno.test("kernels of a user's own are locked by their text", () => {
  const scaled = (by: string) => {
    const scale = customKernel({
      name: "scale",
      inputs: { x: { shape: ["n"], dtype: "f32" } },
      outputs: { y: { shape: ["n"], dtype: "f32" } },
      wgsl:
        `if (global_invocation_id.x < n) { y[global_invocation_id.x] = ${by} * x[global_invocation_id.x]; }`,
      reference: ({ x, y }) => x.forEach((v, i) => y[i] = Number(by) * v),
    });
    return model({ x: input([8], "f32") }, ({ x }) => scale({ x }));
  };
  const lock = sent(compileGraph(scaled("2.0").graph, { target: testTarget }));
  assert(replay(scaled("2.0"), lock).same);
  assert.match(replay(scaled("3.0"), lock).differences[0]!, /customKernel\(scale\).*2\.0.*3\.0/);
});
