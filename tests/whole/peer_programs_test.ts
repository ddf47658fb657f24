/** Which times of peers count: programs made up here, which need no packages, stand for the peers'. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { PeerPrograms } from "../bench/peer_programs.ts";
import { resident, type Workload } from "../bench/workloads/workload.ts";

const x = resident([64], 1);
/** Under the name of another: only these programs are asked. */
const doubling: Workload = {
  peerProgram: "matmul_nt",
  tensors: { x },
  model: () => assert.fail("Weft has no part in this"),
  elements: { y: (i: number) => 2 * x.data[i]! },
};

/** What programs do with the files they are given; `factor` is right where it is 2. */
const multiply = (factor: string) => `
  const [, workload, place] = Deno.args;
  const { x: [size] } = JSON.parse(Deno.readTextFileSync(place + "/tensors.json"));
  const x = new Float32Array(Deno.readFileSync(place + "/x.f32").buffer);
  if (x.length !== size) throw new Error("the tensor has another size");
  const y = x.map((v, i) => v * (${factor}));
  Deno.writeFileSync(place + "/y.out.f32", new Uint8Array(y.buffer));
  console.log(JSON.stringify({ workload, ms_amort: 3, first_ms: 7 }));`;

Deno.test("a peer's time counts only where its result is right, and what was wrong is said once", async () => {
  const folder = Deno.makeTempDirSync();
  try {
    const sources = {
      right: multiply("2"),
      wrong: multiply("i < 32 ? 2 : 2.001"),
      silent: "",
      "without a result": multiply("2").replace("y.out", "z.out"),
      failing: `throw new Error("no adapter")`,
    };
    const programs = Object.entries(sources).map(([peer, source]) => {
      const file = join(folder, `${peer}.js`);
      Deno.writeTextFileSync(file, source);
      return { peer, file };
    });
    const said: string[] = [];
    using peers = new PeerPrograms(folder, doubling, (sentence) => said.push(sentence), programs);
    assert.deepEqual(await peers.times(), [{ peer: "right", ms: 3, first: 7 }]);
    assert.equal(said.length, 4, said.join("\n"));
    assert.match(said[0]!, /^wrong is left out, for it is wrong at matmul_nt: "y" is off by 0\.0004/);
    assert.equal(said[1]!, "silent is left out, for it prints no time of matmul_nt");
    assert.match(said[2]!, /^without a result is left out, for it is wrong at matmul_nt: it gives no "y"$/);
    assert.match(said[3]!, /^failing is left out, for it failed at matmul_nt: .*no adapter$/);
    await peers.times();
    assert.equal(said.length, 4, "nothing is said twice");
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
