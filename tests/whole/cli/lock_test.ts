import assert from "node:assert/strict";
import { join } from "node:path";
import { main } from "../../../cli.ts";

const weft = new URL("../../../mod.ts", import.meta.url).href;

const source = `import { add, input, matmul, model, relu, tanh } from ${JSON.stringify(weft)};
const sizes = { x: input(["n", 24], "f32"), w: input([24, 24], "f32") };
export const net = model(sizes, ({ x, w }) => ({ y: relu(add(matmul(x, w), 1)) }));
`;

/** What a command line says and ends with. */
async function run(...args: string[]): Promise<{ code: number; out: string }> {
  const lines: string[] = [];
  const { log, error } = console;
  const hear = (...said: unknown[]) => void lines.push(said.join(" "));
  [console.log, console.error] = [hear, hear];
  try {
    return { code: await main(args), out: lines.join("\n") };
  } finally {
    [console.log, console.error] = [log, error];
    Deno.exitCode = 0;
  }
}

Deno.test("weft lock, replay and build --lock make one plan, and say where another model or size does not fit", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "weft-cli-" });
  try {
    const at = (name: string) => join(folder, name);
    const [file, changed, lock] = [at("model.ts"), at("changed.ts"), at("plan.lock.json")];
    Deno.writeTextFileSync(file, source);
    Deno.writeTextFileSync(changed, `\n${source.replace("y: relu", "y: tanh")}`);
    const made = await run("lock", file, "--size", "n=8", "--target", "gpu", "--out", lock);
    assert.equal(made.code, 0, made.out);
    assert.match(
      made.out,
      /lock\.json: net, n = 8, greedy for gpu: \d+ nodes in 1 group, 1 kernel, 1 dispatch$/,
    );

    const same = await run("replay", lock, file);
    assert.equal(same.code, 0, same.out);
    assert.match(
      same.out,
      /^identical: \d+ nodes, 1 group, 1 kernel hash for hash, 1 dispatch, all places/m,
    );
    const other = await run("replay", lock, changed);
    assert.equal(other.code, 1, other.out);
    assert.match(
      other.out,
      /^differs: model\.ts:3:53: relu when it was locked, tanh now \(changed\.ts:4:53\)$/m,
    );
    const size = await run("replay", lock, file, "--size", "n=9");
    assert.equal(size.code, 2);
    assert.match(size.out, /the lock is for n = 8, and n = 9 is asked for/);
    const none = await run("replay", at("none.json"), file);
    assert.match(none.out, /There is no file .*none\.json; `weft lock` writes one/);

    const build = ["build", file, "--lock", lock, "--format", "json", "--no-self-test"];
    for (const out of ["a", "b"]) {
      assert.equal((await run(...build, "--name", "net", "--out", at(out))).code, 0);
    }
    assert.equal(Deno.readTextFileSync(at("a/manifest.json")), Deno.readTextFileSync(at("b/manifest.json")));
    const tuned = await run(...build, "--out", at("c"), "--tune", "software");
    assert.match(tuned.out, /--tune is given beside a lock/);
    const both = await run("lock", file, "--size", "n=8", "--target", "gpu", "--tune");
    assert.equal(both.code, 2);
    assert.match(both.out, /--tune measures on a device, and --target gpu is none/);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
