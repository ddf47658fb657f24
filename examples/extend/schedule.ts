/** A new schedule: reads across rows in blocks of 4 × 4. `deno run -A examples/extend/schedule.ts` */

import { add, comparePlans, compile, type Device, Evaluator, input, IrBuilder } from "../../mod.ts";
import { isContiguous, type KernelSchedule, model, mul, openDevice, printPlans } from "../../mod.ts";
import { transpose, walkValues } from "../../mod.ts";

const four = [0, 1, 2, 3] as const;

/** A lane evaluates 4 vectors down the columns of the result, turns them, and stores 4 along its rows. */
export const blocks: KernelSchedule = {
  name: "4 × 4 blocks",
  schedule({ values, roots: [root] }, target, kind) {
    const { axes: [row, column], shape, value, index, buffer } = root!;
    if (kind !== "map" || shape.length !== 2) return { refused: "no elementwise kernel of a matrix" };
    if (row?.kind !== "var" || column?.kind !== "var") return { refused: "a side of 1" };
    if (row.extent % 4 + column.extent % 4 > 0) return { refused: "sides that are no multiples of 4" };
    let across = false;
    walkValues([value], (v) => across ||= v.kind === "load" && isContiguous(v.index, row));
    if (!across) return { refused: "nothing is read across rows" };

    const [lanes, width, blocks] = [target.lanes.map, column.extent / 4, row.extent * column.extent / 16];
    const b = new IrBuilder(lanes), ev = new Evaluator(values, b, { inExtent: true });
    b.phase(() => {
      const block = b.add(b.mul(b.group, lanes), b.lane);
      b.if(b.lt(block, blocks), () => {
        const top = b.mul(b.div(block, width), 4), left = b.mul(b.rem(block, width), 4);
        // The value at 4 rows at once: what it loads there is one vector, where before it was four numbers.
        const read = (i: number) => [[row, top], [column, b.add(left, i)]] as const;
        const down = four.map((i) => ev.with(read(i), () => ev.eval(value, 4, row)));
        for (const i of four) {
          const at = ev.with([[row, b.add(top, i)], [column, left]], () => ev.eval(index));
          const [p, q, r, s] = down.map((vector) => b.component(vector, i));
          b.store(buffer, at, b.construct([p!, q!, r!, s!]));
        }
      });
    });
    return [b.finish(Math.ceil(blocks / lanes))];
  },
};

const net = model({ a: input([1024, 1024], "f32"), b: input([1024, 1024], "f32") }, ({ a, b }) => {
  return { y: add(mul(transpose(a), 2), transpose(b)) };
});

/** Compares it with the schedule that ships; `verify` compares the numbers. */
export async function example(device: Device): Promise<void> {
  const ways = { map: {}, [blocks.name]: { schedules: [blocks] } };
  console.log(printPlans(await comparePlans(net, ways, { device, rounds: 6 })));
  using program = await compile(net, { device, schedules: [blocks], verify: true });
  const a = Float32Array.from({ length: 1024 * 1024 }, (_, i) => Math.sin(i));
  const [, , third] = await program.run({ a, b: a }).y.read();
  await program.idle(); // throws where numbers differ
  console.log(`y[0, 2] = ${third}, by "${program.compiled.kernels[0]!.schedule}"`);
}

if (import.meta.main) {
  using device = await openDevice();
  await example(device);
}
