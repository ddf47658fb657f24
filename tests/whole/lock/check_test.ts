/** Locks that come from anywhere: whatever does not hold is a sentence, and nothing else happens. */

import assert from "node:assert/strict";
import { compileGraph } from "../../../compiler/compile.ts";
import { testTarget } from "../../../compiler/target.ts";
import { exp, input, lockOf, model, mul, readLock, sum, writeLock } from "../../../mod.ts";
import { parseLock } from "../../../runtime/lock/check.ts";
import { printLock } from "../../../runtime/lock/write.ts";

const net = model({ x: input([4, 8], "f32") }, ({ x }) => ({ y: sum(exp(x), 1), z: mul(x, 2) }));
const lock = lockOf(compileGraph(net.graph, { target: testTarget }));
const text = printLock(lock);

/** The lock with something else at a path such as `graph/nodes/0/op`; undefined takes it out. */
function changed(path: string, value: unknown): string {
  const copy = JSON.parse(text);
  const keys = path.split("/");
  const last = keys.pop()!;
  let at = copy;
  for (const key of keys) at = at[key];
  if (value === undefined) delete at[last];
  else at[last] = value;
  return JSON.stringify(copy);
}

Deno.test("a lock is read as it was written", () => {
  assert.deepEqual(parseLock(text, "the lock"), JSON.parse(JSON.stringify(lock)));
  assert.equal(printLock(parseLock(text, "the lock")), text);
});

Deno.test("a lock in which something does not hold is refused with a sentence", () => {
  const cases: readonly (readonly [path: string, value: unknown, says: RegExp])[] = [
    ["format", "weft-bundle", /it is no lock of a plan; `weft lock` writes one/],
    ["version", 2, /it is a lock of version 2, and this Weft reads 1/],
    ["target/statements", 1e12, /\/target\/statements must be <= 100000/],
    ["target/lanes/map", 0, /\/target\/lanes\/map must be >= 1/],
    ["target/extra", 1, /\/target must NOT have additional properties/],
    ["target/quirks/loopBound", "none", /\/target\/quirks\/loopBound must be/],
    ["model/sizes", { n: -1 }, /\/model\/sizes\/n must be >= 0/],
    ["model/sha256", "abc", /\/model\/sha256 must match pattern/],
    [
      "graph/nodes/0/inputs",
      [[0, 0]],
      /graph\/nodes\/0, input, reads \[0,0\], which is no result of a node before/,
    ],
    ["graph/nodes/1/inputs", [[0, 1]], /reads \[0,1\]/],
    ["graph/nodes/0/at", 99, /graph\/nodes\/0 is at source 99 of \d/],
    ["graph/outputs/0/1", [99, 0], /graph returns or writes \[99,0\]/],
    ["groups/0/nodes", [99], /groups\/0 computes node 99 of \d/],
    ["groups/0/nodes", [1, 1], /groups\/0 computes a node twice/],
    ["groups/0/roots", [[0, 0]], /groups\/0 stores \[0,0\], which it does not compute/],
    ["groups/0/roots", [], /\/groups\/0\/roots must NOT have fewer than 1 items/],
    ["dispatches/0/kernel", 9, /dispatches\/0 runs kernel 9 of \d/],
    [
      "dispatches/0/bindings/0",
      [0, 1 << 30, 4],
      /dispatches\/0 binds \[0,1073741824,4\], which lies in no arena/,
    ],
    ["kernels/0/wgsl/0", "// other", /a kernel's text is not the one that its hash says/],
    ["tuning", { abc: {} }, /\/tuning/],
    ["tuning", { ["0".repeat(32)]: { row: { rows: 1 } } }, /\/tuning\/0+\/row must NOT have additional/],
    [
      "tuning",
      { ["0".repeat(32)]: { contraction: { tile: [4] } } },
      /\/tuning\/0+\/contraction\/tile must NOT have/,
    ],
    ["policy", undefined, /must have required property 'policy'/],
    ["passes", [{ name: 3 }], /\/passes\/0\/name must be string/],
  ];
  for (const [path, value, says] of cases) {
    assert.throws(() => parseLock(changed(path, value), "plan.lock.json"), (error: Error) => {
      assert.equal(error.name, "RunError");
      assert.match(error.message, /^plan\.lock\.json: /);
      assert.match(error.message, says);
      return true;
    }, path);
  }
  for (const other of ["", "[]", "null", "3", text.slice(0, 500)]) {
    assert.throws(() => parseLock(other, "it"), { name: "RunError" });
  }
});

Deno.test("writeLock() writes a whole file or none, and readLock() says what is missing", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weft-lock-" });
  try {
    const path = `${folder}/plan.lock.json`;
    await writeLock(path, lock);
    assert.deepEqual(await readLock(path), parseLock(text, "it"));
    await assert.rejects(writeLock(`${folder}/none/plan.lock.json`, lock), { name: "RunError" });
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["plan.lock.json"]);
    await assert.rejects(
      readLock(`${folder}/other.json`),
      /There is no file .*other\.json; `weft lock` writes one/,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
