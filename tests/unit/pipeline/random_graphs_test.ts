/** Random graphs, fused and unfused, against the references of their ops. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { compileGraph, policies } from "../../../compiler/compile.ts";
import { inputName } from "../../../compiler/graph/graph.ts";
import type { Node } from "../../../compiler/graph/node.ts";
import type { HostArray } from "../../../compiler/graph/dtype.ts";
import { printGraph } from "../../../compiler/graph/print.ts";
import { type Target, testTarget } from "../../../compiler/target.ts";
import { LONG } from "../../support/long.ts";
import { draw } from "../../support/op_samples.ts";
import { randomOf } from "../../support/random.ts";
import { randomGraph } from "../../support/random_graphs.ts";
import { HostRun } from "../../support/run_program.ts";
import { expectedOf, mismatches } from "../../support/tolerance.ts";

const fewBuffers: Target = { ...testTarget, limits: { ...testTarget.limits, storageBuffers: 4 } };

Deno.test(
  "random graphs give what their references say, fused and unfused, with 8 buffers and with 4",
  () => {
    let all = 0;
    let dropped = 0;
    const check = (seed: number): void => {
      const random = randomOf(seed);
      const graph = randomGraph(random);
      const known = [...graph.inputs, ...graph.states.map((s) => s.tensor)];
      const feeds = new Map<Node, HostArray>(
        known.map((t) => [t.node, draw({ shape: t.shape as readonly number[] }, random)]),
      );
      const names = [...Object.keys(graph.outputs), ...graph.writes.map((w) => w.state.node.attrs.path)];
      const results = [...Object.values(graph.outputs), ...graph.writes.map((w) => w.value)];
      const expected = expectedOf(results, feeds);
      for (const target of [testTarget, fewBuffers]) {
        for (const policy of [policies.none, policies.greedy]) {
          const run = new HostRun(compileGraph(graph, { target, policy }).program);
          for (const { path, tensor } of graph.states) run.setState(path, feeds.get(tensor.node)!);
          const outputs = run.run(
            Object.fromEntries(graph.inputs.map((t) => [inputName(t), feeds.get(t.node)!])),
          );
          expected.forEach((want, i) => {
            all++;
            if (want.dropped) return void dropped++;
            const slot = run.program.state.find(({ name }) => name === names[i]);
            const [wrong] = mismatches(want, outputs[names[i]!] ?? run.read(slot!));
            assert.equal(wrong, undefined, `${names[i]}, ${policy.name}: ${JSON.stringify(wrong)}`);
          });
        }
      }
    };
    const property = fc.property(fc.nat(), (seed) => {
      try {
        check(seed);
      } catch (cause) {
        const why = cause instanceof Error ? cause.message : cause;
        throw new Error(`seed ${seed}: ${why}\n${printGraph(randomGraph(randomOf(seed)))}`, { cause });
      }
    });
    fc.assert(property, { numRuns: LONG ? 1000 : 150, seed: 20 });
    assert.ok(dropped <= 0.02 * all, `${dropped} of ${all} results say nothing`);
  },
);
