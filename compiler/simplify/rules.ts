/**
 * The rules, as equations. Each says why it is safe with NaN, infinity, −0 and rounding: what SEMANTICS §8 does not relax
 * stays as it was. So x · 0 → 0 is no rule (NaN · 0 is NaN), and x + 0 → x is none for floats (−0 + 0 is +0).
 */

import type { DType } from "../graph/dtype.ts";
import { isFloat } from "../graph/dtype.ts";
import { op, type Term } from "./pattern.ts";

export interface Rule {
  readonly name: string;
  readonly from: Term & object;
  readonly to: Term;
  /** Why both sides are equal in every bit that counts. */
  readonly because: string;
  /** Types of the result for which it holds. Default: all that the ops take. */
  readonly holds?: (dtype: DType) => boolean;
}

const integers = (dtype: DType): boolean => !isFloat(dtype) && dtype !== "bool";

export const rules: readonly Rule[] = [
  {
    name: "add zero",
    from: op("add", "x", 0),
    to: "x",
    because: "integers have one zero; for floats −0 + 0 would become −0",
    holds: integers,
  },
  {
    name: "zero plus",
    from: op("add", 0, "x"),
    to: "x",
    because: "as add zero: addition commutes",
    holds: integers,
  },
  {
    name: "subtract zero",
    from: op("sub", "x", 0),
    to: "x",
    because: "x − 0 is x in every bit, −0 included",
  },
  {
    name: "times one",
    from: op("mul", "x", 1),
    to: "x",
    because: "a product with 1 is exact, NaN stays NaN",
  },
  { name: "one times", from: op("mul", 1, "x"), to: "x", because: "as times one: products commute" },
  { name: "divide by one", from: op("div", "x", 1), to: "x", because: "a quotient by 1 is exact" },
  {
    name: "times minus one",
    from: op("mul", "x", -1),
    to: op("neg", "x"),
    because: "both change the sign only",
  },
  {
    name: "negate twice",
    from: op("neg", op("neg", "x")),
    to: "x",
    because: "the sign comes back; integers wrap both ways",
  },
  {
    name: "add negated",
    from: op("add", "x", op("neg", "y")),
    to: op("sub", "x", "y"),
    because: "IEEE defines x − y as x + (−y); integers wrap alike",
  },
  {
    name: "subtract negated",
    from: op("sub", "x", op("neg", "y")),
    to: op("add", "x", "y"),
    because: "x − (−y) is x + y in IEEE; integers wrap alike",
  },
  {
    name: "halve",
    from: op("div", "x", 2),
    to: op("mul", "x", 0.5),
    because: "both round the same real number; a power of two is exact",
    holds: isFloat,
  },
  {
    name: "quarter",
    from: op("div", "x", 4),
    to: op("mul", "x", 0.25),
    because: "as halve: a quarter is exact too",
    holds: isFloat,
  },
  { name: "choose the same", from: op("where", "c", "x", "x"), to: "x", because: "whichever is taken is x" },
  {
    name: "choose the first",
    from: op("where", true, "x", "y"),
    to: "x",
    because: "the condition is true everywhere",
  },
  {
    name: "choose the second",
    from: op("where", false, "x", "y"),
    to: "y",
    because: "the condition is false everywhere",
  },
  { name: "larger of itself", from: op("maximum", "x", "x"), to: "x", because: "NaN is kept by both" },
  { name: "smaller of itself", from: op("minimum", "x", "x"), to: "x", because: "NaN is kept by both" },
  { name: "not twice", from: op("not", op("not", "x")), to: "x", because: "bool has two values" },
  { name: "and itself", from: op("and", "x", "x"), to: "x", because: "bool has two values" },
  { name: "or itself", from: op("or", "x", "x"), to: "x", because: "bool has two values" },
  { name: "and true", from: op("and", "x", true), to: "x", because: "true changes nothing" },
  { name: "or false", from: op("or", "x", false), to: "x", because: "false changes nothing" },
];
