/**
 * Wrong calls of every command: each is told in a sentence and ends with 2, before a device is asked for anything. What
 * is no call's fault ends with 1.
 */

import assert from "node:assert/strict";
import { join } from "node:path";
import { main } from "../../../cli.ts";
import { encodeNpy } from "../../../runtime/npy.ts";
import { workspace } from "../../support/workspace.ts";

const weft = new URL("../../../mod.ts", import.meta.url).href;

const source = `import { input, linear, model, mse, sgd, softmax, trainStep } from ${JSON.stringify(weft)};
export const net = model({ x: input(["n", 8], "f32") }, ({ x }) => ({ y: softmax(linear(8, 4)(x)) }));
`;

/** A folder with files of every wrong kind, and one of every right one. */
async function made() {
  const at = workspace(source);
  const path = (name: string) => join(at.folder, name);
  for (const name of ["folder", "full", "broken"]) Deno.mkdirSync(path(name));
  const texts = {
    "empty": "",
    "list.json": "[]",
    "text.txt": "hello",
    "full/x": "x",
    "broken/manifest.json": "{",
  };
  for (const [name, text] of Object.entries(texts)) Deno.writeTextFileSync(path(name), text);
  Deno.writeTextFileSync(path("syntax.ts"), "export const = 3");
  Deno.writeTextFileSync(path("throws.ts"), "throw new Error('oh dear');");
  Deno.writeTextFileSync(path("nothing.ts"), "export const x = 3;");
  Deno.writeFileSync(path("binary"), new Uint8Array([0xff, 0xfe, 0, 1, 2, 200, 7, 7, 7, 7, 7, 7, 7, 7]));
  Deno.writeFileSync(path("x.npy"), encodeNpy("f32", [4, 8], new Float32Array(32)));
  Deno.writeFileSync(path("short.npy"), encodeNpy("f32", [4, 8], new Float32Array(32)).subarray(0, 200));
  const double = encodeNpy("f32", [4, 8], new Float32Array(64));
  double[double.indexOf(0x34)] = 0x38; // '<f4' becomes '<f8'
  Deno.writeFileSync(path("double.npy"), double);
  Deno.writeFileSync(path("other.npy"), encodeNpy("f32", [8, 4], new Float32Array(32)));
  const words = (line: string) => line.split(" ").map((word) => word.replace("@", `${at.folder}/`));
  const run = async (line: string) => {
    Deno.exitCode = 0;
    const { code, out } = await at.run(...words(line));
    Deno.exitCode = 0;
    return { code, out: out.replaceAll(`${at.folder}/`, "@") };
  };
  for (
    const line of ["lock @model.ts --size n=4 --target gpu --out @plan.lock.json", `build ${on} --out @dist`]
  ) {
    const { code, out } = await run(line);
    assert.equal(code, 0, out);
  }
  return { run, [Symbol.dispose]: () => at[Symbol.dispose]() };
}

const on = "@model.ts --size n=4";

/** Files that are there, or not, and no file of the kind that is asked for; and what is said of each of them. */
const wrongFiles = {
  "@nowhere": /there is no (such )?(file|folder)/i,
  "@text.txt/x": /a part of its path is a file|there is no (file|folder)/,
  "@folder": /is a folder|no bundle|is no file/,
  "@empty": /./,
  "@list.json": /./,
  "@text.txt": /./,
  "@binary": /./,
};

/** Calls with `?` where a file is read. */
const reading = [
  "explain ? --size n=4 --target gpu",
  "lock ? --target gpu --out @x.json",
  "report ? --device none --out @x.html",
  "ablate ? --device none",
  "build ? --out @x",
  "tune ?",
  "profile ?",
  "costmodel ?",
  "bisect ?",
  `replay ? @model.ts`,
  "replay @plan.lock.json ?",
  "costmodel --fit ?",
  "inspect ?",
  "run ?",
  "run @dist --input x=?",
  "run @dist --input x=@x.npy --state ?",
  `verify ${on} --device cpu --input x=?`,
  `bisect ${on} --device cpu --input x=?`,
  `build ${on} --out @x --state ?`,
  `build ${on} --out @x --limits ?`,
  `build @model.ts --out @x --lock ?`,
];

/** Calls with `?` where a file goes. */
const writing = [
  `lock ${on} --target gpu --out ?`,
  `report ${on} --device none --out ?`,
  `report ${on} --device none --out @x.html --json ?`,
  `ablate ${on} --device none --json ?`,
  `profile ${on} --device cpu --trace ?`,
  `profile ${on} --device cpu --roofline ?`,
  `costmodel ${on} --device cpu --out ?`,
  `bisect ${on} --device cpu --out ?`,
  "run @dist --input x=@x.npy --save-state ?",
];

const wrong: readonly (readonly [call: string, says: RegExp])[] = [
  ["nothing", /unknown command 'nothing'/],
  ["lock @model.ts --bogus", /unknown option '--bogus'/],
  ["lock", /missing required argument 'file'/],
  ["explain @syntax.ts", /can't be loaded: .*Unexpected token/],
  ["explain @throws.ts", /can't be loaded: oh dear/],
  ["explain @nothing.ts", /exports no model/],
  ["explain @model.ts --export other", /exports no "other"/],
  [`explain ${on} --target gpu nope`, /"nope" names no op of the compiled graph/],
  ["tune @model.ts", /a size that needs a number: "n"/],
  ["tune @model.ts --size m=3", /no size "m"; its sizes are "n"/],
  ["tune @model.ts --size n=-3", /"-3" is no whole number/],
  ["tune @model.ts --size n=3 --size n=4", /"n" is 3 already/],
  ["build @model.ts --size m=3 --out @x", /no size "m"; its sizes are "n"/],
  ["build @model.ts --size n=3,n=4 --out @x", /"n" is 3 already/],
  [
    "build @model.ts --size n=0 --out @x",
    /--size n=0: A bundle with n = 0 can do nothing: no input has an element/,
  ],
  [`build ${on} --out @x --features f64`, /no feature "f64"/],
  [`build ${on} --out @x --seed x`, /no whole number from 0 up/],
  [`build ${on} --out @full`, /is there already and is no bundle/],
  [`build ${on} --out @text.txt`, /is there already and is no bundle/],
  [
    "build @model.ts --size n=5 --out @x --lock @plan.lock.json",
    /the lock is for n = 4, and n = 5 is asked for/,
  ],
  ["build @model.ts --out @x --lock @plan.lock.json --tune gpu", /--tune is given beside a lock/],
  ["replay @plan.lock.json @model.ts --size n=5", /the lock is for n = 4/],
  ["replay @model.ts @plan.lock.json", /the lock comes first, .*: weft replay @plan\.lock\.json @model\.ts/],
  [`lock ${on} --target gpu --without nopass`, /there is no pass and no rule "nopass"/],
  [`ablate ${on} --device none --only nopolicy`, /no such row; there are "default"/],
  [`ablate ${on} --device cpu --target gpu`, /say --device none with it/],
  ...["explain @model.ts", "lock @model.ts --out @x.json", "report @model.ts --out @x.html"].map((call) =>
    [
      `${call} --size n=4 --target gpu --device cpu`,
      /--device cpu is one\. Leave out one of the two/,
    ] as const
  ),
  [`report ${on} --device none --out @x.html --against nope`, /it is no policy/],
  [`profile ${on} --rounds 0`, /no number above 0/],
  ["costmodel", /name a model's file to measure/],
  ["run @dist", /The input "x", f32 \[n, 8\], is not given/],
  ["run @dist --input x", /write a name and a file/],
  ["run @dist --input z=@x.npy", /no such input; it has x/],
  ["run @dist --input x=@other.npy", /the bundle takes x \[4, 8\]/],
  ["run @dist --input x=@double.npy", /is float64 \(<f8\), and its input is f32: save it as float32/],
  ["run @dist --input x=@short.npy", /an array \[4, 8\] of <f4 has 128 bytes/],
  ["run @dist --times 0", /no number above 0/],
  ["run @dist --input x=@x.npy --output @text.txt", /is a file; name a folder/],
  [`verify ${on} --device cpu --input x=@other.npy`, /has the shape \[8, 4\]/],
  [`verify ${on} --device cpu --input x=@short.npy`, /has 128 bytes/],
  ["fuzz --out @text.txt/x", /is a file; name a folder/],
  ["fuzz --path x", /no path such as 3/],
  ["fuzz --path 999999999 --device cpu", /leads to no graph: a round has/],
  ["fuzz --policy best", /Allowed choices are none/],
];

Deno.test("a wrong call of any command is told in a sentence, ends with 2, and leaves nothing behind", async () => {
  using at = await made();
  const check = async (call: string, says: RegExp) => {
    const { code, out } = await at.run(call);
    assert.equal(code, 2, `${call}\n${out}`);
    assert.match(out, says, call);
    assert(!/os error|ENOENT|ENOTDIR|EISDIR|undefined|\[object/.test(out), `${call}\n${out}`);
    assert.match(out, /^(weft|error): /m, call);
  };
  for (const call of reading) {
    for (const [file, says] of Object.entries(wrongFiles)) {
      if (call.startsWith("replay @plan") && file === "@nowhere") continue; // as in the others
      await check(call.replace("?", file), says);
    }
  }
  for (const call of writing) {
    for (
      const [place, says] of [["@nowhere/x", /no folder/], ["@folder", /is a folder/], [
        "@text.txt/x/x",
        /no folder/,
      ]]
    ) {
      await check(call.replace("?", place as string), says as RegExp);
    }
  }
  for (const [call, says] of wrong) await check(call, says);
  const left = [...Deno.readDirSync(".")].map(({ name }) => name);
  assert(!left.includes("plan.lock.json") && !left.includes("repro.ts") && !left.includes("fuzz"));
});

Deno.test("what fails without being called wrongly ends with 1", async () => {
  using at = await made();
  assert.equal((await at.run("inspect @dist")).code, 0);
  assert.equal((await at.run("inspect @broken")).code, 1);
  assert.equal((await at.run("replay @plan.lock.json @model.ts")).code, 0);
});

Deno.test("weft --help says what the exit codes mean", async () => {
  const { write } = process.stdout;
  let said = "";
  process.stdout.write = ((text: string) => (said += text, true)) as typeof write;
  try {
    assert.equal(await main(["--help"]), 0);
  } finally {
    process.stdout.write = write;
  }
  assert.match(
    said,
    /What a command ends with:\n +0 +it did.*\n +1 +it found a difference.*\n +2 +it was called wrongly/,
  );
});
