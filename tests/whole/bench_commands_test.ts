/**
 * The scripts of tests/bench as they are called: each says what it measures, and refuses a wrong call in a sentence before
 * it imports what measures.
 */

import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { join } from "node:path";

const bench = new URL("../bench/", import.meta.url).pathname;

/** What no person calls: these have no options. */
const inner = ["compile_once.ts", "first_run_once.ts", "peer_programs/program.ts"];

const scripts = globSync("**/*.ts", { cwd: bench }).sort().filter((file) =>
  !inner.includes(file) && /import\.meta\.main|Deno\.args/.test(Deno.readTextFileSync(join(bench, file)))
).filter((file) => file !== "command.ts");

interface Call {
  readonly line: string;
  readonly code: number;
  readonly says: RegExp;
}

const calls: readonly Call[] = [
  ...scripts.flatMap((script): Call[] => [
    { line: `${script} --help`, code: 0, says: /Usage: .*[^]+\nThat takes [^]+--json/ },
    { line: `${script} --bogus`, code: 2, says: /^error: unknown option '--bogus'/ },
  ]),
  {
    line: "main.ts --rounds x",
    code: 2,
    says: /'--rounds <number>' argument 'x' is invalid.*no number above 0/,
  },
  { line: "main.ts --rounds 0", code: 2, says: /'0' is invalid.*no number above 0/ },
  {
    line: "main.ts --shapes --peers .",
    code: 2,
    says: /'--peers <folder>' cannot be used with .*'--shapes'/,
  },
  { line: "main.ts nope", code: 2, says: /no workload's name has "nope" in it; there are "matmul 256", / },
  {
    line: "main.ts --shapes nope",
    code: 2,
    says: /no family's name has "nope" in it; there are "matmul, squares", /,
  },
  { line: "schedules.ts rows", code: 2, says: /'rows' is invalid.*row, contraction, attention/ },
  { line: "schedules.ts row nope", code: 2, says: /no workload's name has "nope" in it; there are "softmax/ },
  {
    line: "fusion_set/main.ts nope",
    code: 2,
    says: /no program's name has "nope" in it.*families are gemm, /,
  },
  {
    line: "fusion_set/main.ts --policy nope",
    code: 2,
    says: /--policy nope: there is no such policy; there are none, /,
  },
  { line: "check_time.ts many", code: 2, says: /'many' is invalid.*no number above 0/ },
  { line: "validation_loss.ts --json", code: 2, says: /which text\? --text FILE/ },
  {
    line: "validation_loss.ts --text x --seeds 1,y",
    code: 2,
    says: /'1,y' is invalid.*no whole number from 0 up/,
  },
];

Deno.test("every script of tests/bench answers --help and wrong calls in sentences", async () => {
  assert(scripts.length >= 10, scripts.join(" "));
  const waiting = calls.values();
  // Two at a time: there are two cores, and a process more than starting takes one.
  await Promise.all([1, 2].map(async () => {
    for (const { line, code, says } of waiting) {
      const [script, ...args] = line.split(" ");
      const { stdout, stderr, ...ended } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", join(bench, script!), ...args],
        env: { NO_COLOR: "1" },
        stdin: "null",
      }).output();
      const [out, error] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
      assert.equal(ended.code, code, `${line}\n${out}${error}`);
      assert.match(code === 0 ? out! : error!, says, line);
      assert(!/\n {4}at |NaN|undefined|os error/.test(out! + error!), `${line}\n${out}${error}`);
    }
  }));
});
