/** What `deno check` says of mistakes: the fixtures hold each mistake and, behind `//!`, what its message must hold. */

import assert from "node:assert/strict";
import { stripVTControlCharacters } from "node:util";

const root = new URL("../../", import.meta.url);

interface Mistake {
  readonly line: number;
  readonly message: string;
}

Deno.test("mistakes fail the type check at the call, with a message that names both sides", async () => {
  const source = await Deno.readTextFile(new URL("tests/fixtures/types/mistakes.ts", root));
  const expected = source.split("\n").flatMap((text, i): Mistake[] => {
    const message = text.split("//! ")[1];
    return message === undefined ? [] : [{ line: i + 1, message }];
  });
  const found = await check(source);
  for (const { line, message } of expected) {
    const texts = found.filter((m) => m.line === line).map((m) => m.message);
    assert.ok(
      texts.some((text) => text.includes(message)),
      `line ${line}: "${message}" is not in:\n${texts.join("\n")}`,
    );
  }
  const unexpected = found.filter((m) => !expected.some((e) => e.line === m.line));
  assert.deepEqual(unexpected, []);
});

/** The errors of the type checker in a module, by line. */
async function check(source: string): Promise<Mistake[]> {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/mistakes.ts`;
    const checked = source.replace(/^\/\/ @ts-nocheck/, "//");
    await Deno.writeTextFile(
      file,
      checked.replaceAll('"@weft/weft"', JSON.stringify(new URL("mod.ts", root).href)),
    );
    const { stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--config", new URL("deno.json", root).pathname, file],
      stdout: "null",
      stderr: "piped",
    }).output();
    const text = stripVTControlCharacters(new TextDecoder().decode(stderr));
    return text.split(/\n(?=TS\d+ \[ERROR\])/).slice(1).map((message) => {
      const place = /mistakes\.ts:(\d+):/.exec(message);
      return { line: Number(place?.[1] ?? 0), message };
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
