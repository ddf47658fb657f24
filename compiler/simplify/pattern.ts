/**
 * The language of rules: terms over ops, with names for what may be anything.
 *
 *     op("mul", "x", 1)      any x times the number 1, wherever the number comes from
 *
 * A number stands for a tensor that is this number everywhere: a constant, or a view of one. Both sides of a rule are in
 * this language, so a rule can be read, printed and tested without running the compiler.
 */

import { CompileError } from "../errors.ts";
import { apply } from "../graph/build.ts";
import type { Tensor } from "../graph/node.ts";
import type { Op } from "../graph/op.ts";
import { opTable } from "../../ops/define_op.ts";
import { full } from "../../ops/leaves.ts";

export type Term = string | number | boolean | Application;

/** An op applied to terms. */
export interface Application {
  readonly op: string;
  readonly args: readonly Term[];
}

export const op = (name: string, ...args: readonly Term[]): Application => ({ op: name, args });

export type Bindings = Map<string, Tensor>;

/** What the names of a term stand for in a tensor, if the tensor is of that form. */
export function match(term: Term, tensor: Tensor, found: Bindings = new Map()): Bindings | undefined {
  if (typeof term === "string") {
    const known = found.get(term);
    if (known) return known.key === tensor.key ? found : undefined;
    return found.set(term, tensor);
  }
  if (typeof term !== "object") return uniformValue(tensor) === Number(term) ? found : undefined;
  const { node } = tensor;
  if (node.op.name !== term.op || node.inputs.length !== term.args.length) return undefined;
  for (const [i, arg] of term.args.entries()) if (!match(arg, node.inputs[i]!, found)) return undefined;
  return found;
}

/** The number that a tensor is everywhere; NaN and −0 are none that a rule can ask for. */
export function uniformValue(tensor: Tensor): number | undefined {
  let { node } = tensor;
  while (node.op.view && node.inputs.length === 1) node = node.inputs[0]!.node;
  if (node.op.name !== "constant" || node.attrs.data.values.length !== 1) return undefined;
  const value: number = node.attrs.data.values[0];
  return Number.isNaN(value) || Object.is(value, -0) ? undefined : value;
}

/** The tensor that a term stands for, in the shape and dtype of the one whose place it takes. */
export function build(term: Term, bindings: Bindings, like: Tensor): Tensor {
  if (typeof term === "string") return bindings.get(term)!;
  if (typeof term === "boolean") return full(like.shape, Number(term), "bool");
  if (typeof term === "number") return full(like.shape, term, like.dtype);
  const definition = opTable.get(term.op) as Op<Record<never, never>>;
  return apply(definition, term.args.map((arg) => build(arg, bindings, like)), {});
}

/**
 * Holds a user's rule to what this language can say.
 *
 * @throws CompileError where an op is unknown or has attributes, of which a term says nothing, or the right side has a name
 * that the left side lacks.
 */
export function checkRule(
  { name, from, to }: { readonly name: string; readonly from: Term; readonly to: Term },
): void {
  const fail = (what: string): never => {
    throw new CompileError(`the rule "${name}": ${what}`);
  };
  const names = (term: Term): string[] => {
    if (typeof term === "string") return [term];
    if (typeof term !== "object") return [];
    const definition = opTable.get(term.op) ?? fail(`there is no op "${term.op}"`);
    if (definition.samples.some(({ attrs }) => Object.keys(attrs).length > 0)) {
      fail(`${term.op} has attributes, which a term can't state; write a pass of your own for it`);
    }
    return term.args.flatMap(names);
  };
  if (typeof from !== "object") fail(`its left side, ${showTerm(from)}, is no op`);
  const known = names(from);
  const unknown = names(to).find((x) => !known.includes(x));
  if (unknown !== undefined) {
    fail(`"${unknown}" stands on the right of ${showTerm(from)} = ${showTerm(to)} and not on the left`);
  }
}

export const showTerm = (term: Term): string =>
  typeof term === "object" ? `${term.op}(${term.args.map(showTerm).join(", ")})` : String(term);
