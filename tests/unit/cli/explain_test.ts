import assert from "node:assert/strict";
import { join } from "node:path";
import { main } from "../../../cli.ts";

const weft = new URL("../../../mod.ts", import.meta.url).href;

const source = `import { add, input, matmul, model, relu } from ${JSON.stringify(weft)};
const sizes = { x: input(["n", 24], "f32"), w: input([24, 24], "f32") };
export const net = model(sizes, ({ x, w }) => ({ y: relu(add(matmul(x, w), 1)) }));
`;

/** What `weft explain` says of a file of one model, and what it ends with. */
async function explain(...args: string[]): Promise<{ code: number; out: string }> {
  const folder = Deno.makeTempDirSync({ prefix: "weft-cli-" });
  const lines: string[] = [];
  const { log, error } = console;
  const hear = (...said: unknown[]) => void lines.push(said.join(" "));
  [console.log, console.error] = [hear, hear];
  try {
    const file = join(folder, "model.ts");
    Deno.writeTextFileSync(file, source);
    return { code: await main(["explain", file, ...args, "--size", "n=8"]), out: lines.join("\n") };
  } finally {
    [console.log, console.error] = [log, error];
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("weft explain prints every pair with its reason, its lines and a summary", async () => {
  const { code, out } = await explain("--target", "software");
  assert.equal(code, 0, out);
  assert.match(
    out,
    /^%\d+ matmul \(\S+model\.ts:3:\d+\) → %\d+ add \(\S+model\.ts:3:\d+\): fused, cost: saves/m,
  );
  assert.match(out, /^ {4}3 of 8 buffers, /m);
  assert.match(out, /^net, greedy for software: 2 pairs, 2 fused$/m);
});

Deno.test("weft explain takes two ops, a policy, the cpu, and gives data", async () => {
  const { out } = await explain("matmul", "add", "--policy", "none", "--device", "cpu", "--json");
  const [one, ...others] = JSON.parse(out);
  assert.deepEqual(others, []);
  assert.deepEqual([one.a.op, one.b.op, one.fused, one.rule], ["matmul", "add", false, "cost"]);
  assert(one.numbers.togetherMs < one.numbers.apartMs);
});

Deno.test("weft explain says what it cannot find", async () => {
  const nothing = await explain("conv", "--target", "gpu");
  assert.equal(nothing.code, 2);
  assert.match(nothing.out, /weft: explain: "conv" names no op of the compiled graph/);
  assert.equal((await explain("--policy", "best")).code, 2);
  const both = await explain("--target", "gpu", "--device", "cpu");
  assert.equal(both.code, 2);
  assert.match(
    both.out,
    /--target gpu is a kind of processor.*; --device cpu is one\. Leave out one of the two\.$/,
  );
});
