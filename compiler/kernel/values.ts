/**
 * All ways to make a value: this file has those that bind variables, and rewriting; elements, indices and the table itself
 * are the classes below it.
 * @module
 */

import { InternalError } from "../errors.ts";
import type { Node } from "../graph/node.ts";
import { ElementValues } from "./element_values.ts";
import {
  identityOf,
  type Prefix,
  type Reduce,
  type ReduceKind,
  unionOfFree,
  type Value,
  type Var,
} from "./value.ts";
import { unknownRange } from "./value_table.ts";

/** Which of WGSL's own functions may stand for an expansion (numerics.ts), because the device was seen to be exact enough. */
export interface Builtins {
  /** Within 3 + |x| ULP; ∞ above the range, 0 below it. */
  readonly exp: boolean;
}

const noBuiltins: Builtins = { exp: false };

function without(free: ReadonlySet<Var>, bound: readonly Var[]): ReadonlySet<Var> {
  if (!bound.some((v) => free.has(v))) return free;
  const rest = new Set(free);
  for (const v of bound) rest.delete(v);
  return rest;
}

/** Makes values, each of them once. */
export class Values extends ElementValues {
  /** @param makers As of a table. */
  constructor(readonly builtins: Builtins = noBuiltins, makers?: Map<Value, Node>) {
    super(makers);
  }

  // ---- binders -------------------------------------------------------------------------------------------------

  /**
   * Binds the first variable of this extent that is not free in the index it is read at. So two reductions of one row
   * at one index bind the same variable, their bodies share nodes, and nothing is captured.
   */
  fresh(extent: number, at: readonly Value[], also: readonly Value[] = []): Value {
    if (extent === 1) return this.int(0);
    const busy = unionOfFree([...at, ...also]);
    for (let slot = 0;; slot++) {
      const v = this.var(extent, slot);
      if (!busy.has(v)) return v;
    }
  }

  /** Reduces `body` over new variables, one per extent; `at` is the index the op is being read at. */
  reduce(
    op: ReduceKind,
    extents: readonly number[],
    at: readonly Value[],
    body: (indices: readonly Value[]) => Value,
  ): Value {
    const vars: Value[] = [];
    for (const extent of extents) vars.push(this.fresh(extent, at, vars));
    return this.reduceOver(op, vars, body(vars));
  }

  /** Reduces over given variables (constants among them stand for axes of size 1). */
  reduceOver(op: ReduceKind, vars: readonly Value[], body: Value): Value {
    const bound = vars.filter((v): v is Var => v.kind === "var");
    const index = op === "argmax" || op === "argmin";
    if (bound.length === 0) return index ? this.int(0) : body;
    if (bound.some((v) => v.extent === 0)) {
      return index ? this.int(0) : this.of(identityOf(op, body.type), body);
    }
    const type = index ? "i32" : body.type;
    const extent = bound.reduce((n, v) => n * v.extent, 1);
    const range = index
      ? { lo: 0, hi: extent - 1 }
      : op === "max" || op === "min"
      ? { lo: body.lo, hi: body.hi }
      : unknownRange;
    const key = `R${op}[${bound.map((v) => v.id)}](${body.id})`;
    return this.intern<Reduce>(key, type, without(body.free, bound), range, {
      kind: "reduce",
      op,
      vars: bound,
      body,
    });
  }

  prefix(
    op: ReduceKind,
    extent: number,
    upTo: Value,
    at: readonly Value[],
    exclusive: boolean,
    body: (i: Value) => Value,
    restart?: (i: Value) => Value,
  ): Value {
    const v = this.fresh(extent, [...at, upTo]);
    const inner = body(v);
    if (restart && exclusive) throw new InternalError("values", "an exclusive sum that restarts");
    if (v.kind !== "var") return exclusive ? this.of(identityOf(op, inner.type), inner) : inner;
    return this.#prefixOver(op, v, inner, upTo, exclusive, restart?.(v));
  }

  #prefixOver(
    op: ReduceKind,
    variable: Var,
    body: Value,
    upTo: Value,
    exclusive: boolean,
    restart: Value | undefined,
  ): Prefix {
    const free = new Set(without(unionOfFree(restart ? [body, restart] : [body]), [variable]));
    for (const v of upTo.free) free.add(v);
    const key = `P${op}${exclusive ? "x" : ""}[${variable.id},${upTo.id}](${body.id},${restart?.id ?? ""})`;
    const rest = { kind: "prefix", op, variable, body, upTo, exclusive, restart } as const;
    return this.intern<Prefix>(key, body.type, free, unknownRange, rest);
  }

  // ---- rewriting -----------------------------------------------------------------------------------------------

  /**
   * Replaces sub-values, rebuilding what is above them through the constructors, so that simplifications fire again.
   * A bound variable that would capture a free one of a replacement is renamed first.
   */
  substitute(value: Value, map: ReadonlyMap<Value, Value>): Value {
    if (map.size === 0) return value;
    const incoming = unionOfFree([...map.values()]);
    // Only values that mention a replaced variable can change, if all that is replaced are variables.
    const onlyVars = [...map.keys()].every((k) => k.kind === "var");
    return this.#rebuild(value, map, onlyVars, incoming, new Map());
  }

  #rebuild(
    value: Value,
    map: ReadonlyMap<Value, Value>,
    onlyVars: boolean,
    incoming: ReadonlySet<Var>,
    memo: Map<Value, Value>,
  ): Value {
    const direct = map.get(value);
    if (direct) return direct;
    if (onlyVars) {
      let touched = false;
      for (const v of value.free) {
        if (map.has(v)) {
          touched = true;
          break;
        }
      }
      if (!touched) return value;
    }
    const known = memo.get(value);
    if (known) return known;
    const out = this.likewise(value, () => this.#rebuilt(value, map, onlyVars, incoming, memo));
    memo.set(value, out);
    return out;
  }

  #rebuilt(
    value: Value,
    map: ReadonlyMap<Value, Value>,
    onlyVars: boolean,
    incoming: ReadonlySet<Var>,
    memo: Map<Value, Value>,
  ): Value {
    const go = (v: Value) => this.#rebuild(v, map, onlyVars, incoming, memo);
    if (value.kind === "reduce" && value.vars.some((v) => map.has(v) || incoming.has(v))) {
      const body = value.body;
      const rename = new Map<Value, Value>();
      const taken: Value[] = [body, ...[...incoming]];
      for (const v of value.vars) {
        const fresh = this.fresh(v.extent, taken);
        rename.set(v, fresh);
        taken.push(fresh);
      }
      return this.reduceOver(value.op, [...rename.values()], go(this.substitute(body, rename)));
    }
    if (value.kind === "prefix" && (map.has(value.variable) || incoming.has(value.variable))) {
      const { op, variable, body, upTo, exclusive, restart } = value;
      const taken = [body, upTo, ...restart ? [restart] : [], ...incoming];
      const fresh = this.fresh(variable.extent, taken) as Var;
      const renamed = (v: Value) => go(this.substitute(v, new Map([[variable, fresh]])));
      return this.#prefixOver(op, fresh, renamed(body), go(upTo), exclusive, restart && renamed(restart));
    }
    return this.#over(value, go);
  }

  /** The same node over other children, made for the same op. */
  map(value: Value, f: (child: Value) => Value): Value {
    return this.likewise(value, () => this.#over(value, f));
  }

  #over(value: Value, f: (child: Value) => Value): Value {
    switch (value.kind) {
      case "const":
      case "param":
      case "var":
        return value;
      case "linear":
        return this.affine(value.terms.map((t) => [f(t.atom), t.coefficient] as const), value.constant);
      case "div":
        return this.idiv(f(value.arg), value.divisor);
      case "mod":
        return this.imod(f(value.arg), value.divisor);
      case "unary":
        return value.op === "not" ? this.not(f(value.arg)) : this.unary(value.op, f(value.arg));
      case "binary": {
        const a = f(value.a);
        const b = f(value.b);
        switch (value.op) {
          case "lt":
          case "le":
          case "eq":
          case "ne":
            return this.compare(value.op, a, b);
          case "and":
            return this.and(a, b);
          case "or":
            return this.or(a, b);
          default:
            return this.binary(value.op, a, b);
        }
      }
      case "select":
        return this.select(f(value.condition), f(value.then), f(value.otherwise));
      case "cast":
        return this.cast(value.type, f(value.arg));
      case "bitcast":
        return this.bitcast(value.type, f(value.arg));
      case "load":
        return this.load(value.buffer, f(value.index));
      case "guard":
        return this.guard(f(value.condition), f(value.value), f(value.otherwise));
      case "reduce":
        return this.reduceOver(value.op, value.vars, f(value.body));
      case "prefix":
        return this.#prefixOver(
          value.op,
          value.variable,
          f(value.body),
          f(value.upTo),
          value.exclusive,
          value.restart && f(value.restart),
        );
    }
  }
}
