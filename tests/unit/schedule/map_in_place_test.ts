/** What is stored where a map's result is either new or what lies there already. */

import assert from "node:assert/strict";
import { compileGraph } from "../../../compiler/compile.ts";
import { isRaw } from "../../../compiler/kernel/raw.ts";
import { statementsOfKernel } from "../../../compiler/kernel/walk.ts";
import { defaultLimits, gpuTarget, softwareTarget, testTarget } from "../../../compiler/target.ts";
import {
  type DType,
  equal,
  init,
  input,
  iota,
  model,
  not,
  setState,
  state,
  type Tensor,
  where,
} from "../../../mod.ts";
import { HostRun } from "../../support/run_program.ts";

type Pick = "a row" | "all but a row" | "a column";

/** A table of which a run replaces what `pick` says by x. */
const table = (columns: number, dtype: DType, pick: Pick) =>
  model({ x: input([5, columns], dtype), at: input([1], "i32") }, ({ x, at }) => {
    const old = state("table", [5, columns], init.zeros(), dtype) as Tensor<readonly [5, number], DType>;
    const here = equal(iota([5, columns], pick === "a column" ? 1 : 0), at);
    setState(old, where(pick === "all but a row" ? not(here) : here, x, old) as typeof old);
    return { at };
  });

for (const base of [testTarget, softwareTarget, gpuTarget]) {
  Deno.test(`a row of a state is all that is stored of it, and nothing is read, for target ${base.name}`, () => {
    for (const [columns, dtype] of [[8, "f32"], [7, "f32"], [12, "i32"], [8, "bool"], [3, "u32"]] as const) {
      for (const pick of ["a row", "all but a row", "a column"] as const) {
        const { graph } = table(columns, dtype, pick);
        const { program, placement } = compileGraph(graph, { target: { ...base, limits: defaultLimits } });
        assert.deepEqual(placement.copies, []);
        const [kernel] = program.kernels;
        assert(kernel && !isRaw(kernel));
        const written = kernel.buffers.filter(({ access }) => access !== "read").map(({ name }) => name);
        const isRead = [...statementsOfKernel(kernel)].some((s) =>
          s.kind === "let" && s.instr.kind === "load" && written.includes(s.instr.buffer)
        );
        // Of four neighbors one alone may be new where rows are no whole vectors, or a column is replaced.
        if (columns % 4 === 0) assert.equal(isRead, pick === "a column", `${pick} of ${columns} ${dtype}`);

        const host = new HostRun(program, "interpreter");
        const values = (from: number) =>
          Array.from({ length: 5 * columns }, (_, i) => dtype === "bool" ? (i + from) % 2 : from + i);
        host.setState("table", values(100));
        host.run({ x: values(1), at: [2] });
        const slot = program.state.find(({ name }) => name === "table")!;
        const now = host.view(dtype, { ...slot.region });
        values(100).forEach((kept, i) => {
          const place = pick === "a column" ? i % columns : Math.floor(i / columns);
          const isNew = (place === 2) !== (pick === "all but a row");
          assert.equal(Number(now[i]), isNew ? values(1)[i] : kept, `${pick}, element ${i}`);
        });
      }
    }
  });
}
