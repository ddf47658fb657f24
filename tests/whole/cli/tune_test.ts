import assert from "node:assert/strict";
import { workspace } from "../../support/workspace.ts";

const weft = new URL("../../../mod.ts", import.meta.url).href;

const one = `import { input, matmul, model } from ${JSON.stringify(weft)};
export const net = model({ a: input(["n", 24], "f32"), b: input([24, 32], "f32") }, ({ a, b }) => {
  return { y: matmul(a, b) };
});`;

const several = `${one}
export const other = net.only("y");
export const rate = 0.1;
`;

Deno.test("weft tune prints a table of kernels, and takes the one model of a file", async () => {
  using at = workspace(one);
  const args = ["tune", at.file, "--size", "n=40", "--device", "cpu", "--seconds", "2"];
  const { code, out } = await at.run(...args);
  assert.equal(code, 0, out);
  assert.match(
    out,
    /^net on cpu: 1 kernel, 2 s at most; each is timed alone, on made-up numbers, by the host's clock around /m,
  );
  assert.match(out, /^kernel +default ms +tuned ms +ratio +from +ops +numbers$/m);
  assert.match(out, /^[0-9a-f]{8} +[\d.]+ +[\d.]+ +[\d.]+ +search +matmul +/m);
  assert.match(out, /ms by default, .* ms tuned, in 1 kernel$/m);
});

Deno.test("weft answers a wrong call with a sentence and code 2", async () => {
  using at = workspace(several);
  const cases: readonly (readonly [args: string[], says: RegExp])[] = [
    [["tune", "nowhere.ts"], /there is no file "nowhere.ts"/],
    [["tune", at.file], /exports several models; say which with --export.*"net", "other"/],
    [["tune", at.file, "--export", "none"], /exports no "none"\. It exports the models "net", "other"/],
    [["tune", at.file, "--export", "rate"], /"rate" of .* is no model/],
    [["tune", at.file, "--export", "net"], /a size that needs a number: "n".*--size n=32/],
    [["tune", at.file, "--export", "net", "--size", "m=3"], /has no size "m"; its sizes are "n"/],
    [["tune", at.file, "--export", "net", "--size", "n=3.5"], /"3.5" is no whole number/],
    [["tune", at.file, "--export", "net", "--size", "n"], /write a name and a number/],
    [["tune", at.file, "--export", "net", "--size", "n=3", "--size", "n=4"], /"n" is 3 already/],
    [["tune", at.file, "--seconds", "soon"], /no number above 0/],
    [["tune", at.file, "--device", "tpu"], /Allowed choices are auto, webgpu, cpu/],
    [["spin"], /unknown command/],
  ];
  for (const [args, says] of cases) {
    const { code, out } = await at.run(...args);
    assert.match(out, says);
    assert.equal(code, 2, out);
  }
});

Deno.test("weft says what is wrong with a file that exports no model, or none of this Weft", async () => {
  using none = workspace("export const x = 1;");
  assert.match((await none.run("tune", none.file)).out, /exports no model; write `export const net = model/);
  using broken = workspace("export const x = ;");
  assert.match((await broken.run("tune", broken.file)).out, /can't be loaded: /);
  using foreign = workspace("class Model {}\nexport const net = new Model();");
  assert.match((await foreign.run("tune", foreign.file)).out, /"net" was made by another copy of Weft/);
});
