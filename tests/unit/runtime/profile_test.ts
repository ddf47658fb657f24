import assert from "node:assert/strict";
import { printProfile, profileRows } from "../../../runtime/profile.ts";
import { counter } from "../../support/tiny_programs.ts";

Deno.test("profileRows() gives each dispatch its time", () => {
  assert.deepEqual(profileRows(counter(), [0.5, 0.25]), [
    { label: "count up", kernel: 0, groups: 1, ms: 0.5 },
    { label: "show", kernel: 1, groups: 1, ms: 0.25 },
  ]);
});

Deno.test("printProfile() adds up what is equal and puts the slowest first", () => {
  const row = (label: string, kernel: number, ms: number) => ({ label, kernel, groups: 64, ms });
  const text = printProfile([
    row("norm", 0, 0.5),
    row("matmul", 1, 2),
    row("matmul", 1, 1),
    row("sum", 2, 0.5),
  ], 2);
  assert.equal(
    text,
    [
      "   ms   share  runs  kernel  groups  what",
      "3.000  75.0 %    2×      k1      64  matmul",
      "0.500  12.5 %    1×      k0      64  norm",
      "… and 1 more",
      "4.000 ms in 4 dispatches",
    ].join("\n"),
  );
});
