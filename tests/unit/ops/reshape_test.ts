import { deepStrictEqual } from "node:assert/strict";
import { matchingAxes } from "../../../ops/views/reshape.ts";

const runs = (from: number[], to: number[]) =>
  matchingAxes(from, to).map((run) => `${from.slice(...run.from)} → ${to.slice(...run.to)}`);

Deno.test("matchingAxes() leaves alone what a reshape does not touch", () => {
  deepStrictEqual(runs([2, 12, 5], [2, 3, 4, 5]), ["2 → 2", "12 → 3,4", "5 → 5"]);
  deepStrictEqual(runs([6, 4], [8, 3]), ["6,4 → 8,3"]);
  deepStrictEqual(runs([2, 3, 4], [24]), ["2,3,4 → 24"]);
  deepStrictEqual(runs([4], [1, 4, 1]), ["4 → 1,4", " → 1"]);
  deepStrictEqual(runs([1, 4, 1], [4]), ["1 → ", "4 → 4", "1 → "]);
  deepStrictEqual(runs([], [1]), [" → 1"]);
  deepStrictEqual(runs([3, 0], [0, 5]), ["3,0 → 0,5"]);
});
