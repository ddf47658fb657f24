import assert from "node:assert/strict";
import { join } from "node:path";
import { main } from "../../../cli.ts";

const weft = new URL("../../../mod.ts", import.meta.url).href;

const source = `import { input, model, softmax } from ${JSON.stringify(weft)};
export const net = model({ x: input(["n", 24], "f32") }, ({ x }) => ({ y: softmax(x) }));
`;

Deno.test("weft ablate prints one table and writes one JSON, with a device and without", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "weft-cli-" });
  const lines: string[] = [];
  const { log, error } = console;
  const hear = (...said: unknown[]) => void lines.push(said.join(" "));
  const run = async (...args: string[]) => {
    lines.length = 0;
    [console.log, console.error] = [hear, hear];
    try {
      return { code: await main(["ablate", ...args]), out: lines.join("\n") };
    } finally {
      [console.log, console.error] = [log, error];
    }
  };
  try {
    const [file, json] = [join(folder, "model.ts"), join(folder, "ablation.json")];
    Deno.writeTextFileSync(file, source);
    const still = await run(file, "--size", "n=8", "--device", "none", "--target", "gpu", "--json", json);
    assert.equal(still.code, 0, still.out);
    assert.match(still.out, /^variant +dispatches .*compile ms$/m);
    assert.match(still.out, /^policy none +\d+ /m);
    const { model, sizes, rows, notes } = JSON.parse(Deno.readTextFileSync(json));
    assert.deepEqual([model, sizes, rows[0].name, rows[0].plan.dispatches], ["net", { n: 8 }, "default", 1]);
    assert.match(notes[0], /rules never fire here/);
    const timed = await run(
      file,
      "--size",
      "n=8",
      "--device",
      "cpu",
      "--rounds",
      "6",
      "--only",
      "policy none",
    );
    assert.equal(timed.code, 0, timed.out);
    assert.match(timed.out, /^policy none .* \d+\.\d{3} … \d+\.\d{3}$/m);
    assert.match(timed.out, /^on cpu, 6 rounds in turns; ms: a whole run by the host.s clock, /m);
    const wrong = await run(file, "--size", "n=8", "--device", "cpu", "--target", "gpu");
    assert.deepEqual([wrong.code, /say --device none with it/.test(wrong.out)], [2, true]);
    assert.equal((await run(file, "--size", "n=8", "--rounds", "few")).code, 2);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
