import { LONG } from "../support/long.ts";
import { checkRandomGraphs } from "../support/random_property.ts";

Deno.test("small random graphs give what their references say, fused and unfused", () => {
  checkRandomGraphs({ longest: 5, seed: 103, count: LONG ? 3000 : 500 });
});
