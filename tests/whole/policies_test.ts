/** What the fusion lab says of its policies holds: `tests/bench/policies.ts` prints the numbers for 200 graphs. */

import assert from "node:assert/strict";
import { softwareTarget } from "../../compiler/target.ts";
import { distances } from "../bench/policies/distance.ts";

Deno.test("on small random graphs search is as good as the best partition, and greedy better than the simple policies", () => {
  const found = distances({ count: 40, seed: 2, scale: 32, target: softwareTarget });
  const of = Object.fromEntries(found.map((one) => [one.policy, one]));
  const [none, epilogues, greedy, search] = ["none", "epilogue-only", "greedy", "search"].map((name) =>
    of[name]!
  );
  assert(search!.optimal >= 0.95 && search!.mean < 0.01, JSON.stringify(search));
  assert(greedy!.mean < epilogues!.mean && epilogues!.mean < none!.mean, JSON.stringify(found));
  assert(greedy!.median < 0.02, JSON.stringify(greedy));
});
