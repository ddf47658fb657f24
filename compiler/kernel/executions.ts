/**
 * How often each part of a kernel is executed in one dispatch, without executing it.
 *
 * What decides that are the bounds of loops and the conditions of branches. They are integers made of the
 * group, the lane, parameters and the variables of outer loops; so these alone are computed, group by group
 * and lane by lane, and only as far down as they differ: a loop whose body decides nothing counts its turns
 * at once, lanes and groups that all do the same count as one. The numbers are those of an execution, guards
 * at the edges included.
 *
 * Two things make them estimates (`exact` is false then): what depends on loaded numbers is unknown, so both
 * branches are counted, and of a loop the most turns that can be; and of very many groups some are looked at,
 * spread over the grid.
 */

import { gcd } from "./affine.ts";
import type { Block, Combine, Instr, Kernel, LoopVar, Statement } from "./ir.ts";
import { isAtom, operandsOf } from "./ir.ts";
import { type LoopBounds, Ranges } from "./ranges.ts";
import { binaryMeaning, bitcastMeaning, castMeaning, unaryMeaning } from "./scalar.ts";

/**
 * A part of a kernel that is executed as a whole: a list of blocks, lets or statements, or a combination of
 * lanes.
 */
export type KernelPart = readonly Block[] | readonly Statement[] | Combine;

export interface Executions {
  /**
   * Of a list of statements by lanes, of what a workgroup does together (lists of blocks, lets of a uniform)
   * by workgroups.
   */
  of(part: KernelPart): number;
  readonly exact: boolean;
}

/** What a dispatch gives a kernel. */
export interface DispatchSize {
  readonly groups: number;
  /** One number per parameter, in the kernel's order. */
  readonly params: readonly number[];
}

/** Decisions that are looked at before the rest of the groups is taken to do as these did. */
const MOST_VISITS = 2 ** 19;
/** Turns of a loop whose bounds say nothing. */
const UNKNOWN_TURNS = 64;

/**
 * How often each part of a kernel is executed in a dispatch.
 *
 * @param mostVisits Decisions that are looked at before the rest of the groups is taken for alike.
 */
export function executionsOf(
  kernel: Kernel,
  { groups, params }: DispatchSize,
  mostVisits: number = MOST_VISITS,
): Executions {
  const counter = new Counter(kernel, params);
  counter.count(groups, mostVisits);
  return counter;
}

/** What a number may depend on: `data` is whatever was loaded. */
type Source = "group" | "lane" | "data" | LoopVar;
type Sources = ReadonlySet<Source>;
type Repeat = LoopBounds & { readonly body: readonly Block[] | readonly Statement[] };

class Counter implements Executions {
  exact = true;
  readonly #kernel: Kernel;
  readonly #params: ReadonlyMap<string, number>;
  readonly #counts = new Map<KernelPart, number>();
  /** Instructions that some bound or condition is made of. */
  readonly #control = new Set<Instr>();
  readonly #sources = new Map<Instr, Sources>();
  /** What the decisions inside a list depend on, but for variables of loops inside it. */
  readonly #decides = new Map<KernelPart, Sources>();
  /** The most turns of loops whose bounds are data. */
  readonly #mostTurns = new Map<LoopVar, number>();
  readonly #values = new Map<Instr, number | readonly number[]>();
  readonly #builtins = { group: 0, lane: 0 };
  #needsTurns = false;
  #visits = 0;
  #mostVisits = Infinity;

  constructor(kernel: Kernel, params: readonly number[]) {
    this.#kernel = kernel;
    this.#params = new Map(kernel.params.map(({ name }, i) => [name, params[i]!]));
    this.#decisionsOf(kernel.body);
    if (this.#needsTurns) this.#askRanges();
  }

  of(part: KernelPart): number {
    return this.#counts.get(part) ?? 0;
  }

  count(groups: number, mostVisits: number): void {
    this.#mostVisits = mostVisits;
    const { body } = this.#kernel;
    if (!this.#decides.get(body)!.has("group")) {
      this.#builtins.group = 0;
      return this.#blocks(body, groups);
    }
    const step = strideThrough(groups);
    for (let i = 0; i < groups; i++) {
      if (this.#visits > mostVisits) {
        this.exact = false;
        for (const [part, n] of this.#counts) this.#counts.set(part, n * groups / i);
        return;
      }
      this.#builtins.group = i * step % groups;
      this.#blocks(body, 1);
    }
  }

  // ---- counting -----------------------------------------------------------------------------------------

  #add(part: KernelPart, times: number): void {
    this.#counts.set(part, (this.#counts.get(part) ?? 0) + times);
  }

  #blocks(blocks: readonly Block[], times: number): void {
    this.#add(blocks, times);
    for (const block of blocks) {
      switch (block.kind) {
        case "uniform":
          this.#add(block.lets, times);
          this.#lets(block.lets);
          break;
        case "phase":
          this.#phase(block.body, times);
          break;
        case "loop":
          this.#repeat(block, times, (body, n) => this.#blocks(body as readonly Block[], n));
          break;
        case "combine":
          this.#add(block, times);
          break;
      }
    }
  }

  #phase(body: readonly Statement[], times: number): void {
    const { lanes } = this.#kernel;
    if (!this.#decides.get(body)!.has("lane")) return this.#statements(body, times * lanes);
    for (let lane = 0; lane < lanes; lane++) {
      this.#builtins.lane = lane;
      this.#statements(body, times);
    }
  }

  #statements(list: readonly Statement[], times: number): void {
    this.#add(list, times);
    for (const statement of list) {
      switch (statement.kind) {
        case "let":
          this.#lets([statement]);
          break;
        case "for":
          this.#repeat(statement, times, (body, n) => this.#statements(body as readonly Statement[], n));
          break;
        case "if": {
          const { condition, then, otherwise } = statement;
          const isData = this.#sourcesOf(condition).has("data");
          this.#visits++;
          if (isData) this.exact = false;
          const holds = isData || this.#number(condition) !== 0;
          if (holds) this.#statements(then, times);
          if (isData || !holds) this.#statements(otherwise, times);
          break;
        }
      }
    }
  }

  #repeat(loop: Repeat, times: number, body: (list: Repeat["body"], times: number) => void): void {
    const { variable, from, to, step } = loop;
    this.#visits++;
    const most = this.#mostTurns.get(variable);
    if (most !== undefined) {
      this.exact = false;
      return body(loop.body, times * most);
    }
    const [first, end] = [this.#number(from), this.#number(to)];
    if (!this.#decides.get(loop.body)!.has(variable)) {
      const turns = Math.max(0, Math.ceil((end - first) / step));
      if (turns > 0) body(loop.body, times * turns);
      return;
    }
    for (let v = first; v < end; v += step) {
      this.#values.set(variable, v);
      if (this.#visits > this.#mostVisits) {
        // The rest as this turn is.
        this.exact = false;
        return body(loop.body, times * Math.ceil((end - v) / step));
      }
      body(loop.body, times);
    }
  }

  // ---- values of what decides ---------------------------------------------------------------------------

  #lets(lets: readonly Extract<Statement, { kind: "let" }>[]): void {
    for (const { instr } of lets) {
      if (this.#control.has(instr)) this.#values.set(instr, this.#compute(instr));
    }
  }

  #number(instr: Instr): number {
    const value = this.#value(instr);
    return typeof value === "number" ? value : value[0]!;
  }

  #value(instr: Instr): number | readonly number[] {
    switch (instr.kind) {
      case "literal":
        return instr.value;
      case "builtin":
        return this.#builtins[instr.name];
      case "param":
        return this.#params.get(instr.name)!;
      default:
        return this.#values.get(instr)!;
    }
  }

  #compute(instr: Instr): number | readonly number[] {
    const value = (operand: Instr) => this.#value(operand);
    switch (instr.kind) {
      case "unary": {
        const meaning = unaryMeaning[instr.op][instr.arg.type.scalar]!;
        return each(meaning, value(instr.arg));
      }
      case "binary": {
        const meaning = binaryMeaning[instr.op][instr.a.type.scalar]!;
        const [a, b] = [value(instr.a), value(instr.b)];
        if (typeof a === "number") return meaning(a, b as number);
        return a.map((x, i) => meaning(x, (b as readonly number[])[i]!));
      }
      case "select": {
        const [condition, then, otherwise] = [instr.condition, instr.then, instr.otherwise].map(value);
        if (typeof condition === "number") return condition !== 0 ? then! : otherwise!;
        return condition!.map((c, i) => ((c !== 0 ? then : otherwise) as readonly number[])[i]!);
      }
      case "cast":
        return each((x) => castMeaning(instr.arg.type.scalar, instr.type.scalar, x), value(instr.arg));
      case "bitcast":
        return each((x) => bitcastMeaning(instr.arg.type.scalar, instr.type.scalar, x), value(instr.arg));
      case "splat": {
        const x = this.#number(instr.arg);
        return [x, x, x, x];
      }
      case "component":
        return (value(instr.arg) as readonly number[])[instr.index]!;
      case "construct":
        return instr.args.map((arg) => this.#number(arg));
      default:
        return value(instr);
    }
  }

  // ---- what depends on what -----------------------------------------------------------------------------

  #sourcesOf(instr: Instr): Sources {
    let known = this.#sources.get(instr);
    if (known) return known;
    switch (instr.kind) {
      case "literal":
      case "param":
        known = new Set();
        break;
      case "builtin":
        known = new Set([instr.name]);
        break;
      case "loop":
        known = new Set([instr]);
        break;
      case "load":
      case "read":
        known = new Set(["data"] as const);
        break;
      default:
        known = new Set(operandsOf(instr).flatMap((operand) => [...this.#sourcesOf(operand)]));
    }
    this.#sources.set(instr, known);
    return known;
  }

  #decide(instr: Instr, into: Set<Source>): void {
    const sources = this.#sourcesOf(instr);
    if (sources.has("data")) return; // nobody will compute it
    for (const source of sources) into.add(source);
    const note = (at: Instr): void => {
      if (isAtom(at) || this.#control.has(at)) return;
      this.#control.add(at);
      operandsOf(at).forEach(note);
    };
    note(instr);
  }

  #decisionsOf(part: readonly Block[] | readonly Statement[]): Sources {
    const found = new Set<Source>();
    for (const item of part) {
      if (item.kind === "phase") {
        for (const source of this.#decisionsOf(item.body)) if (source !== "lane") found.add(source);
      } else if (item.kind === "loop" || item.kind === "for") {
        this.#decide(item.from, found);
        this.#decide(item.to, found);
        const isData = [item.from, item.to].some((bound) => this.#sourcesOf(bound).has("data"));
        if (isData) this.#needsTurns = true;
        for (const source of this.#decisionsOf(item.body)) if (source !== item.variable) found.add(source);
      } else if (item.kind === "if") {
        this.#decide(item.condition, found);
        for (const list of [item.then, item.otherwise]) {
          for (const source of this.#decisionsOf(list)) found.add(source);
        }
      }
    }
    this.#decides.set(part, found);
    return found;
  }

  /** Of loops that data bounds, the most turns that can be proven. */
  #askRanges(): void {
    const ranges = new Ranges(this.#kernel);
    const go = (part: readonly Block[] | readonly Statement[]): void => {
      for (const item of part) {
        if (item.kind === "phase") go(item.body);
        else if (item.kind === "if") [item.then, item.otherwise].forEach(go);
        else if (item.kind === "loop" || item.kind === "for") {
          if ([item.from, item.to].some((bound) => this.#sourcesOf(bound).has("data"))) {
            const turns = ranges.turns(item);
            this.#mostTurns.set(item.variable, Number.isFinite(turns) ? turns : UNKNOWN_TURNS);
          }
          ranges.inLoop(item, () => go(item.body));
        }
      }
    };
    go(this.#kernel.body);
  }
}

const each = (f: (x: number) => number, value: number | readonly number[]): number | readonly number[] =>
  typeof value === "number" ? f(value) : value.map(f);

/**
 * A step that visits all of n places, neighbors far apart: near n over the golden ratio, with no factor of n.
 */
function strideThrough(n: number): number {
  let step = Math.max(1, Math.round(n * 0.618));
  while (gcd(step, n) > 1) step++;
  return step % n || 1;
}
