/** Schedules of a user's own: asked first, held to the rules, blamed by name. */

import assert from "node:assert/strict";
import { compileGraph } from "../../../compiler/compile.ts";
import type { KernelSchedule } from "../../../compiler/schedule/own.ts";
import { testTarget } from "../../../compiler/target.ts";
import { Evaluator, exp, input, IrBuilder, model, mul, softmax } from "../../../mod.ts";

const { graph } = model({ x: input([6], "f32") }, ({ x }) => ({ y: mul(exp(x), 2) }));

/** One lane per element, up to `extent`; `b` is asked to do more. */
const serial = (extent: number, more: (b: IrBuilder) => unknown = () => {}): KernelSchedule => ({
  name: "serial",
  schedule({ values, roots: [root] }, _target, kind) {
    if (kind !== "map") return { refused: "not elementwise" };
    const b = new IrBuilder(1);
    const ev = new Evaluator(values, b);
    b.phase(() => {
      b.for(b.int(0), b.int(extent), 1, (i) => {
        ev.with(
          [[root!.axes[0]!, i]],
          () => b.store(root!.buffer, ev.eval(root!.index), ev.eval(root!.value)),
        );
      });
      more(b);
    });
    return [b.finish(1)];
  },
});

const made = (...schedules: KernelSchedule[]) =>
  compileGraph(graph, { target: testTarget, schedules }).kernels.map(({ schedule }) => schedule);

Deno.test("a user's schedule is asked before those that ship, in order, and may decline", () => {
  const asked: string[] = [];
  const shy: KernelSchedule = {
    name: "shy",
    schedule: ({ label }, _target, kind) => (asked.push(`${kind}: ${label}`), { refused: "not today" }),
  };
  assert.deepEqual(made(shy, serial(6)), ["serial"]);
  assert.deepEqual(asked, ["map: exp mul"]);
  assert.deepEqual(made(shy), ["map"]);
  const row = model({ x: input([4, 8], "f32") }, ({ x }) => ({ y: softmax(x) }));
  const { kernels } = compileGraph(row.graph, { target: testTarget, schedules: [serial(4)] });
  assert.deepEqual(kernels.map(({ schedule }) => schedule), ["row"]);
});

Deno.test("a schedule is any object with the method, such as one of a class", () => {
  class Counting implements KernelSchedule {
    readonly name = "counting";
    count = 0;
    schedule(): { refused: string } {
      return { refused: `asked ${++this.count} times` };
    }
  }
  const counting = new Counting();
  assert.deepEqual(made(counting), ["map"]);
  assert.equal(counting.count, 1);
});

Deno.test("kernels of a user's schedule that cannot run are refused by its name", () => {
  const refused = (schedule: KernelSchedule, says: RegExp) =>
    assert.throws(() => made(schedule), (error: Error) => {
      assert.equal(error.name, "CompileError");
      assert.match(error.message, /^the schedule "serial" gave kernels for "exp mul" that cannot run: /);
      assert.match(error.message, says);
      return true;
    });
  refused(serial(7), /the index lies in \[0, 6\] and b0 has 6 elements/);
  const stranger = { name: "stranger", dtype: "f32", size: 4 } as const;
  refused(
    serial(6, (b) => b.store(stranger, b.int(0), b.literal("f32", 1))),
    /it writes the buffer stranger, which is no result of the group/,
  );
  refused(
    serial(6, (b) => b.load(stranger, b.int(0), 1)),
    /it reads the buffer stranger, which the group does not load/,
  );
  refused({
    name: "serial",
    schedule: ({ roots: [root] }) => {
      const b = new IrBuilder(1);
      b.store(root!.buffer, b.int(0), b.literal("f32", 1));
      return [b.finish(1)];
    },
  }, /a store outside a phase/);
  refused({ name: "serial", schedule: () => [] }, /nothing writes result 0, of shape \[6\]/);
  refused(
    { name: "serial", schedule: () => undefined as never },
    /it returned neither a list of kernels nor/,
  );
});
