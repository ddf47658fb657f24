/**
 * Every error a user can cause is a sentence (STYLE 14): what, where, both shapes, what to try. The golden file holds
 * them all, to be read; places are shown as the user's own source line, so that a moved line changes nothing.
 *
 * After a change on purpose: `deno test -A tests/unit/errors_test.ts -- --update`, and read the difference.
 */

import assert from "node:assert/strict";
import { mistakes } from "../support/user_mistakes.ts";

const golden = new URL("../golden/errors.txt", import.meta.url);
const support = "tests/support/user_mistakes.ts";
const lines = Deno.readTextFileSync(support).split("\n");

/** `tests/support/user_mistakes.ts:12:9` as the text of that line. */
const asSource = (message: string): string =>
  message.replaceAll(
    /tests\/support\/user_mistakes\.ts:(\d+):\d+/g,
    (_, line) => `\`${lines[line - 1]!.trim()}\``,
  );

function messageOf(mistake: () => unknown): string {
  try {
    mistake();
  } catch (error) {
    if (error instanceof Error) return `${error.name}: ${asSource(error.message)}`;
    throw error;
  }
  return "no error";
}

Deno.test("mistakes are answered as the golden file says", () => {
  const text = Object.entries(mistakes).map(([name, f]) => `## ${name}\n${messageOf(f)}\n`).join("\n");
  if (Deno.args.includes("--update")) Deno.writeTextFileSync(golden, text);
  assert.equal(text, Deno.readTextFileSync(golden));
});

Deno.test("every mistake is an error at the user's own line", () => {
  assert.ok(Object.keys(mistakes).length >= 40);
  for (const [name, mistake] of Object.entries(mistakes)) {
    const message = messageOf(mistake);
    assert.notEqual(message, "no error", name);
    assert.doesNotMatch(message, /bug in Weft|undefined is not|Cannot read/, name);
    if (!message.startsWith("TypeError")) assert.match(message, /\n {4}at `.*`$/, name);
  }
});
