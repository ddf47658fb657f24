import assert from "node:assert/strict";
import { counted } from "../../compiler/counted.ts";

Deno.test("counted() gives a number with its noun", () => {
  assert.deepEqual(
    [counted(1, "kernel"), counted(0, "kernel"), counted(2, "dispatch"), counted(1, "dispatch")],
    ["1 kernel", "0 kernels", "2 dispatches", "1 dispatch"],
  );
  assert.deepEqual(
    [counted(2, "axis", "axes"), counted(1, "axis", "axes"), counted("4*batch", "element")],
    ["2 axes", "1 axis", "4*batch elements"],
  );
});
