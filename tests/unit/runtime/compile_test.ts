/** From a model to runs: sizes, seeds, shared state, reports and what is refused. */

import assert from "node:assert/strict";
import {
  add,
  compile,
  type Device,
  exp,
  init,
  input,
  linear,
  matmul,
  mean,
  model,
  mse,
  mul,
  named,
  openDevice,
  parameter,
  policies,
  setState,
  sgd,
  state,
  sum,
  type Tensor,
  trainStep,
  uniform,
} from "../../../mod.ts";
import { compileGraph } from "../../../compiler/compile.ts";
import { compareRuns } from "../../../runtime/verify.ts";

const line = () =>
  model({ x: input(["batch", 2], "f32"), y: input(["batch", 1], "f32") }, ({ x, y }) => {
    const prediction = linear(2, 1, { name: "line" })(x);
    return { prediction, loss: mse(prediction, y) };
  });

const points = (n: number, slope = 3) => {
  const x = Float32Array.from({ length: 2 * n }, (_, i) => Math.sin(i + 1));
  return { x, y: Float32Array.from({ length: n }, (_, i) => slope * x[2 * i]! - x[2 * i + 1]! + 0.5) };
};

/** A test with a CPU device of its own. */
const test = (name: string, f: (device: Device) => Promise<void>) =>
  Deno.test(name, async () => {
    using device = await openDevice({ device: "cpu" });
    await f(device);
  });

test("compile() trains", async (device) => {
  using step = await compile(trainStep(line().only("loss"), sgd({ rate: 0.3 })), {
    device,
    sizes: { batch: 8 },
  });
  const feeds = points(8);
  const first = await step.run(feeds).loss.item();
  for (let i = 0; i < 100; i++) step.run(feeds);
  const last = await step.run(feeds).loss.item();
  assert(last < first / 100, `${first} → ${last}`);
});

test("compile() gives parameters numbers by seed and path", async (device) => {
  const weights = async (seed?: number) => {
    using executable = await compile(line(), {
      device,
      sizes: { batch: 1 },
      ...seed === undefined ? {} : { seed },
    });
    return [...await executable.state.read("line/weight")];
  };
  assert.deepEqual(await weights(), await weights(0));
  assert.notDeepEqual(await weights(1), await weights(2));
});

test("compile() takes first values from a function, and from the initializer where it gives none", async (device) => {
  const given = (path: string) => path === "line/weight" ? new Float32Array([5, 7]) : undefined;
  using executable = await compile(line(), { device, sizes: { batch: 1 }, state: given });
  assert.deepEqual([...await executable.state.read("line/weight")], [5, 7]);
  assert.notEqual((await executable.state.read("line/bias"))[0], 0);
});

test("compile() with another's state sees what that one trains", async (device) => {
  const net = line();
  using step = await compile(trainStep(net.only("loss"), sgd({ rate: 0.3, momentum: 0.5 })), {
    device,
    sizes: { batch: 8 },
  });
  using judge = await compile(net.only("loss"), { device, sizes: { batch: 4 }, state: step.state });
  const before = await judge.run(points(4)).loss.item();
  for (let i = 0; i < 50; i++) step.run(points(8));
  const after = await judge.run(points(4)).loss.item();
  assert(after < before / 10, `${before} → ${after}`);
  judge.state.write("line/bias", new Float32Array([42]));
  assert.deepEqual([...await step.state.read("line/bias")], [42]);
});

test("compile() with another's state keeps it when that one is disposed", async (device) => {
  const step = await compile(trainStep(line().only("loss"), sgd({ rate: 0.3 })), {
    device,
    sizes: { batch: 8 },
  });
  step.run(points(8));
  const weight = await step.state.read("line/weight");
  using judge = await compile(line().only("loss"), { device, sizes: { batch: 4 }, state: step.state });
  step.dispose();
  assert.deepEqual(await judge.state.read("line/weight"), weight);
});

test("compile() trains a state that an evaluation laid out", async (device) => {
  const net = model({ x: input(["batch", 4], "f32") }, ({ x }) => {
    let y: Tensor<readonly ["batch", 4], "f32"> = x;
    for (let i = 0; i < 4; i++) y = linear(4, 4, { name: `layer${i}` })(y);
    return { y, loss: mean(y) };
  });
  const x = Float32Array.from({ length: 8 }, (_, i) => i / 8);
  const trained = async (shared: boolean) => {
    using judge = await compile(net.only("y"), { device, sizes: { batch: 1 } });
    using step = await compile(trainStep(net.only("loss"), sgd({ rate: 0.1, momentum: 0.9 })), {
      device,
      sizes: { batch: 2 },
      ...shared ? { state: judge.state } : {},
    });
    for (let i = 0; i < 3; i++) step.run({ x });
    const read = await Promise.all(step.state.names.map((name) => step.state.read(name)));
    if (shared) {
      assert.deepEqual(await judge.state.read("layer2/weight"), await step.state.read("layer2/weight"));
    }
    return Object.fromEntries(step.state.names.map((name, i) => [name, read[i]]));
  };
  const [shared, own] = [await trained(true), await trained(false)];
  assert.deepEqual(Object.keys(shared).sort(), Object.keys(own).sort());
  for (const [name, values] of Object.entries(own)) assert.deepEqual(shared[name], values, name);
});

test("an open executable compiles each size once, with one state", async (device) => {
  using step = await compile(trainStep(line().only("loss"), sgd({ rate: 0.1, momentum: 0.9 })), { device });
  assert.throws(() => step.state, /state is there once sizes are bound/);
  const losses = [];
  for (const n of [8, 3, 8, 5, 3]) losses.push(await (await step.run(points(n))).loss.item());
  assert(losses[4]! < losses[0]!);
  assert.equal(await step.at({ batch: 3 }), await step.at({ batch: 3 }));
  assert.equal((step.report().match(/dispatch/g) ?? []).length, 3);
  // The same steps with a program per size and the state carried over by hand.
  using by8 = await compile(trainStep(line().only("loss"), sgd({ rate: 0.1, momentum: 0.9 })), {
    device,
    sizes: { batch: 8 },
  });
  using by3 = await compile(trainStep(line().only("loss"), sgd({ rate: 0.1, momentum: 0.9 })), {
    device,
    sizes: { batch: 3 },
  });
  const first = await by8.run(points(8)).loss.item();
  by3.state.copyFrom(by8.state);
  assert.deepEqual([first, await by3.run(points(3)).loss.item()], losses.slice(0, 2));
});

test("runs of an open executable keep their order", async (device) => {
  const counter = model({ x: input(["n"], "f32") }, ({ x }) => {
    const runs = state("runs", [], init.zeros(), "i32");
    setState(runs, add(runs, 1));
    return { runs, total: mean(x) };
  });
  using executable = await compile(counter, { device });
  const all = await Promise.all(
    [4, 9, 4, 2, 9].map((n) => executable.run({ x: new Float32Array(n).fill(n) })),
  );
  const read = await Promise.all(all.map(async ({ runs, total }) => [await runs.item(), await total.item()]));
  assert.deepEqual(read, [[0, 4], [1, 9], [2, 4], [3, 2], [4, 9]]);
});

test("an open executable refuses feeds that tell no size or contradict each other", async (device) => {
  using executable = await compile(line(), { device });
  await assert.rejects(executable.run({ x: new Float32Array(7), y: new Float32Array(3) }), {
    name: "RunError",
    message:
      /"x" of shape \[batch, 2\] was fed a Float32Array of 7 elements, and no size "batch" makes that fit/,
  });
  await assert.rejects(executable.run({ x: new Float32Array(8), y: new Float32Array(3) }), {
    message: /"y" of shape \[batch, 1\] wants 4 elements \("batch" is 4 by the input "x"\), and was fed/,
  });
  await assert.rejects(executable.run({} as never), {
    message: /doesn't tell the size "batch".* which is not fed/,
  });
  const square = model({ x: input(["n", "n", 2], "f32") }, ({ x }) => ({ total: mean(x) }));
  using squares = await compile(square, { device });
  assert.equal(await (await squares.run({ x: new Float32Array(18).fill(2) })).total.item(), 2);
  await assert.rejects(squares.run({ x: new Float32Array(6) }), { message: /no size "n" makes that fit/ });
  const product = model({ x: input(["n", "m"], "f32") }, ({ x }) => ({ total: mean(x) }));
  using products = await compile(product, { device });
  await assert.rejects(products.run({ x: new Float32Array(6) }), { message: /sizes: \{ n: … \}/ });
});

test("a model without named sizes is compiled at once", async (device) => {
  const fixed = model({ x: input([2, 2], "f32") }, ({ x }) => ({ y: matmul(x, x) }));
  using executable = await compile(fixed, { device });
  assert.deepEqual([...await executable.run({ x: new Float32Array([1, 1, 0, 1]) }).y.read()], [1, 2, 0, 1]);
});

test("compile() refuses sizes and states that don't fit, in sentences", async (device) => {
  await assert.rejects(compile(line(), { device, sizes: { bath: 3 } as never }), {
    message: /the model has no size "bath"; its sizes are "batch"/,
  });
  using other = await compile(
    model({}, () => ({ y: mean(parameter("weight", [3], init.ones())) })),
    { device },
  );
  await assert.rejects(compile(line(), { device, sizes: { batch: 1 }, state: other.state }), {
    message: /lacks the parameters "line\/weight", "line\/bias"/,
  });
  const wide = model({}, () => named("line", () => ({ y: mean(parameter("weight", [3, 1], init.ones())) })));
  using wideState = await compile(wide, { device });
  const narrow = model(
    { x: input([1, 2], "f32") },
    ({ x }) => ({ y: linear(2, 1, { name: "line", bias: false })(x) }),
  );
  await assert.rejects(compile(narrow, { device, state: wideState.state }), {
    message:
      /"line\/weight" is f32 of shape \[2, 1\], and the state that is to be shared has it as f32 of shape \[3, 1\]/,
  });
  using elsewhere = await openDevice({ device: "cpu" });
  await assert.rejects(compile(wide, { device: elsewhere, state: wideState.state }), {
    message: /on another device/,
  });
});

test("two executables that share a state draw their own random numbers", async (device) => {
  const noise = model({}, () => ({ x: uniform([4]), scale: parameter("scale", [], init.ones()) }));
  const draw = async (disturbed: boolean) => {
    using a = await compile(noise, { device, seed: 3 });
    using b = await compile(noise, { device, seed: 3, state: a.state });
    if (disturbed) { for (let i = 0; i < 5; i++) b.run({}); }
    a.run({});
    return [...await a.run({}).x.read()];
  };
  assert.deepEqual(await draw(true), await draw(false));
});

test("verify compares the first run with an unfused one", async (device) => {
  const step = trainStep(line().only("loss"), sgd({ rate: 0.3, momentum: 0.9 }));
  using executable = await compile(step, { device, sizes: { batch: 8 }, verify: true });
  const feeds = points(8);
  const loss = executable.run(feeds).loss;
  feeds.x.fill(NaN); // the check has a copy
  await executable.idle();
  assert(Number.isFinite(await loss.item()));
});

test("verify names the first kernel that differs", async (device) => {
  const net = model({ x: input([4, 3], "f32") }, ({ x }) => {
    const scaled = named("scale", () => mul(x, parameter("by", [3], init.filled(2))));
    const total = named("total", () => sum(exp(scaled), 1));
    return { total, again: named("after", () => add(total, 1)) };
  });
  const settings = { target: device.target, keep: true };
  const unfused = compileGraph(net.graph, { ...settings, policy: policies.none });
  const data = {
    feeds: { x: Float32Array.from({ length: 12 }, (_, i) => i / 12) },
    states: { "scale/by": new Float32Array([1, 2, 3]) },
  };
  const right = compileGraph(net.graph, settings);
  await compareRuns(device, right, unfused, data);
  // The same graph with another constant, in the place of what a wrong kernel would compute.
  const wrong = compileGraph(
    model({ x: input([4, 3], "f32") }, ({ x }) => {
      const scaled = named("scale", () => mul(x, parameter("by", [3], init.filled(2))));
      const total = named("total", () => sum(exp(scaled), 1));
      return { total, again: named("after", () => add(total, 2)) };
    }).graph,
    settings,
  );
  await assert.rejects(
    compareRuns(device, { ...right, program: wrong.program, regions: wrong.regions }, unfused, data),
    {
      name: "RunError",
      message:
        /"total: mul exp sum add" gives .* as element \[\d\] of its result add of "after", f32\[4\]; unfused it is .* result before agrees/,
    },
  );
});

test("report() lists dispatches and memory", async (device) => {
  using executable = await compile(line().only("loss"), {
    device,
    sizes: { batch: 4 },
    policy: policies.none,
  });
  const report = executable.report();
  assert.match(report, /^cpu: \d+ dispatches of \d+ kernels/);
  assert.match(report, /temporary: .* of which .* live at once/);
  assert.equal(
    report.split("\n").filter((text) => /^\d+ +k\d+ /.test(text)).length,
    executable.program.steps.length,
  );
});

test("compile() takes a target with smaller limits than the device's, and refuses larger ones", async (device) => {
  const net = model({ x: input([8], "f32") }, ({ x }) => ({ y: exp(x) }));
  const { target } = device;
  const small = { ...target, limits: { ...target.limits, storageBuffers: 2 } };
  using run = await compile(net, { device, target: small });
  assert.equal(run.compiled.target.limits.storageBuffers, 2);
  assert.equal((await run.run({ x: new Float32Array(8) }).y.read())[0], 1);
  const large = { ...target, limits: { ...target.limits, storageBuffers: 1000 } };
  await assert.rejects(
    compile(net, { device, target: large }),
    /limit storageBuffers is 1000, and cpu has 64/,
  );
  const more = { ...target, features: { f16: true, subgroups: true } };
  await assert.rejects(compile(net, { device, target: more }), /has the feature subgroups, and cpu has not/);
  const handing = { ...target, subgroup: 8 };
  await assert.rejects(
    compile(net, { device, target: handing }),
    /lets 8 lanes hand one another values \(`subgroup`\), and on cpu none are known to/,
  );
});
