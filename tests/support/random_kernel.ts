/**
 * Random kernels that obey every rule of kernel IR, with buffers to run them on.
 *
 * A kernel is read off a *tape* of numbers, which fast-check makes and shrinks: whatever the numbers are, the kernel is
 * valid, and where the tape ends all choices are 0. With `exact` every f32 is a small whole number, so that all ways of
 * rounding, fusing and flushing agree and a GPU's result must equal the interpreter's to the bit.
 */

import { IrBuilder } from "../../compiler/kernel/build.ts";
import type { ArrayDecl, CombineOp, Instr, Kernel } from "../../compiler/kernel/ir.ts";
import { wide } from "../../compiler/kernel/ir.ts";
import type { HostView } from "../../compiler/kernel/interpret.ts";
import type { BinaryOp, BufferRef, UnaryOp, ValueType } from "../../compiler/kernel/value.ts";
import type { DType } from "../../compiler/graph/dtype.ts";

export interface RandomKernel {
  readonly kernel: Kernel;
  /** Fresh buffers in the order of the kernel's. */
  buffers(): HostView[];
  readonly params: Readonly<Record<string, number>>;
}

export interface RandomOptions {
  readonly exact: boolean;
  /** Whether there are values of f16 as well, which not every device can have. */
  readonly halves?: boolean;
}

const isFloat = (scalar: ValueType): boolean => scalar === "f32" || scalar === "f16";
const inputSize = 64;

const unaryOps: { readonly [T in ValueType]: readonly UnaryOp[] } = {
  f32: [
    "neg",
    "abs",
    "floor",
    "ceil",
    "round",
    "trunc",
    "sqrt",
    "exp",
    "log",
    "tanh",
    "sin",
    "inverseSqrt",
    "exp2",
  ],
  f16: ["neg", "abs", "floor", "ceil", "round", "trunc"],
  i32: ["neg", "abs", "bitNot"],
  u32: ["bitNot", "abs"],
  bool: ["not"],
};
const exactUnaryOps: readonly UnaryOp[] = ["neg", "abs", "floor", "round", "trunc"];
const integerOps: readonly BinaryOp[] = [
  "add",
  "sub",
  "mul",
  "div",
  "rem",
  "max",
  "min",
  "and",
  "or",
  "xor",
  "shl",
  "shr",
];
const binaryOps: { readonly [T in ValueType]: readonly BinaryOp[] } = {
  f32: ["add", "sub", "mul", "max", "min", "div", "rem"],
  f16: ["add", "sub", "mul", "max", "min"],
  i32: integerOps,
  u32: integerOps,
  bool: ["and", "or", "xor"],
};
const comparisons: readonly BinaryOp[] = ["lt", "le", "eq", "ne"];

/** A buffer in device form. */
export function deviceArray(dtype: DType, size: number): HostView {
  switch (dtype) {
    case "f32":
      return new Float32Array(size);
    case "f16":
      return new Float16Array(size);
    case "i32":
      return new Int32Array(size);
    case "u32":
    case "bool":
      return new Uint32Array(size);
  }
}

/** Reads a kernel off a tape. */
export function randomKernel(tape: readonly number[], options: RandomOptions): RandomKernel {
  return new Generator(tape, options).run();
}

class Generator {
  readonly #tape: readonly number[];
  readonly #exact: boolean;
  readonly #scalars: readonly ValueType[];
  readonly #b: IrBuilder;
  readonly #groups: number;
  readonly #lanes: number;
  readonly #inputs: { readonly [D in DType]: BufferRef };
  readonly #lists: { array: ArrayDecl; set: boolean }[] = [];
  #at = 0;
  /** Values in scope. */
  #pool: Instr[] = [];

  constructor(tape: readonly number[], { exact, halves = false }: RandomOptions) {
    this.#tape = tape;
    this.#exact = exact;
    this.#scalars = ["f32", "i32", "u32", "bool", ...halves ? ["f16" as const] : []];
    this.#lanes = this.#choose([8, 1, 2, 16, 4]);
    this.#groups = 1 + this.#next(3);
    this.#b = new IrBuilder(this.#lanes);
    const input = (dtype: DType): BufferRef => ({ name: `in_${dtype}`, dtype, size: inputSize });
    this.#inputs = {
      f32: input("f32"),
      f16: input("f16"),
      i32: input("i32"),
      u32: input("u32"),
      bool: input("bool"),
    };
  }

  #next(below: number): number {
    return (this.#tape[this.#at++] ?? 0) % below;
  }
  #choose<T>(items: readonly T[]): T {
    return items[this.#next(items.length)]!;
  }

  run(): RandomKernel {
    const b = this.#b;
    b.uniform(() => this.#seed(false));
    const uniforms = this.#pool;
    for (const scalar of this.#scalars) {
      for (const [space, dynamic] of [["lane", false], ["lane", true], ["shared", true]] as const) {
        const width = this.#choose([1, 4] as const);
        const length = space === "shared" ? this.#lanes : 2;
        this.#lists.push({ array: b.array(space, wide(scalar, width), length, dynamic), set: false });
      }
    }
    this.#phase(uniforms, () => this.#initialize());
    const rounds = 1 + this.#next(2);
    for (let round = 0; round < rounds; round++) {
      this.#phase(uniforms, () => this.#statements(4, 2));
      if (this.#next(2) === 0) this.#combine();
      // What shared arrays hold changes in a phase of its own: reading a neighbor's element would be a race.
      this.#phase(uniforms, () => this.#share());
      if (this.#next(3) === 0) {
        b.loop(b.int(0), b.int(1 + this.#next(3)), 1, (v) => {
          this.#phase([...uniforms, v], () => this.#statements(3, 1));
          this.#phase(uniforms, () => this.#share());
        });
      }
    }
    this.#phase(uniforms, () => {
      this.#statements(3, 1);
      this.#finish();
    });
    const { kernel, buffers, params } = b.finish(this.#groups);
    const values = Object.fromEntries(kernel.params.map(({ name }, i) => [name, params[i]!]));
    return { kernel, params: values, buffers: () => buffers.map((ref) => this.#contents(ref)) };
  }

  #contents({ name, dtype, size }: BufferRef): HostView {
    const view = deviceArray(dtype, size);
    if (!name.startsWith("in_")) return view;
    for (let i = 0; i < size; i++) {
      const noise = (i * 2654435761) >>> 0;
      if (dtype === "bool") view[i] = noise >>> 31;
      else if (dtype === "f32" || dtype === "f16") {
        view[i] = this.#exact ? (noise >>> 28) - 8 : (noise / 2 ** 28) - 8;
      } else view[i] = i % 5 === 0 ? [0, 1, -1, 2147483647, -2147483648][(i / 5) % 5]! : noise >>> (i % 31);
    }
    return view;
  }

  #phase(initial: readonly Instr[], body: () => void): void {
    this.#b.phase(() => {
      this.#pool = [...initial];
      this.#seed(true);
      body();
    });
    this.#pool = [];
  }

  /** Literals, builtins and a parameter of each kind. */
  #seed(lane: boolean): void {
    const b = this.#b;
    this.#pool.push(
      b.group,
      b.param("count", "i32", this.#lanes, 0, 100),
      b.param("rate", "f32", 3, 0, 10),
      b.param("bits", "u32", 12345, 0, 2 ** 32 - 1),
      b.literal("f32", this.#choose(this.#exact ? [1, -2, 5] : [1, -2.5, 0.1, Infinity, NaN, -0, 3.4e38])),
      b.literal("i32", this.#choose([1, -1, 2147483647, -2147483648, 7])),
      b.literal("u32", this.#choose([1, 4294967295, 8])),
      b.literal("bool", this.#next(2)),
    );
    if (this.#scalars.includes("f16")) {
      this.#pool.push(
        b.literal("f16", this.#choose(this.#exact ? [1, -2, 5] : [1, -2.5, 0.1, Infinity, 65504])),
      );
    }
    if (lane) this.#pool.push(b.lane);
    this.#pool.push(b.binary("mul", b.group, b.int(3)));
  }

  #pick(scalar: ValueType, width: 1 | 4): Instr {
    const fitting = this.#pool.filter(({ type }) => type.scalar === scalar && type.width === width);
    if (fitting.length > 0) return fitting[fitting.length - 1 - this.#next(fitting.length)]!;
    const scalars = this.#pool.filter(({ type }) => type.scalar === scalar && type.width === 1);
    return this.#b.widen(scalars[this.#next(scalars.length)]!, width);
  }

  /** An index below a power of two, or of a vec4 in as many elements. */
  #index(size: number, width: 1 | 4): Instr {
    const b = this.#b;
    const any = b.binary("and", this.#pick("i32", 1), b.int(size / width - 1));
    return width === 1 ? any : b.binary("shl", any, b.int(2));
  }

  /** Keeps an exact float a whole number so small that a product of two is one too; others are fine as they are. */
  #tame(x: Instr): Instr {
    const { scalar, width } = x.type;
    if (!this.#exact || !isFloat(scalar)) return x;
    const b = this.#b;
    const bound = b.widen(b.literal(scalar, scalar === "f16" ? 40 : 1000), width);
    return b.select(b.binary("lt", b.unary("abs", x), bound), x, b.widen(b.literal(scalar, 3), width));
  }

  /** A load of a type: memory has no values of f16, but halves that are f32 once they are loaded. */
  #load(scalar: ValueType, index: Instr, width: 1 | 4, again = false): Instr {
    return this.#b.cast(scalar, this.#b.load(this.#inputs[scalar], index, width, again));
  }

  #grow(): void {
    const b = this.#b;
    const scalar = this.#choose(this.#scalars);
    const width = this.#choose([1, 4] as const);
    const made = ((): Instr => {
      switch (this.#next(9)) {
        case 0:
          return b.unary(
            this.#choose(this.#exact && scalar === "f32" ? exactUnaryOps : unaryOps[scalar]),
            this.#pick(scalar, width),
          );
        case 1:
        case 2: {
          const ops = binaryOps[scalar].slice(0, this.#exact && scalar === "f32" ? 5 : undefined);
          return this.#tame(
            b.binary(this.#choose(ops), this.#pick(scalar, width), this.#pick(scalar, width)),
          );
        }
        case 3: {
          const op = this.#choose(scalar === "bool" ? comparisons.slice(2) : comparisons);
          return b.binary(op, this.#pick(scalar, width), this.#pick(scalar, width));
        }
        case 4:
          return b.select(this.#pick("bool", width), this.#pick(scalar, width), this.#pick(scalar, width));
        case 5: {
          const from = this.#choose(this.#scalars);
          // A float outside an integer's range is for the driver to decide.
          if (isFloat(from) && (scalar === "i32" || scalar === "u32") && !this.#exact) {
            return this.#pick(scalar, width);
          }
          const arg = this.#pick(from, width);
          return this.#tame(b.cast(scalar, scalar === "u32" && isFloat(from) ? b.unary("abs", arg) : arg));
        }
        case 6: {
          const dtype = scalar === "f32" && this.#next(2) === 1 ? "f16" : scalar;
          const load = this.#load(dtype, this.#index(inputSize, width), width, true);
          return b.cast(scalar, load);
        }
        case 7: {
          if (width === 1) return b.component(this.#pick(scalar, 4), this.#choose([0, 1, 2, 3] as const));
          const part = () => this.#pick(scalar, 1);
          return b.construct([part(), part(), part(), part()]);
        }
        default:
          return scalar === "i32" ? b.bitcast("u32", this.#pick("i32", width)) : this.#read(scalar, width);
      }
    })();
    this.#pool.push(made);
  }

  #read(scalar: ValueType, width: 1 | 4): Instr {
    const fitting = this.#lists.filter(({ array, set }) =>
      set && array.type.scalar === scalar && array.type.width === width
    );
    if (fitting.length === 0) return this.#pick(scalar, width);
    const { array } = this.#choose(fitting);
    const index = array.space === "lane" && !array.dynamic
      ? this.#b.int(this.#next(array.length))
      : array.length === 1
      ? this.#b.int(0)
      : this.#index(array.length, 1);
    return this.#b.read(array, index);
  }

  /** Computes `count` values, and now and then sets a lane array, branches, or loops. */
  #statements(count: number, depth: number): void {
    const b = this.#b;
    const scoped = (body: () => void) => () => {
      const outer = this.#pool;
      this.#pool = [...outer];
      body();
      this.#pool = outer;
    };
    const nested = scoped(() => this.#statements(2, depth - 1));
    for (let i = 0; i < count; i++) {
      for (let k = this.#next(3); k >= 0; k--) this.#grow();
      const own = this.#lists.filter(({ array, set }) => set && array.space === "lane");
      if (own.length > 0) {
        const { array } = this.#choose(own);
        const value = this.#pick(array.type.scalar, array.type.width);
        b.set(array, array.dynamic ? this.#index(array.length, 1) : this.#next(array.length), value);
      }
      if (depth === 0) continue;
      const branch = this.#next(5);
      if (branch === 1) b.if(this.#pick("bool", 1), nested, this.#next(2) === 0 ? nested : undefined);
      if (branch === 2) {
        const to = this.#next(2) === 0 ? b.int(3) : b.binary("and", this.#pick("i32", 1), b.int(3));
        b.for(b.int(0), to, 1 + this.#next(2), (v) =>
          scoped(() => {
            this.#pool.push(v);
            this.#statements(2, depth - 1);
          })());
      }
    }
  }

  #initialize(): void {
    const b = this.#b;
    for (const list of this.#lists) {
      const { array } = list;
      const { scalar, width } = array.type;
      if (array.space === "shared") {
        b.set(array, b.lane, this.#load(scalar, b.mul(b.lane, width), width));
      } else {for (let i = 0; i < array.length; i++) {
          b.set(
            array,
            i,
            this.#load(scalar, b.add(b.mul(b.lane, width === 4 ? 0 : 1), 4 * i), width),
          );
        }}
      list.set = true;
    }
  }

  #share(): void {
    const b = this.#b;
    const shared = this.#lists.filter(({ array }) => array.space === "shared");
    const { array } = this.#choose(shared);
    const own = this.#lists.find(({ array: { space, type } }) =>
      space === "lane" && type.scalar === array.type.scalar && type.width === array.type.width
    );
    const value = own ? b.read(own.array, 1) : this.#pick(array.type.scalar, array.type.width);
    b.set(array, b.lane, value);
  }

  #combine(): void {
    const own = this.#lists.filter(({ array: { space, dynamic, type } }) =>
      space === "lane" && !dynamic && type.scalar !== "bool"
    );
    const { array } = this.#choose(own);
    const ops: readonly CombineOp[] = this.#exact ? ["max", "min", "maxFast"] : ["sum", "max", "min", "prod"];
    this.#b.combine(this.#choose(ops), [array], this.#choose([this.#lanes, Math.max(1, this.#lanes / 2)]));
  }

  /** Stores the newest value of each type where no other lane stores. */
  #finish(): void {
    const b = this.#b;
    const slots = this.#groups * this.#lanes;
    const slot = b.add(b.mul(b.group, this.#lanes), b.lane);
    const output = (dtype: DType, value: Instr) => {
      const ref: BufferRef = {
        name: `out_${dtype}${value.type.width}`,
        dtype,
        size: slots * value.type.width,
      };
      b.store(ref, b.mul(slot, value.type.width), value);
    };
    // Three outputs and five inputs are what a device's default limits allow.
    const float = this.#scalars.includes("f16") ? this.#choose(["f16", "f32"] as const) : "f32";
    const value = b.cast("f32", this.#pick(float, this.#choose([1, 4] as const)));
    output(this.#choose(["f32", "f16"] as const), value);
    const scalar = this.#choose(["i32", "u32"] as const);
    output(scalar, this.#pick(scalar, this.#choose([1, 4] as const)));
    output("bool", this.#pick("bool", this.#choose([1, 4] as const)));
  }
}
