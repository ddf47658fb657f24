import assert from "node:assert/strict";
import { addCounts, failure, readSummary } from "../support/summary.ts";

Deno.test("readSummary() counts tests, not steps, through colors", () => {
  const output = "\x1b[31mFAILED\x1b[0m | 12 passed (3 steps) | 2 failed (1 step) | 4 ignored (306ms)\n";
  assert.deepEqual(readSummary(output, 1), { passed: 12, failed: 2, ignored: 4, problem: null });
});

Deno.test("readSummary() takes the last summary when a test prints one of its own", () => {
  const output = "ok | 99 passed | 0 failed (1s)\nran 99\nok | 3 passed | 0 failed (2s)\n";
  assert.equal(readSummary(output, 0).passed, 3);
});

Deno.test("readSummary() is a failure when the process died before its summary", () => {
  const counts = readSummary("running 3 tests\nfirst ... ok (1ms)\n", 134);
  assert.equal(counts.failed, 1);
  assert.match(counts.problem!, /exit code 134/);
});

Deno.test("readSummary() is a failure when tests pass but the exit code says otherwise", () => {
  const counts = readSummary("ok | 3 passed | 0 failed (2s)\n", 1);
  assert.deepEqual([counts.passed, counts.failed], [3, 1]);
});

Deno.test("readSummary() is a failure when no test ran", () => {
  assert.equal(readSummary("ok | 0 passed | 0 failed | 5 ignored (1ms)\n", 0).failed, 1);
});

Deno.test("addCounts() adds and keeps every problem", () => {
  const sum = addCounts([
    readSummary("ok | 3 passed | 0 failed (2s)\n", 0),
    failure("One."),
    failure("Two."),
  ]);
  assert.deepEqual(sum, { passed: 3, failed: 2, ignored: 0, problem: "One.\nTwo." });
});
