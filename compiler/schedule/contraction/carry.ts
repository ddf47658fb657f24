/**
 * Carrying from one turn of a loop to the next: a value that the next turn would load again is kept in a register.
 *
 * Which those are is read off the values: where one value, with the loop's variable one further, is another of them, the
 * next turn finds the one where this turn has the other.
 */

import type { ArrayDecl, Instr } from "../../kernel/ir.ts";
import { wide } from "../../kernel/ir.ts";
import type { Evaluator } from "../../kernel/lower.ts";
import type { Value, Var } from "../../kernel/value.ts";

export interface Carry {
  /** Runs the body of a turn, with the loop's variable bound to its counter. */
  turn(body: () => void): void;
}

/**
 * Loads, where the cursor stands, what the first turn finds carried.
 *
 * @param values What each turn evaluates, by fours along `component`.
 * @param variable The loop's variable, from 0 in steps of 1.
 */
export function carryOf(
  ev: Evaluator,
  values: readonly Value[],
  variable: Var,
  component: Var,
): Carry | undefined {
  const { b, k } = ev;
  const places = new Map(values.map((value, i) => [value, i]));
  const next = new Map<Value, Value>([[variable, k.iadd(variable, 1)]]);
  /** By the place of what the next turn carries on, the place of what it is now. */
  const sources = new Map<number, number>();
  values.forEach((value, i) => {
    const source = places.get(k.substitute(value, next));
    if (source !== undefined && source !== i) sources.set(i, source);
  });
  if (sources.size === 0) return undefined;
  const kept = new Map([...sources.keys()].map((i): [number, ArrayDecl] => [
    i,
    b.array("lane", wide(values[i]!.type, 4), 1),
  ]));
  ev.with([[variable, b.int(0)]], () => {
    for (const [i, array] of kept) b.set(array, 0, ev.eval(values[i]!, 4, component));
  });
  return {
    turn(body) {
      const now = values.map((value, i): Instr => {
        const array = kept.get(i);
        return array ? b.read(array, 0) : ev.eval(value, 4, component);
      });
      ev.with(values.map((value, i) => [value, now[i]!] as const), body);
      for (const [i, array] of kept) b.set(array, 0, now[sources.get(i)!]!);
    },
  };
}
