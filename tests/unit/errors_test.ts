/**
 * Every error a user can cause is a sentence (STYLE 14): what, where, both shapes, what to try. The golden file holds
 * them all, to be read; places are shown as the user's own source line, so that a moved line changes nothing.
 *
 * After a change on purpose: `deno test -A tests/unit/errors_test.ts -- --update`, and read the difference.
 */

import assert from "node:assert/strict";
import { runMistakes } from "../support/run_mistakes.ts";
import { mistakes as modelMistakes } from "../support/user_mistakes.ts";

const golden = new URL("../golden/errors.txt", import.meta.url);
const mistakes = { ...modelMistakes, ...runMistakes };
const place = /(tests\/support\/(?:user|run)_mistakes\.ts):(\d+):\d+/g;

/** `tests/support/user_mistakes.ts:12:9` as the text of that line; temporary folders have names of their own. */
const asSource = (message: string): string =>
  message.replaceAll(place, (_, file, line) => `\`${linesOf(file)[line - 1]!.trim()}\``)
    .replaceAll(/\/\S*\/(three\.safetensors)/g, "…/$1");

const linesOf = (file: string): readonly string[] => Deno.readTextFileSync(file).split("\n");

async function messageOf(mistake: () => unknown): Promise<string> {
  try {
    await mistake();
  } catch (error) {
    if (error instanceof Error) return `${error.name}: ${asSource(error.message)}`;
    throw error;
  }
  return "no error";
}

const messages = new Map<string, string>();
for (const [name, mistake] of Object.entries(mistakes)) messages.set(name, await messageOf(mistake));

Deno.test("mistakes are answered as the golden file says", () => {
  const text = [...messages].map(([name, message]) => `## ${name}\n${message}\n`).join("\n");
  if (Deno.args.includes("--update")) Deno.writeTextFileSync(golden, text);
  assert.equal(text, Deno.readTextFileSync(golden));
});

Deno.test("every mistake is an error of Weft's, never of what is inside", () => {
  assert.equal(messages.size, Object.keys(modelMistakes).length + Object.keys(runMistakes).length);
  for (const [name, message] of messages) {
    assert.match(message, /^(Shape|Compile|Run|Type)Error: /, name);
    assert.doesNotMatch(
      message,
      /bug in Weft|undefined is not|Cannot read|is not a function|not iterable/,
      name,
    );
  }
});

Deno.test("a mistake in a model is an error at the user's own line", () => {
  assert.ok(Object.keys(modelMistakes).length >= 40);
  for (const name of Object.keys(modelMistakes)) {
    const message = messages.get(name)!;
    if (!message.startsWith("TypeError")) assert.match(message, /\n {4}at `.*`$/, name);
  }
});
