/** What an element of a side costs, in products of a vector: what tiles and orientations are compared by. */

import { slowFunctions, type Value, type Var, walk } from "../../kernel/value.ts";
import { contiguousLoads } from "./extent.ts";

/** What reading single elements costs beside reading vectors, each. */
export const scattered = 1.5;

/** What evaluating values once costs, by fours along one of some variables if their loads allow it. */
export function workOf(values: readonly Value[], along: readonly Var[], load: number): number {
  let work = 0;
  walk(values, (value) => {
    switch (value.kind) {
      case "load":
        work += along.some((v) => contiguousLoads([value], v) > 0) ? load : load * scattered;
        break;
      case "div":
      case "mod":
        work += 4;
        break;
      case "unary":
        work += slowFunctions.has(value.op) ? 15 : 1;
        break;
      case "binary":
      case "select":
      case "guard":
        work += 2;
        break;
    }
  });
  return work;
}
