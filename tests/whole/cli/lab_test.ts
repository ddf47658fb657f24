/** `weft verify`, `weft bisect` and `weft fuzz`: what they print, write, and end with. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { main } from "../../../cli.ts";
import type { Pull } from "../../../compiler/graph/op.ts";
import { opTable } from "../../../ops/define_op.ts";
import { encodeNpy } from "../../../runtime/npy.ts";
import { withError } from "../../support/plant_error.ts";

const weft = new URL("../../../mod.ts", import.meta.url).href;

const source = `import { add, input, matmul, model, relu, softmax } from ${JSON.stringify(weft)};
export const net = model({ x: input(["n", 6], "f32"), w: input([6, 6], "f32") }, ({ x, w }) => {
  return { y: softmax(relu(add(matmul(x, w), 1))) };
});
`;

function workspace() {
  const folder = Deno.makeTempDirSync({ prefix: "weft-cli-" });
  Deno.writeTextFileSync(join(folder, "model.ts"), source);
  return {
    at: (name: string) => join(folder, name),
    async run(...args: string[]): Promise<{ code: number; out: string }> {
      const lines: string[] = [];
      const { log, error } = console;
      const { write } = process.stderr;
      const hear = (...said: unknown[]) => void lines.push(said.join(" "));
      [console.log, console.error] = [hear, hear];
      process.stderr.write = ((text: string) => (lines.push(text), true)) as typeof write;
      try {
        return { code: await main(args), out: lines.join("\n") };
      } finally {
        [console.log, console.error] = [log, error];
        process.stderr.write = write;
        Deno.exitCode = 0;
      }
    },
    [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
  };
}

/** Makes an op wrong by one percent until it is disposed. */
function planted(name: string): Disposable {
  const op = opTable.get(name)! as { lower: Pull<unknown> };
  const right = op.lower;
  op.lower = withError(opTable.get(name)!, 0).lower as Pull<unknown>;
  return { [Symbol.dispose]: () => void (op.lower = right) };
}

Deno.test("weft verify says how many results agree, on made inputs or a file's, and how far the worst is off", async () => {
  using work = workspace();
  const args = ["verify", work.at("model.ts"), "--size", "n=4", "--device", "cpu"];
  await Deno.writeFile(work.at("x.npy"), encodeNpy("f32", [4, 6], new Float32Array(24).fill(0.5)));
  for (const more of [["--seed", "3"], ["--input", `x=${work.at("x.npy")}`]]) {
    const { code, out } = await work.run(...args, ...more);
    assert.equal(code, 0, out);
    assert.match(
      out,
      /^net, greedy against unfused on cpu: all 2 results that both store agree\.\nThe farthest/m,
    );
  }
  const wrong: readonly (readonly [string[], RegExp])[] = [
    [["--input", "z=z.npy"], /"net" has no input "z"; it has "x", "w"/],
    [["--input", "x"], /write a name and a file/],
    [["--input", "x=nowhere.npy"], /nowhere\.npy can't be read/],
    [["--input", `w=${work.at("x.npy")}`], /the file has the shape \[4, 6\], and "w" is f32\[6, 6\]/],
    [["--seed", "-1"], /no whole number from 0 up/],
    [["--policy", "best"], /Allowed choices are none, /],
  ];
  for (const [more, says] of wrong) {
    const { code, out } = await work.run(...args, ...more);
    assert.match(out, says);
    assert.equal(code, 2, out);
  }
});

Deno.test("weft bisect says that nothing departs, or names the op and writes the file", async () => {
  using work = workspace();
  const args = [
    "bisect",
    work.at("model.ts"),
    "--size",
    "n=4",
    "--device",
    "cpu",
    "--out",
    work.at("repro.ts"),
  ];
  const fine = await work.run(...args);
  assert.equal(fine.code, 0, fine.out);
  assert.match(fine.out, /nothing departs\. 2 results of 2 kernels are what their ops' references say/);
  assert(!existsSync(work.at("repro.ts")));
  using _ = planted("relu");
  const { code, out } = await work.run(...args, "--weft", "@weft/weft");
  assert.equal(code, 1, out);
  assert.match(out, /^relu, f32\[4, 6\] \(.*model\.ts:3:\d+\), is wrong by itself/m);
  assert.match(out, /repro\.ts: 2 nodes, inputs among them; nothing simpler fails\. deno run -A /);
  assert.match(await Deno.readTextFile(work.at("repro.ts")), /from "@weft\/weft";[\s\S]*relu\(/);
});

Deno.test("weft fuzz prints a table of what it tried; a failure has a file and a command that leads to it", async () => {
  using work = workspace();
  const args = [
    "fuzz",
    "--device",
    "cpu",
    "--limits",
    "small",
    "--policy",
    "greedy",
    "--out",
    work.at("found"),
  ];
  const fine = await work.run(...args, "--seconds", "1");
  assert.equal(fine.code, 0, fine.out);
  assert.match(fine.out, /^cpu: \d+ graphs in [\d.]+ s, /m);
  assert.match(
    fine.out,
    /^policy +limits +graphs +own programs +refused +failed\nnone +small .*\ngreedy +small /m,
  );
  assert.match(fine.out, /ops took part; none of these did: /);
  using _ = planted("abs"); // in nearly every graph
  const { code, out } = await work.run(...args, "--seconds", "4", "--seed", "4");
  assert.equal(code, 1, out);
  const [, file, again] = /nodes.*: (\S+\.ts)\n +weft (fuzz --seed \d+ --path \S+ .*)/.exec(out)!;
  assert.match(await Deno.readTextFile(file!), /abs\(/);
  assert.match(again!, /--device cpu --limits small --policy greedy$/);
  const bad = await work.run("fuzz", "--policy", "best");
  assert.match(bad.out, /Allowed choices are none, /);
  assert.equal(bad.code, 2);
});
