import assert from "node:assert/strict";

const root = new URL("../../", import.meta.url);
const text = await Deno.readTextFile(new URL("README.md", root));
const blocks = [...text.matchAll(/```ts\n([\s\S]*?)```/g)].map((m) => m[1]!);

Deno.test("README shows at least one example per kind of user that exists", () => assert(blocks.length >= 2));

for (const [i, block] of blocks.entries()) {
  Deno.test(`README's example ${i + 1} passes the type checker and runs`, async () => {
    const folder = await Deno.makeTempDir();
    try {
      const file = `${folder}/example.ts`;
      await Deno.writeTextFile(file, block.replaceAll('"./', `"${root.href}`));
      const { success, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--check", "--config", new URL("deno.json", root).pathname, file],
      }).output();
      assert(success, new TextDecoder().decode(stderr));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  });
}
