/**
 * Groups made by hand, and what they mean: values evaluated one element at a time in f64, with plain loops for their
 * reductions.
 */

import assert from "node:assert/strict";
import { emitJavaScript } from "../../../compiler/emit/javascript.ts";
import { interpret } from "../../../compiler/kernel/interpret.ts";
import { verifyKernel } from "../../../compiler/kernel/verify.ts";
import { binaryMeaning, unaryMeaning } from "../../../compiler/kernel/scalar.ts";
import { type BufferRef, type Reader, type Value, type Var } from "../../../compiler/kernel/value.ts";
import { Values } from "../../../compiler/kernel/values.ts";
import {
  isRefusal,
  type LoweredGroup,
  type Root,
  type ScheduledKernel,
} from "../../../compiler/schedule/group.ts";
import { scheduleContraction } from "../../../compiler/schedule/contraction/schedule.ts";
import type { Target } from "../../../compiler/target.ts";

const count = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** The same numbers in each run, in [−1, 1), rounded to f32. */
function randomNumbers(length: number, seed: number): Float32Array {
  let state = seed * 2654435761 + 1 >>> 0;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}

export class Group {
  readonly k = new Values();
  readonly roots: Root[] = [];
  readonly data = new Map<string, Float32Array | Int32Array>();
  /** The inputs as they were: an output may overwrite one. */
  readonly #given = new Map<string, Float32Array | Int32Array>();

  #reader(
    name: string,
    dtype: "f32" | "i32",
    shape: readonly number[],
    strides: readonly number[],
    size: number,
  ): Reader {
    const buffer: BufferRef = { name, dtype, size };
    const at = (index: readonly Value[]) =>
      this.k.load(buffer, this.k.affine(index.map((x, i) => [x, strides[i]!] as const)));
    return { shape, dtype, at };
  }

  /** A dense tensor of random numbers; `order` is how its axes lie in memory, outermost first. */
  input(name: string, shape: readonly number[], order: readonly number[] = shape.map((_, i) => i)): Reader {
    const strides: number[] = [];
    let stride = 1;
    for (const axis of [...order].reverse()) {
      strides[axis] = stride;
      stride *= shape[axis]!;
    }
    const numbers = randomNumbers(stride, this.data.size + 1);
    this.data.set(name, numbers);
    this.#given.set(name, numbers.slice());
    return this.#reader(name, "f32", shape, strides, stride);
  }

  /** A tensor of random indices below a limit. */
  indices(name: string, length: number, limit: number): Reader {
    const numbers = randomNumbers(length, this.data.size + 1);
    this.data.set(name, Int32Array.from(numbers, (x) => Math.floor((x + 1) / 2 * limit)));
    return this.#reader(name, "i32", [length], [1], length);
  }

  output(name: string, shape: readonly number[], value: (at: readonly Value[]) => Value): void {
    const axes = this.k.axes(shape);
    const strides = shape.map((_, i) => count(shape.slice(i + 1)));
    const index = this.k.affine(axes.map((x, i) => [x, strides[i]!] as const));
    const buffer: BufferRef = { name, dtype: "f32", size: count(shape) };
    this.roots.push({ value: value(axes), shape, axes, buffer, index });
    if (!this.data.has(name)) this.data.set(name, new Float32Array(buffer.size).fill(NaN));
  }

  get lowered(): LoweredGroup {
    return { values: this.k, roots: this.roots, label: "test" };
  }

  schedule(target: Target): readonly ScheduledKernel[] {
    const scheduled = scheduleContraction(this.lowered, target);
    assert.ok(!isRefusal(scheduled), isRefusal(scheduled) ? scheduled.refused : "");
    return scheduled as readonly ScheduledKernel[];
  }

  refusal(target: Target): string {
    const scheduled = scheduleContraction(this.lowered, target);
    assert.ok(isRefusal(scheduled));
    return scheduled.refused;
  }

  /** Runs the kernels on the data. */
  run(kernels: readonly ScheduledKernel[], target: Target, verified = true): void {
    const memory = new Map(this.data);
    for (const { kernel, buffers, params, scratch } of kernels) {
      for (const s of scratch) memory.set(s.name, new Float32Array(s.size).fill(NaN));
      if (verified) verifyKernel(kernel, target.limits);
      const views = buffers.map((ref) => memory.get(ref.name)!);
      const named = Object.fromEntries(kernel.params.map((p, i) => [p.name, params[i]!]));
      interpret(kernel, views, named);
      assert.ok(emitJavaScript(kernel).length > 0);
    }
  }

  /** Every output element against its value in f64; sums of n terms may differ by n roundings. */
  compare(every = 1): void {
    for (const root of this.roots) {
      const got = this.data.get(root.buffer.name)!;
      const meaning = new Meaning(new Map([...this.data, ...this.#given]));
      forEachIndex(root, every, (env) => {
        const at = meaning.of(root.index, env);
        const want = meaning.of(root.value, env);
        const error = Math.abs(got[at]! - want);
        assert.ok(
          error <= 2e-5 * (1 + Math.abs(want)) + 1e-5,
          `${root.buffer.name}[${at}] = ${got[at]}, not ${want}`,
        );
      });
    }
  }

  /** A few hundred elements of large results. */
  spotCheck(): void {
    // A prime, so that all rows and columns are met.
    this.compare(1009);
  }

  check(target: Target, verified = true): readonly ScheduledKernel[] {
    const kernels = this.schedule(target);
    this.run(kernels, target, verified);
    this.compare();
    return kernels;
  }
}

function forEachIndex(root: Root, every: number, visit: (env: Map<Value, number>) => void): void {
  const vars = root.axes.filter((a): a is Var => a.kind === "var");
  const total = count(vars.map((v) => v.extent));
  for (let i = 0; i < total; i += every) {
    const env = new Map<Value, number>();
    let rest = i;
    for (const v of [...vars].reverse()) {
      env.set(v, rest % v.extent);
      rest = Math.floor(rest / v.extent);
    }
    visit(env);
  }
}

/** What a value is, in f64. */
class Meaning {
  constructor(readonly data: ReadonlyMap<string, Float32Array | Int32Array>) {}

  of(value: Value, env: Map<Value, number>): number {
    const go = (v: Value) => this.of(v, env);
    switch (value.kind) {
      case "const":
      case "param":
        return value.value;
      case "var":
        return env.get(value)!;
      case "linear":
        return value.terms.reduce((n, t) => n + t.coefficient * go(t.atom), value.constant);
      case "div":
        return Math.floor(go(value.arg) / value.divisor);
      case "mod":
        return go(value.arg) - value.divisor * Math.floor(go(value.arg) / value.divisor);
      case "unary":
        return exact1[value.op]?.(go(value.arg)) ?? unaryMeaning[value.op][value.arg.type]!(go(value.arg));
      case "binary":
        return exact2[value.op]?.(go(value.a), go(value.b)) ??
          binaryMeaning[value.op][value.a.type]!(go(value.a), go(value.b));
      case "select":
        return go(value.condition) ? go(value.then) : go(value.otherwise);
      case "guard":
        return go(value.condition) ? go(value.value) : go(value.otherwise);
      case "cast":
      case "bitcast":
        return go(value.arg);
      case "load": {
        const at = go(value.index);
        const x = this.data.get(value.buffer.name)![at];
        assert.ok(x !== undefined, `${value.buffer.name}[${at}]`);
        return x;
      }
      case "reduce": {
        let total = value.op === "sum" ? 0 : -Infinity;
        const nest = (i: number): void => {
          const v = value.vars[i];
          if (!v) {
            const x = this.of(value.body, env);
            total = value.op === "sum" ? total + x : Math.max(total, x);
            return;
          }
          for (let n = 0; n < v.extent; n++) {
            env.set(v, n);
            nest(i + 1);
          }
        };
        nest(0);
        return total;
      }
      case "prefix":
        throw new Error("no running sums here");
    }
  }
}

const exact1: { readonly [op: string]: (x: number) => number } = {
  exp: Math.exp,
  tanh: Math.tanh,
  neg: (x) => -x,
};
const exact2: { readonly [op: string]: (a: number, b: number) => number } = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
};

export type Order = "normal" | "transposed";
const layout = (order: Order): readonly number[] => order === "normal" ? [0, 1] : [1, 0];

/** y = a · b, with what a group may put before and behind it. */
export function matmul(
  [M, K, N]: readonly [number, number, number],
  { a = "normal", b = "normal", y = "normal" }: { a?: Order; b?: Order; y?: Order } = {},
): Group {
  const g = new Group();
  const left = g.input("a", [M, K], layout(a));
  const right = g.input("b", [K, N], layout(b));
  const product = (m: Value, n: Value) =>
    g.k.reduce("sum", [K], [m, n], ([i]) => g.k.mul(left.at([m, i!]), right.at([i!, n])));
  if (y === "normal") g.output("y", [M, N], ([m, n]) => product(m!, n!));
  else g.output("y", [N, M], ([n, m]) => product(m!, n!));
  return g;
}
