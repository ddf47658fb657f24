import assert from "node:assert/strict";
import { examplesOf } from "../support/doc_examples.ts";

Deno.test("examplesOf() finds what stands between fences of ts in a comment, and no other", () => {
  const text = [
    "/**",
    " * ```ts",
    " * const a = 1;",
    " *",
    " *   if (a) throw a;",
    " * ```",
    " * ```ts ignore",
    " * no();",
    " * ```",
    " */",
    "const fence = `",
    "```ts",
    "`;",
    "  /**",
    "   * ```ts",
    "   * second();",
    "   * ```",
    "   */",
  ].join("\n");
  assert.deepEqual(examplesOf(text), [
    { line: 2, source: "const a = 1;\n\n  if (a) throw a;" },
    { line: 15, source: "second();" },
  ]);
});
