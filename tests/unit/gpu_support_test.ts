/** What tests on the adapter share, on the host. */

import assert from "node:assert/strict";
import { ways } from "../support/check_cases.ts";
import { compileCase, complaintOf } from "../support/compile_samples.ts";
import { joinPrograms } from "../../compiler/program/join_programs.ts";
import { pipelineTimesFile, slowestPipelines } from "../support/pipeline_times.ts";
import { randomCase } from "../support/random_cases.ts";
import { HostRun } from "../support/run_program.ts";

Deno.test("joinPrograms() makes one program that computes what each does, states and constants included", () => {
  const dims = [4, 6, 3];
  const samples = [
    randomCase({ dims, inputs: [5, 0], steps: [[0, 1, 2, 0], [13, 0, 0, 1]], writes: [], outputs: [1] }),
    randomCase({ dims, inputs: [5], steps: [[2, 4, 1, 7], [5, 0, 0, 3]], writes: [[1, false]], outputs: [] }),
    randomCase({ dims, inputs: [9], steps: [[3, 1, 0, 2]], writes: [[0, true], [2, true]], outputs: [0] }),
  ];
  const programs = samples.map((sample) => compileCase(sample, ways.greedy).program);
  const run = new HostRun(joinPrograms(programs.map((program, i) => [`case ${i}`, program])));
  assert.equal(run.program.steps.length, programs.reduce((n, { steps }) => n + steps.length, 0));
  samples.forEach(({ states = {} }, i) => {
    for (const [path, values] of Object.entries(states)) run.setState(`${i}:${path}`, values);
  });
  const numbered = (i: number, feeds: object) =>
    Object.entries(feeds).map(([name, x]) => [`${i}:${name}`, x]);
  const outputs = run.run(Object.fromEntries(samples.flatMap(({ feeds }, i) => numbered(i, feeds))));
  samples.forEach((sample, i) => {
    const results = Object.fromEntries(
      Object.keys(sample.expected).map((name) => {
        const [state, path] = name.split("state:");
        const slot = run.program.state.find((s) => s.name === `${i}:${path}`);
        return [name, state === "" ? run.read(slot!) : outputs[`${i}:${name}`]!];
      }),
    );
    assert.equal(complaintOf(sample, results), undefined);
  });
  const labels = run.program.steps.flatMap((s) => s.kind === "dispatch" ? [s.dispatch.label] : []);
  assert.equal(new Set(labels).size, labels.length, "labels tell dispatches apart");
});

Deno.test("pipeline times of several processes come together, the slowest first", async () => {
  using file = pipelineTimesFile();
  const child = `import { leavePipelineTimes } from "${import.meta.resolve("../support/pipeline_times.ts")}";
    leavePipelineTimes([{ what: "softmax", made: 2, ran: 30 }, { what: "matmul", made: 20, ran: 500 }]);`;
  for (let i = 0; i < 2; i++) {
    const { success } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-check", child],
      env: { ...file.environment },
    }).output();
    assert(success);
  }
  const times = file.read();
  assert.equal(times.length, 4);
  const lines = slowestPipelines(times, 3).split("\n");
  assert.match(lines[0]!, /slowest of 4 pipelines, which took 1\.1 s/);
  assert.deepEqual(lines.slice(2).map((line) => line.trim().split(/\s+/)), [
    ["20", "500", "matmul"],
    ["20", "500", "matmul"],
    ["2", "30", "softmax"],
  ]);
});
