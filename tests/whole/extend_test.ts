/** Each way to extend Weft has an example that is short, does what it says, and needs no more than the library's face. */

import assert from "node:assert/strict";
import { example as costModel } from "../../examples/extend/cost_model.ts";
import { example as op } from "../../examples/extend/op.ts";
import { example as policy } from "../../examples/extend/policy.ts";
import { example as rewrite } from "../../examples/extend/rewrite.ts";
import { example as schedule } from "../../examples/extend/schedule.ts";
import { type Device, openDevice } from "../../mod.ts";

const examples: readonly (readonly [file: string, run: (device: Device) => Promise<void>, prints: RegExp])[] =
  [
    [
      "op",
      op,
      /squareplus holds on 2 samples: 4 results, 73 slopes\n.*f\(−40000\) = 0\.00002500.*\ninPlainOps: .*= 0\.000/,
    ],
    ["rewrite", rewrite, /^distribute +3 +3 .*\n(?:not told .*\n)?results differ by \S+ at most/m],
    ["policy", policy, /^none +\d\d .*\nbest pair first +5 .*\ngreedy +5 /m],
    ["cost_model", costModel, /^expected: [\d.]+ ms by default, [\d.]+ fitted; measured: [\d.]+$/m],
    [
      "schedule",
      schedule,
      /^4 × 4 blocks +1 .*\n(?:not told .*\n)?y\[0, 2\] = \S+, by "4 × 4 blocks"$/m,
    ],
  ];

const folder = new URL("../../examples/extend/", import.meta.url);

for (const [name, run, prints] of examples) {
  Deno.test(`examples/extend/${name}.ts has fewer than 60 lines and shows what it bought`, async () => {
    const text = Deno.readTextFileSync(new URL(`${name}.ts`, folder));
    assert(text.split("\n").length - 1 < 60);
    const from = new Set([...text.matchAll(/from "([^"]+)"/g)].map(([, path]) => path));
    assert.deepEqual([...from], ["../../mod.ts"]);
    const lines: string[] = [];
    const { log } = console;
    console.log = (line: string) => void lines.push(line);
    try {
      using device = await openDevice({ device: "cpu" });
      await run(device);
    } finally {
      console.log = log;
    }
    assert.match(lines.join("\n"), prints);
  });
}

Deno.test("the guide names every example with its command", () => {
  const guide = Deno.readTextFileSync(new URL("README.md", folder));
  const files = [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => name.endsWith(".ts"));
  assert.deepEqual(files.sort(), examples.map(([name]) => `${name}.ts`).sort());
  for (const file of files) assert(guide.includes(`deno run -A examples/extend/${file}`), file);
});
