/**
 * Writes kernel IR: a cursor over nested blocks and statement lists.
 *
 * Equal instructions in scope are one instruction, and integer arithmetic on literals is done here, so that schedules
 * may ask for what they need wherever they need it. What is remembered dies with the list it stands in. Buffers and
 * parameters are renamed `b0`, `p0`, … in order of first use: two kernels that do the same are the same text.
 */

import { InternalError } from "../errors.ts";
import type { Node } from "../graph/node.ts";
import { foldIntegers } from "./fold.ts";
import type {
  Access,
  ArrayDecl,
  Block,
  BufferDecl,
  CombineOp,
  Computed,
  Instr,
  IrType,
  Kernel,
  Let,
  LoopVar,
  ParamDecl,
  Statement,
} from "./ir.ts";
import { i32, literal, wide } from "./ir.ts";
import { type BinaryOp, type BufferRef, type UnaryOp, type ValueType, valueType } from "./value.ts";

/** What a list of blocks or statements has made so far. */
class Scope {
  readonly known = new Map<string, Instr>();
  constructor(
    readonly parent: Scope | undefined,
    readonly list: Block[] | Statement[] | Let[],
    readonly phase: boolean,
  ) {}
}

export interface BuiltKernel {
  readonly kernel: Kernel;
  /** What each of the kernel's buffers stands for, in binding order. */
  readonly buffers: readonly BufferRef[];
  /** The value of each of the kernel's parameters in this use. */
  readonly params: readonly number[];
  /** The op that a statement was written for, where the values were kept account of (`Values.makers`). */
  readonly serves?: ReadonlyMap<Statement, Node>;
}

export class IrBuilder {
  readonly #body: Block[] = [];
  #scope: Scope = new Scope(undefined, this.#body, false);
  readonly #ids = new Map<Instr, number>();
  readonly #params = new Map<string, { decl: ParamDecl; value: number }>();
  readonly #buffers = new Map<
    string,
    { ref: BufferRef; decl: { -readonly [K in keyof BufferDecl]: BufferDecl[K] } }
  >();
  readonly #arrays: ArrayDecl[] = [];
  readonly #serves = new Map<Statement, Node>();
  #server: Node | undefined;
  #loops = 0;
  #statements = 0;

  constructor(readonly lanes: number) {}

  /** Statements so far, for schedules that unroll up to a limit. */
  get statements(): number {
    return this.#statements;
  }

  // ---- blocks -------------------------------------------------------------------------------------------------

  #nest<L extends Block[] | Statement[] | Let[]>(list: L, phase: boolean, f: () => void): L {
    const outer = this.#scope;
    this.#scope = new Scope(outer, list, phase);
    try {
      f();
    } finally {
      this.#scope = outer;
    }
    return list;
  }

  #inBlocks(what: string): Block[] {
    if (this.#scope.phase) throw new InternalError("kernel", `${what} inside a phase`);
    return this.#scope.list as Block[];
  }

  #inPhase(what: string): Statement[] {
    if (!this.#scope.phase) throw new InternalError("kernel", `${what} outside a phase`);
    return this.#scope.list as Statement[];
  }

  phase(f: () => void): void {
    const blocks = this.#inBlocks("a phase");
    const body = this.#nest<Statement[]>([], true, f);
    if (body.length > 0) blocks.push({ kind: "phase", body });
  }

  /** Instructions made by `f` are computed once per workgroup and stay known for the rest of the enclosing list. */
  uniform<T>(f: () => T): T {
    const blocks = this.#inBlocks("uniform values");
    const outer = this.#scope;
    const lets: Let[] = [];
    const inner = new Scope(outer, lets, true);
    this.#scope = inner;
    let result: T;
    try {
      result = f();
    } finally {
      this.#scope = outer;
    }
    if (lets.length > 0) blocks.push({ kind: "uniform", lets });
    for (const [key, instr] of inner.known) outer.known.set(key, instr);
    return result;
  }

  loop(from: Instr, to: Instr, step: number, f: (v: LoopVar) => void): void {
    const blocks = this.#inBlocks("a loop of phases");
    const variable = this.#loopVar();
    const body = this.#nest<Block[]>([], false, () => f(variable));
    if (body.length > 0) blocks.push({ kind: "loop", variable, from, to, step, body });
  }

  combine(op: CombineOp, arrays: readonly ArrayDecl[], across: number): void {
    if (across > 1) this.#inBlocks("a combination").push({ kind: "combine", op, arrays, across });
  }

  #loopVar(): LoopVar {
    return { kind: "loop", type: i32, name: `i${this.#loops++}` };
  }

  // ---- statements ---------------------------------------------------------------------------------------------

  /** Runs `f`, whose statements are written for an op. */
  serving<T>(op: Node, f: () => T): T {
    const outer = this.#server;
    this.#server = op;
    const result = f();
    this.#server = outer;
    return result;
  }

  #write(list: Statement[], statement: Statement): void {
    list.push(statement);
    if (this.#server) this.#serves.set(statement, this.#server);
  }

  for(from: Instr, to: Instr, step: number, f: (v: LoopVar) => void): void {
    const statements = this.#inPhase("a loop");
    const variable = this.#loopVar();
    const body = this.#nest<Statement[]>([], true, () => f(variable));
    if (body.length > 0) this.#write(statements, { kind: "for", variable, from, to, step, body });
  }

  if(condition: Instr, then: () => void, otherwise?: () => void): void {
    if (condition.kind === "literal") return condition.value ? then() : otherwise?.();
    const statements = this.#inPhase("a branch");
    const a = this.#nest<Statement[]>([], true, then);
    const b = otherwise ? this.#nest<Statement[]>([], true, otherwise) : [];
    if (a.length + b.length > 0) this.#write(statements, { kind: "if", condition, then: a, otherwise: b });
  }

  store(buffer: BufferRef, index: Instr, value: Instr): void {
    const name = this.#buffer(buffer, "write");
    this.#write(this.#inPhase("a store"), { kind: "store", buffer: name, index, value });
    this.#statements++;
  }

  set(array: ArrayDecl, index: Instr | number, value: Instr): void {
    const at = typeof index === "number" ? this.int(index) : index;
    this.#write(this.#inPhase("a store to an array"), { kind: "set", array, index: at, value });
    this.#statements++;
  }

  // ---- declarations -------------------------------------------------------------------------------------------

  array(space: "lane" | "shared", type: IrType, length: number, dynamic = space === "shared"): ArrayDecl {
    const decl: ArrayDecl = {
      name: `${space === "lane" ? "r" : "s"}${this.#arrays.length}`,
      space,
      type,
      length,
      dynamic,
    };
    this.#arrays.push(decl);
    return decl;
  }

  #buffer(ref: BufferRef, access: Access): string {
    const known = this.#buffers.get(ref.name);
    if (!known) {
      const decl = { name: `b${this.#buffers.size}`, dtype: ref.dtype, size: ref.size, access };
      this.#buffers.set(ref.name, { ref, decl });
      return decl.name;
    }
    if (known.decl.access !== access) known.decl.access = "read_write";
    return known.decl.name;
  }

  /** A number known at dispatch; equal keys are one parameter. */
  param(key: string, scalar: ValueType, value: number, lo: number, hi: number): Instr {
    let known = this.#params.get(key);
    if (!known) {
      known = { decl: { name: `p${this.#params.size}`, scalar, lo, hi }, value };
      this.#params.set(key, known);
    }
    return this.#atom({ kind: "param", type: wide(scalar, 1), name: known.decl.name });
  }

  // ---- instructions -------------------------------------------------------------------------------------------

  /** What was remembered under this key where the cursor can see it. */
  recall(key: string): Instr | undefined {
    for (let scope: Scope | undefined = this.#scope; scope; scope = scope.parent) {
      const known = scope.known.get(key);
      if (known) return known;
    }
    return undefined;
  }

  remember(key: string, instr: Instr): void {
    this.#scope.known.set(key, instr);
  }

  /** A number for an instruction, for keys. */
  id(instr: Instr): number {
    let id = this.#ids.get(instr);
    if (id === undefined) this.#ids.set(instr, id = this.#ids.size);
    return id;
  }

  readonly #atoms = new Map<string, Instr>();
  #atom(instr: Instr): Instr {
    const key = instr.kind === "literal"
      ? `${instr.type.scalar}${instr.bits}`
      : instr.kind === "builtin" || instr.kind === "param"
      ? instr.name
      : "";
    const known = this.#atoms.get(key);
    if (known) return known;
    this.#atoms.set(key, instr);
    return instr;
  }

  #let(key: string | undefined, instr: Computed): Instr {
    const known = key === undefined ? undefined : this.recall(key);
    if (known) return known;
    this.#write(this.#inPhase("an instruction"), { kind: "let", instr });
    this.#statements++;
    if (key !== undefined) this.remember(key, instr);
    return instr;
  }

  int(value: number): Instr {
    return this.literal("i32", value);
  }

  literal(scalar: ValueType, value: number): Instr {
    return this.#atom(literal(scalar, value));
  }

  get group(): Instr {
    return this.#atom({ kind: "builtin", type: i32, name: "group" });
  }

  get lane(): Instr {
    return this.lanes === 1 ? this.int(0) : this.#atom({ kind: "builtin", type: i32, name: "lane" });
  }

  unary(op: UnaryOp, arg: Instr): Instr {
    const type = op === "not" ? wide("bool", arg.type.width) : arg.type;
    return this.#let(`u${op} ${this.id(arg)}`, { kind: "unary", type, op, arg });
  }

  binary(op: BinaryOp, left: Instr, right: Instr): Instr {
    let [a, b] = [left, right];
    if (a.type.width !== b.type.width) {
      a = this.widen(a, 4);
      b = this.widen(b, 4);
    }
    const folded = foldIntegers(op, a, b);
    if (folded) return folded.kind === "literal" ? this.#atom(folded) : folded;
    const compares = op === "lt" || op === "le" || op === "eq" || op === "ne";
    const type = compares ? wide("bool", a.type.width) : a.type;
    return this.#let(`b${op} ${this.id(a)} ${this.id(b)}`, { kind: "binary", type, op, a, b });
  }

  add(a: Instr, b: Instr | number): Instr {
    return this.binary("add", a, typeof b === "number" ? this.int(b) : b);
  }
  sub(a: Instr, b: Instr | number): Instr {
    return this.binary("sub", a, typeof b === "number" ? this.int(b) : b);
  }
  mul(a: Instr, b: Instr | number): Instr {
    return this.binary("mul", a, typeof b === "number" ? this.int(b) : b);
  }
  div(a: Instr, b: Instr | number): Instr {
    return this.binary("div", a, typeof b === "number" ? this.int(b) : b);
  }
  rem(a: Instr, b: Instr | number): Instr {
    return this.binary("rem", a, typeof b === "number" ? this.int(b) : b);
  }
  min(a: Instr, b: Instr | number): Instr {
    return this.binary("min", a, typeof b === "number" ? this.int(b) : b);
  }
  lt(a: Instr, b: Instr | number): Instr {
    return this.binary("lt", a, typeof b === "number" ? this.int(b) : b);
  }
  and(a: Instr, b: Instr): Instr {
    if (a.kind === "literal") return a.value ? b : a;
    if (b.kind === "literal") return b.value ? a : b;
    return this.binary("and", a, b);
  }

  select(condition: Instr, then: Instr, otherwise: Instr): Instr {
    if (condition.kind === "literal") return condition.value ? then : otherwise;
    const width = Math.max(condition.type.width, then.type.width, otherwise.type.width) as 1 | 4;
    const [c, t, o] = [this.widen(condition, width), this.widen(then, width), this.widen(otherwise, width)];
    const key = `s ${this.id(c)} ${this.id(t)} ${this.id(o)}`;
    return this.#let(key, { kind: "select", type: t.type, condition: c, then: t, otherwise: o });
  }

  cast(scalar: ValueType, arg: Instr): Instr {
    if (arg.type.scalar === scalar) return arg;
    return this.#let(`t${scalar} ${this.id(arg)}`, { kind: "cast", type: wide(scalar, arg.type.width), arg });
  }

  bitcast(scalar: ValueType, arg: Instr): Instr {
    if (arg.type.scalar === scalar) return arg;
    return this.#let(`r${scalar} ${this.id(arg)}`, {
      kind: "bitcast",
      type: wide(scalar, arg.type.width),
      arg,
    });
  }

  /**
   * Loads see the buffer as it was before the kernel; where a kernel reads back what it wrote, `again` forbids reusing an
   * earlier load.
   */
  load(ref: BufferRef, index: Instr, width: 1 | 4, again = false): Instr {
    const buffer = this.#buffer(ref, "read");
    const scalar = valueType(ref.dtype);
    const key = again ? undefined : `l${buffer} ${this.id(index)} ${width}`;
    return this.#let(key, { kind: "load", type: wide(scalar, width), buffer, index });
  }

  /** Arrays change: a read is never shared. */
  read(array: ArrayDecl, index: Instr | number): Instr {
    const at = typeof index === "number" ? this.int(index) : index;
    return this.#let(undefined, { kind: "read", type: array.type, array, index: at });
  }

  widen(arg: Instr, width: 1 | 4): Instr {
    if (arg.type.width === width) return arg;
    return this.#let(`w ${this.id(arg)}`, { kind: "splat", type: wide(arg.type.scalar, 4), arg });
  }

  component(arg: Instr, index: 0 | 1 | 2 | 3): Instr {
    if (arg.type.width === 1) return arg;
    if (arg.kind === "splat") return arg.arg;
    if (arg.kind === "construct") return arg.args[index];
    return this.#let(`.${index} ${this.id(arg)}`, {
      kind: "component",
      type: wide(arg.type.scalar, 1),
      arg,
      index,
    });
  }

  construct(args: readonly [Instr, Instr, Instr, Instr]): Instr {
    if (args.every((a) => a === args[0])) return this.widen(args[0], 4);
    const key = `c ${args.map((a) => this.id(a)).join(" ")}`;
    return this.#let(key, { kind: "construct", type: wide(args[0].type.scalar, 4), args });
  }

  // ---- the result ---------------------------------------------------------------------------------------------

  finish(groups: number): BuiltKernel {
    const kernel: Kernel = {
      lanes: this.lanes,
      groups,
      params: [...this.#params.values()].map((p) => p.decl),
      buffers: [...this.#buffers.values()].map((b) => b.decl),
      arrays: this.#arrays,
      body: this.#body,
    };
    return {
      kernel,
      buffers: [...this.#buffers.values()].map((b) => b.ref),
      params: [...this.#params.values()].map((p) => p.value),
      ...this.#serves.size > 0 && { serves: this.#serves },
    };
  }
}
