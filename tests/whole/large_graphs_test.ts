import { LONG } from "../support/long.ts";
import { checkRandomGraphs } from "../support/random_property.ts";

Deno.test("large random graphs give what their references say, fused and unfused", () => {
  checkRandomGraphs({ longest: 18, seed: 104, count: LONG ? 3000 : 500 });
});
