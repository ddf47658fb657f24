/**
 * Attention as values: what a score is, and the matrices whose rows meet.
 *
 *     s[i, j] = scale · Σ_e q[i, e] · k[j, e] + mask[i, j]        −∞ where the pair is masked
 *     P[i, j] = exp(s[i, j] − max_j s) / Σ_j …                    0 where the pair is masked
 *     O[i, f] = Σ_j P[i, j] · v[j, f]                             masked pairs are left out, not multiplied by 0
 *
 * A pair is masked exactly if its score is −∞, whatever made it so: causality, a boolean mask, an additive −∞. So there
 * is one test, and no second opinion. A row without a pair is 0, its log-sum-exp −∞ (SEMANTICS §8).
 *
 * Sums are placed by the kernels: in the values made here a *hole* stands for each, a load that is always bound.
 */

import type { IrBuilder } from "../../kernel/build.ts";
import type { Instr } from "../../kernel/ir.ts";
import type { Evaluator } from "../../kernel/lower.ts";
import type { Reader, Value, Var } from "../../kernel/value.ts";
import type { Values } from "../../kernel/values.ts";

export interface AttentionInputs {
  /** [..., T, D]; the last leading axis counts heads. */
  readonly q: Reader;
  /** [..., S, D]; as many heads as q, or a divisor of that. */
  readonly k: Reader;
  /** [..., S, Dv] */
  readonly v: Reader;
  /** Added to the scores (a float type) or choosing them (bool); broadcasts to [..., T, S]. */
  readonly mask: Reader | undefined;
  /** Query i sees keys up to i + (keys − queries): with as many of both, up to its own. */
  readonly causal: boolean;
  readonly scale: number;
}

/** A matrix read row by row: `value` is its element at (row, along). */
export interface Matrix {
  readonly lead: readonly Value[];
  readonly row: Value;
  readonly along: Value;
  /** Elements of a row. */
  readonly size: number;
  readonly value: Value;
}

const roundUp = (n: number, step: number): number => Math.ceil(n / step) * step;

/** A number per query, read at the variable of queries in a pair. */
export interface QueryScalar {
  readonly value: Value;
}

export class AttentionProblem {
  /** Leading axes of q: batches, then heads. */
  readonly lead: readonly Value[];
  readonly leadShape: readonly number[];
  readonly keyLeadShape: readonly number[];
  /** Queries, keys, and how many query heads share a key head. */
  readonly queries: number;
  readonly keys: number;
  readonly grouped: number;
  readonly query: Matrix;
  readonly key: Matrix;
  readonly value: Matrix;
  /** The variables of a pair. Their extents are padded to whole blocks; a pair outside counts as masked. */
  readonly i: Value;
  readonly j: Value;
  /** The hole for Σ_e q·k, and the score made of it. */
  readonly dot: Value;
  readonly score: Value;
  /** Can a pair be masked at all? */
  readonly masks: boolean;
  readonly #k: Values;
  readonly #causal: boolean;
  readonly #queryBlock: number;
  readonly #taken: Value[] = [];

  /**
   * @param queryBlock Queries are met in blocks of this many; likewise keys. 1: by those who own them.
   */
  constructor(k: Values, inputs: AttentionInputs, queryBlock: number, keyBlock: number) {
    const { q, k: key, v, mask, causal, scale } = inputs;
    this.#k = k;
    this.#causal = causal;
    this.leadShape = q.shape.slice(0, -2);
    this.keyLeadShape = key.shape.slice(0, -2);
    this.lead = this.leadShape.map((extent) => this.#variable(extent));
    this.queries = q.shape.at(-2)!;
    this.keys = key.shape.at(-2)!;
    this.grouped = this.lead.length === 0 ? 1 : this.leadShape.at(-1)! / this.keyLeadShape.at(-1)!;
    const keyLead = this.lead.map((x, a) => a === this.lead.length - 1 ? k.idiv(x, this.grouped) : x);
    this.#queryBlock = queryBlock;
    this.query = this.ofQueries(q);
    this.key = this.#matrix(key, keyLead, keyBlock);
    this.value = this.#matrix(v, keyLead, keyBlock);
    this.i = this.#variable(roundUp(this.queries, queryBlock));
    this.j = this.#variable(roundUp(this.keys, keyBlock));
    this.dot = this.#hole([this.i, this.j]);
    let score = k.mul(this.dot, scale);
    let visible: Value = k.and(k.lt(this.j, this.keys), k.lt(this.i, this.queries));
    if (causal) visible = k.and(visible, k.le(this.j, k.iadd(this.i, this.keys - this.queries)));
    if (mask) {
      const x = mask.at(broadcastIndex(k, mask.shape, [...this.lead, this.i, this.j]));
      if (mask.dtype === "bool") visible = k.and(visible, x);
      else score = k.add(score, x);
    }
    this.score = k.guard(visible, score, -Infinity);
    this.masks = mask !== undefined || visible.kind !== "const";
  }

  /** A variable that nothing else here is. */
  #variable(extent: number): Value {
    const v = this.#k.fresh(Math.max(1, extent), this.#taken);
    this.#taken.push(v);
    return v;
  }

  /** A value that a kernel computes and binds before anything made of it is evaluated. */
  #hole(at: readonly Value[]): Value {
    const k = this.#k;
    let index: Value = k.int(0);
    let size = 1;
    for (const v of at.filter(isVar)) {
      index = k.iadd(k.imul(index, v.extent), v);
      size *= v.extent;
    }
    return k.load({ name: "attention.dot", dtype: "f32", size }, index);
  }

  /** The rows of a reader with one per query. */
  ofQueries(reader: Reader): Matrix {
    return this.#matrix(reader, this.lead, this.#queryBlock);
  }

  /**
   * The rows of a reader at leading indices, padded to whole blocks: a row behind the last is some other's, or none's, and
   * what it gives counts as masked. So the rows of a block are equally far apart, and lanes may share their loads.
   */
  #matrix(reader: Reader, lead: readonly Value[], block: number): Matrix {
    const [rows, size] = reader.shape.slice(-2) as [number, number];
    const row = this.#variable(roundUp(rows, block));
    const along = this.#variable(size);
    return { lead, row, along, size, value: reader.at([...lead, row, along]) };
  }

  /** A reader with one number per query. */
  scalars(reader: Reader): QueryScalar {
    return { value: reader.at([...this.lead, this.i]) };
  }

  // ---- where a kernel stands -----------------------------------------------------------------------------------

  /** Binds the leading axes of q from here on. */
  enter(ev: Evaluator, lead: readonly Instr[]): void {
    this.lead.forEach((v, axis) => {
      if (isVar(v)) ev.bind(v, lead[axis]!);
    });
  }

  /** The leading index of q for a leading index of k, and which of the query heads that share it. */
  queryLead(b: IrBuilder, keyLead: readonly Instr[], head: Instr): readonly Instr[] {
    if (this.grouped === 1) return keyLead;
    return keyLead.map((x, a) => a === keyLead.length - 1 ? b.add(b.mul(x, this.grouped), head) : x);
  }

  /** Blocks of keys that some query before `end` sees. */
  keyBlocks(b: IrBuilder, end: Instr, block: number): Instr {
    const reach = b.add(end, this.keys - this.queries);
    const keys = this.#causal ? b.binary("max", b.min(reach, this.keys), b.int(0)) : b.int(this.keys);
    return b.div(b.add(keys, block - 1), block);
  }

  /** The first query that sees this key or a later one. */
  firstQuery(b: IrBuilder, key: Instr): Instr {
    if (!this.#causal) return b.int(0);
    return b.binary("max", b.sub(key, this.keys - this.queries), b.int(0));
  }
}

/** Axes are aligned at the end; one of size 1 is read at 0. */
function broadcastIndex(k: Values, shape: readonly number[], at: readonly Value[]): Value[] {
  return shape.map((d, i) => d === 1 ? k.int(0) : at[i + at.length - shape.length]!);
}

/** Bindings for the evaluator: axes of size 1 are the constant 0 and need none. */
export const bindings = <T>(...pairs: readonly (readonly [Value, T])[]): (readonly [Value, T])[] =>
  pairs.filter(([v]) => v.kind !== "const");

export const isVar = (v: Value): v is Var => v.kind === "var";

/** The value at its bindings; at width 4 for four neighbors along a variable. */
export const evaluate = (ev: Evaluator, value: Value, width: 1 | 4, along: Value): Instr =>
  width === 4 && isVar(along) ? ev.eval(value, 4, along) : ev.eval(value);
