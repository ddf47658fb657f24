/** A few random graphs, for a quick answer; `tests/whole` has a thousand. */

import { checkRandomGraphs } from "../../support/random_property.ts";

for (const [what, longest, seed] of [["small", 5, 101], ["large", 18, 102]] as const) {
  Deno.test(`a few ${what} random graphs give what their references say, fused and unfused`, () => {
    checkRandomGraphs({ longest, seed, count: 15 });
  });
}
