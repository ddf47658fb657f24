/** What a condition says about the integers it compares, as forms that are ≤ 0 where it holds. */

import { type Affine, plus, scale, subtract } from "./affine.ts";
import type { Instr } from "./ir.ts";

/** A component of a vec4; 0 for a scalar. */
export type Component = 0 | 1 | 2 | 3;

export const isInteger = (instr: Instr): boolean =>
  instr.type.scalar === "i32" || instr.type.scalar === "u32";

/**
 * Forms ≤ 0 that follow from the condition holding, or from its not holding. Conjunctions give all of theirs,
 * and a disjunction that fails is a conjunction; anything else that is no comparison gives none.
 */
export function inequalitiesOf(
  condition: Instr,
  holds: boolean,
  component: Component,
  form: (instr: Instr, component: Component) => Affine,
): readonly Affine[] {
  const of = (part: Instr, truth: boolean, c: Component = component) => inequalitiesOf(part, truth, c, form);
  if (condition.kind === "splat") return of(condition.arg, holds, 0);
  if (condition.kind === "component") return of(condition.arg, holds, condition.index);
  if (condition.kind === "unary" && condition.op === "not") return of(condition.arg, !holds);
  if (condition.kind !== "binary") return [];
  const { op, a, b } = condition;
  if ((op === "and" && holds) || (op === "or" && !holds)) return [...of(a, holds), ...of(b, holds)];
  if (!isInteger(a)) return [];
  const difference = () => subtract(form(a, component), form(b, component));
  switch (op) {
    case "lt":
      return holds ? [plus(difference(), 1)] : [scale(difference(), -1)];
    case "le":
      return holds ? [difference()] : [plus(scale(difference(), -1), 1)];
    case "eq":
    case "ne":
      return (op === "eq") === holds ? [difference(), scale(difference(), -1)] : [];
    default:
      return [];
  }
}
