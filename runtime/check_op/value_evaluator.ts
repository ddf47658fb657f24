/**
 * Evaluates values directly: f32 rounding at each step, reductions as loops in row-major order, loads from arrays.
 *
 * So an op's lowering is tested before, and apart from, any schedule. One call evaluates all output positions at once, a
 * node at a time; a node is evaluated once per binding of the variables it mentions.
 * @module
 */

import { binaryMeaning, bitcastMeaning, castMeaning, unaryMeaning } from "../../compiler/kernel/scalar.ts";
import { identityOf } from "../../compiler/kernel/reducers.ts";
import type { Prefix, Reduce, ReduceKind, Value, ValueType, Var } from "../../compiler/kernel/value.ts";

/** One number per output position. */
export type Lanes = Float64Array;

/** What a load outside its buffer gives: conspicuous, and irrelevant only where a guard says so. */
const outside = 123456.789;

interface Scope {
  readonly vars: ReadonlySet<Var>;
  readonly memo: Map<Value, Lanes>;
}

/** What has been asked for at all positions. */
export class ValueEvaluator {
  readonly #scopes: Scope[] = [];

  /**
   * @param lanes Number of output positions.
   * @param bindings Variables of the outputs, one number per position each.
   * @param buffers Contents by buffer name.
   * @param fused Whether a product that is added to something is rounded only with the sum, as drivers may do.
   */
  constructor(
    readonly lanes: number,
    bindings: ReadonlyMap<Var, ArrayLike<number>>,
    readonly buffers: ReadonlyMap<string, ArrayLike<number>>,
    readonly fused = false,
  ) {
    const memo = new Map<Value, Lanes>();
    for (const [v, at] of bindings) memo.set(v, Float64Array.from(at));
    this.#scopes.push({ vars: new Set(bindings.keys()), memo });
  }

  of(value: Value): Lanes {
    const { memo } = this.#scopeOf(value);
    let out = memo.get(value);
    if (!out) memo.set(value, out = this.#compute(value));
    return out;
  }

  /** The innermost scope that binds a variable of the value: what it computes is good for as long as that. */
  #scopeOf(value: Value): Scope {
    for (let i = this.#scopes.length - 1; i > 0; i--) {
      const scope = this.#scopes[i]!;
      for (const v of value.free) if (scope.vars.has(v)) return scope;
    }
    return this.#scopes[0]!;
  }

  #map(f: (lane: number) => number): Lanes {
    const out = new Float64Array(this.lanes);
    for (let lane = 0; lane < out.length; lane++) out[lane] = f(lane);
    return out;
  }

  #compute(value: Value): Lanes {
    switch (value.kind) {
      case "const":
      case "param":
        return new Float64Array(this.lanes).fill(value.value);
      case "var":
        throw new Error(`variable of extent ${value.extent}, slot ${value.slot}, is not bound`);
      case "linear": {
        const terms = value.terms.map((t) => [this.of(t.atom), t.coefficient] as const);
        return this.#map((i) => terms.reduce((sum, [x, c]) => sum + x[i]! * c, value.constant));
      }
      case "div":
      case "mod": {
        const x = this.of(value.arg);
        const { kind, divisor } = value;
        return this.#map((i) => {
          const q = Math.floor(x[i]! / divisor);
          return kind === "div" ? q : x[i]! - q * divisor;
        });
      }
      case "unary": {
        const x = this.of(value.arg);
        const f = defined(unaryMeaning[value.op][value.arg.type], value.op, value.arg.type);
        return this.#map((i) => f(x[i]!));
      }
      case "binary": {
        if (this.fused && value.type === "f32" && (value.op === "add" || value.op === "sub")) {
          const a = this.#exact(value.a);
          const b = this.#exact(value.b);
          return this.#map((i) => Math.fround(value.op === "add" ? a[i]! + b[i]! : a[i]! - b[i]!));
        }
        const a = this.of(value.a);
        const b = this.of(value.b);
        const f = defined(binaryMeaning[value.op][value.a.type], value.op, value.a.type);
        return this.#map((i) => f(a[i]!, b[i]!));
      }
      case "select": {
        const [c, a, b] = [this.of(value.condition), this.of(value.then), this.of(value.otherwise)];
        return this.#map((i) => c[i] ? a[i]! : b[i]!);
      }
      case "guard": {
        const [c, a, b] = [this.of(value.condition), this.of(value.value), this.of(value.otherwise)];
        return this.#map((i) => c[i] ? a[i]! : b[i]!);
      }
      case "cast": {
        const x = this.of(value.arg);
        return this.#map((i) => castMeaning(value.arg.type, value.type, x[i]!));
      }
      case "bitcast": {
        const x = this.of(value.arg);
        return this.#map((i) => bitcastMeaning(value.arg.type, value.type, x[i]!));
      }
      case "load": {
        const index = this.of(value.index);
        const data = this.buffers.get(value.buffer.name);
        if (!data) throw new Error(`no contents for the buffer "${value.buffer.name}"`);
        return this.#map((i) => data[index[i]!] ?? outside);
      }
      case "reduce":
        return this.#reduce(value);
      case "prefix":
        return this.#prefix(value);
    }
  }

  /** A product without its rounding (48 bits fit in f64), anything else as it is. */
  #exact(value: Value): Lanes {
    if (value.kind !== "binary" || value.op !== "mul") return this.of(value);
    const a = this.of(value.a);
    const b = this.of(value.b);
    return this.#map((i) => a[i]! * b[i]!);
  }

  #reduce(value: Reduce): Lanes {
    const type = value.body.type;
    const acc = new Float64Array(this.lanes).fill(identityOf(value.op, type));
    const places = new Float64Array(this.lanes);
    const step = stepOf(value.op, type);
    let place = 0;
    this.#forEach(value.vars, () => {
      const x = this.of(value.body);
      for (let lane = 0; lane < acc.length; lane++) {
        const next = step(acc[lane]!, x[lane]!);
        if (!Object.is(next, acc[lane])) places[lane] = place;
        acc[lane] = next;
      }
      place++;
    });
    return value.op === "argmax" || value.op === "argmin" ? places : acc;
  }

  #prefix(value: Prefix): Lanes {
    const type = value.body.type;
    const acc = new Float64Array(this.lanes).fill(identityOf(value.op, type));
    const step = stepOf(value.op, type);
    const upTo = this.of(value.upTo);
    let place = 0;
    this.#forEach([value.variable], () => {
      const x = this.of(value.body);
      const restart = value.restart && this.of(value.restart);
      for (let lane = 0; lane < acc.length; lane++) {
        if (restart?.[lane] && place <= upTo[lane]!) acc[lane] = identityOf(value.op, type);
        if (place < upTo[lane]! || (place === upTo[lane] && !value.exclusive)) {
          acc[lane] = step(acc[lane]!, x[lane]!);
        }
      }
      place++;
    });
    return acc;
  }

  /** Runs `body` for every combination of the variables, the last one fastest. */
  #forEach(vars: readonly Var[], body: () => void): void {
    const total = vars.reduce((n, v) => n * v.extent, 1);
    const names = new Set(vars);
    for (let place = 0; place < total; place++) {
      const memo = new Map<Value, Lanes>();
      let rest = place;
      for (const v of vars.toReversed()) {
        memo.set(v, new Float64Array(this.lanes).fill(rest % v.extent));
        rest = Math.floor(rest / v.extent);
      }
      this.#scopes.push({ vars: names, memo });
      try {
        body();
      } finally {
        this.#scopes.pop();
      }
    }
  }
}

function defined<F>(f: F | undefined, op: string, type: ValueType): F {
  if (!f) throw new Error(`${op} is not defined for ${type}`);
  return f;
}

/** What one more element does. NaN passes through `max` and `min`; the fast forms lose it, as targets may. */
function stepOf(op: ReduceKind, type: ValueType): (acc: number, x: number) => number {
  switch (op) {
    case "sum":
      return defined(binaryMeaning.add[type], op, type);
    case "prod":
      return defined(binaryMeaning.mul[type], op, type);
    case "max":
    case "argmax":
      return (acc, x) => Number.isNaN(acc) ? acc : Number.isNaN(x) || x > acc ? x : acc;
    case "min":
    case "argmin":
      return (acc, x) => Number.isNaN(acc) ? acc : Number.isNaN(x) || x < acc ? x : acc;
    case "maxFast":
      return (acc, x) => x > acc ? x : acc;
    case "minFast":
      return (acc, x) => x < acc ? x : acc;
  }
}
