/** README's examples run and print what they say; `deno task check` holds them to their types. */

import assert from "node:assert/strict";

const root = new URL("../../", import.meta.url);
const text = await Deno.readTextFile(new URL("README.md", root));
const blocks = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((m) => m[1]!);

Deno.test("README shows at least one example per kind of user that exists", () => assert(blocks.length >= 2));

for (const [i, block] of blocks.entries()) {
  Deno.test(`README's example ${i + 1} runs, and prints what it says`, async () => {
    const printed = await run(block.replaceAll('"./', `"${root.href}`));
    assert(printed.flat().every((x) => typeof x !== "number" || Number.isFinite(x)), String(printed));
    // A comment such as `// near 7 and 9` stands behind what prints that.
    const promised = block.match(/\/\/ near (.*)/)?.[1]?.match(/-?[\d.]+/g)?.map(Number) ?? [];
    const numbers = printed.flatMap((x) =>
      typeof x === "number" ? [x] : ArrayBuffer.isView(x) ? [...x as Float32Array] : []
    );
    promised.forEach((x, k) => assert(Math.abs(numbers[k]! - x) < 0.1, `${numbers[k]} is not near ${x}`));
  });
}

/** Runs a module in this process, whose modules are loaded already, and gives what it prints. */
async function run(source: string): Promise<unknown[]> {
  const folder = await Deno.makeTempDir();
  const { log } = console;
  const printed: unknown[] = [];
  console.log = (...data) => printed.push(...data);
  try {
    const file = `${folder}/example.ts`;
    await Deno.writeTextFile(file, source);
    await import(`file://${file}`);
    return printed;
  } finally {
    console.log = log;
    await Deno.remove(folder, { recursive: true });
  }
}
