/** The tolerance of a whole tensor. */

import assert from "node:assert/strict";
import fc from "fast-check";
import { type Bound, lineAbove } from "../../../compiler/bundle/tolerance_line.ts";

const close = (got: number, want: number) => assert(got >= want && got <= want * 1.02, `${got} for ${want}`);

Deno.test("lineAbove() is relative where bounds are, absolute where they are not, and nothing where there are none", () => {
  const relative = lineAbove([[1, 1e-6], [2, 2e-6], [4, 4e-6]]);
  close(relative.relative, 1e-6);
  assert.equal(relative.absolute, 0);
  const absolute = lineAbove([[1, 3e-6], [2, 3e-6], [4, 1e-6]]);
  assert.equal(absolute.relative, 0);
  close(absolute.absolute, 3e-6);
  const both = lineAbove([[0, 1e-6], [10, 2e-6]]);
  close(both.relative, 1e-7);
  close(both.absolute, 1e-6);
  assert.deepEqual(lineAbove([]), { absolute: 0, relative: 0 });
  assert.deepEqual(lineAbove([[3, 0], [0, 0]]), { absolute: 0, relative: 0 });
});

Deno.test("lineAbove() is above every bound, and no line of other slopes is lower by more than its digits", () => {
  const amount = (min: number, max: number) => fc.oneof(fc.constant(0), fc.double({ min, max, noNaN: true }));
  const bound = fc.tuple(amount(1e-6, 1e6), amount(1e-12, 1));
  fc.assert(
    fc.property(fc.array(bound, { minLength: 1, maxLength: 12 }), (bounds: Bound[]) => {
      const { absolute, relative } = lineAbove(bounds);
      for (const [x, least] of bounds) assert(absolute + relative * x >= least * (1 - 1e-12));
      const mean = bounds.reduce((sum, [x]) => sum + x, 0) / bounds.length;
      const height = (slope: number) =>
        Math.max(0, ...bounds.map(([x, least]) => least - slope * x)) + slope * mean;
      const slopes = bounds.flatMap(([x, a]) => bounds.map(([y, b]) => (b - a) / (y - x)));
      const best = Math.min(...[0, 1, ...slopes.filter((s) => s > 0 && s < 1)].map(height));
      assert(
        absolute + relative * mean <= best * 1.03 + 1e-300,
        `${absolute} + ${relative} x, and ${best} is enough`,
      );
    }),
    { seed: 3 },
  );
});
