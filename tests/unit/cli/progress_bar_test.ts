import assert from "node:assert/strict";
import { whenSlow } from "../../../runtime/cli/progress_bar.ts";

/** What is passed on of a thousand parts that take so many milliseconds each. */
function passedOn(each: number): number[] {
  const shown: number[] = [];
  let time = 0;
  const show = whenSlow((part) => shown.push(part), () => time);
  for (let i = 1; i <= 1000; i++, time += each) show(i / 1000);
  return shown;
}

Deno.test("whenSlow() says nothing of what takes less than a second, and some twenty things of what takes minutes", () => {
  assert.deepEqual(passedOn(0.9), []);
  const shown = passedOn(100);
  assert(shown[0]! <= 0.02 && shown.at(-1)! > 0.9 && shown.length >= 15 && shown.length <= 20, String(shown));
});
