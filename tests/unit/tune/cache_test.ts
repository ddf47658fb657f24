import assert from "node:assert/strict";
import { join } from "node:path";
import { openDevice } from "../../../runtime/device.ts";
import { deviceKey, type Remembered, TuningCache } from "../../../runtime/tune/cache.ts";

const found: Remembered = {
  label: "matmul",
  patch: { contraction: { tile: [4, 8] } },
  text: "abc",
  defaultMs: 2,
  bestMs: 1,
  complete: true,
};

/** A cache in a folder of its own, and what it said. */
async function opened() {
  const device = await openDevice({ device: "cpu" });
  const folder = Deno.makeTempDirSync({ prefix: "weft-tuning-" });
  const said: string[] = [];
  const cache = TuningCache.of(device, (sentence) => said.push(sentence), folder)!;
  return {
    ...{ cache, folder, said, device },
    [Symbol.dispose]() {
      device.dispose();
      Deno.removeSync(folder, { recursive: true });
    },
  };
}

Deno.test("what is remembered is recalled, and forgotten", async () => {
  using at = await opened();
  assert.equal(at.cache.recall("k"), undefined);
  at.cache.remember("k", found);
  assert.deepEqual(at.cache.recall("k"), found);
  at.cache.forget("k");
  assert.equal(at.cache.recall("k"), undefined);
  assert.deepEqual(at.said, []);
});

Deno.test("a file that holds no tuning is put aside with one sentence", async () => {
  using at = await opened();
  at.cache.remember("k", found);
  const text = Deno.readTextFileSync(at.cache.fileOf("k"));
  const broken = [
    "",
    "{",
    "null",
    text.slice(0, text.length / 2),
    text.replace("4,", '"four",'),
    text.replace('"tile"', '"tiles"'),
    text.replace("2", "null"),
  ];
  for (const content of broken) {
    at.said.length = 0;
    Deno.writeTextFileSync(at.cache.fileOf("k"), content);
    assert.equal(at.cache.recall("k"), undefined, content);
    assert.equal(at.said.length, 1);
    assert.match(at.said[0]!, /^The tuning file .*k\.json holds no tuning.*tuned anew\.$/);
  }
});

Deno.test("where nothing can be written a sentence says so, and no file is left", async () => {
  using at = await opened();
  const { device, said, folder } = at;
  const file = join(folder, "file");
  Deno.writeTextFileSync(file, "");
  const cache = TuningCache.of(device, (sentence) => said.push(sentence), file)!;
  cache.remember("k", found);
  assert.equal(said.length, 1);
  assert.match(said[0]!, /can't be written.*tunes anew/);
  assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["file"]);
});

Deno.test("processes that remember at once lose nothing of each other, and leave whole files alone", async () => {
  using at = await opened();
  const writer = `
    import { openDevice } from ${JSON.stringify(new URL("../../../runtime/device.ts", import.meta.url).href)};
    import { TuningCache } from ${
    JSON.stringify(new URL("../../../runtime/tune/cache.ts", import.meta.url).href)
  };
    const [folder, who] = Deno.args;
    using device = await openDevice({ device: "cpu" });
    const cache = TuningCache.of(device, (s) => { throw new Error(s); }, folder);
    const found = ${JSON.stringify(found)};
    for (let i = 0; i < 200; i++) {
      cache.remember(who + i, found);
      cache.remember("common", found);
      if (cache.recall("common") === undefined) throw new Error("half a file");
    }`;
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  const run = (who: string) =>
    new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--config", config, "--ext=ts", "-", at.folder, who],
      stdin: "piped",
      stderr: "piped",
    }).spawn();
  const children = ["a", "b", "c"].map(run);
  await Promise.all(children.map(async (child) => {
    const to = child.stdin.getWriter();
    await to.write(new TextEncoder().encode(writer));
    await to.close();
  }));
  for (const child of children) {
    const { success, stderr } = await child.output();
    assert(success, new TextDecoder().decode(stderr));
  }
  for (const who of ["a", "b", "c"]) {
    for (let i = 0; i < 200; i++) assert.deepEqual(at.cache.recall(`${who}${i}`), found);
  }
  const files = [...Deno.readDirSync(join(at.cache.fileOf("k"), ".."))].map(({ name }) => name);
  assert.equal(files.length, 601);
  assert(files.every((name) => name.endsWith(".json")));
});

Deno.test("another adapter, driver or kind of device is another key", () => {
  const adapter = { vendor: "1", device: "2", description: "x" } as Parameters<
    typeof deviceKey
  >[0]["adapter"];
  const key = deviceKey({ kind: "webgpu", adapter });
  assert.notEqual(key, deviceKey({ kind: "cpu", adapter: null }));
  assert.notEqual(key, deviceKey({ kind: "webgpu", adapter: { ...adapter!, description: "y" } }));
  assert.notEqual(key, deviceKey({ kind: "webgpu", adapter: { ...adapter!, device: "3" } }));
  assert.equal(key, deviceKey({ kind: "webgpu", adapter: { ...adapter! } }));
  assert(key.includes(Deno.version.deno));
});
