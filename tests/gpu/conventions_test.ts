/** SEMANTICS §3, §6, §7 and §8, line by line, on the machine's adapter: one program, so that few pipelines are made. */

import assert from "node:assert/strict";
import { compileGraph, policies } from "../../compiler/compile.ts";
import { type Target, testTarget } from "../../compiler/target.ts";
import { openDevice } from "../../runtime/device.ts";
import { load } from "../../runtime/executable.ts";
import { broken, joinedConventions, outputName } from "../support/convention_cases.ts";
import { stored } from "../support/stored.ts";

const device = await openDevice({ device: "webgpu" });
const { limits, features, quirks } = device.target;
const target: Target = { ...testTarget, limits, features, quirks };
const { graph, cases } = joinedConventions();
const { program } = compileGraph(graph, { target, policy: policies.greedy });
const executable = await load(program, device);
const feeds = program.inputs.map(({ name, dtype }) => [name, stored(dtype, cases[0]!.feeds[name]!)]);
const results = executable.run(Object.fromEntries(feeds));

cases.forEach(({ convention }, at) => {
  Deno.test(`"${convention.says}": so does the adapter`, async () => {
    const got = await Promise.all(convention.want.map((_, k) => results[outputName(at, k)]!.read()));
    assert.equal(broken(convention, got), undefined);
  });
});
