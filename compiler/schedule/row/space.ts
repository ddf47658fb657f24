/**
 * The space of a row kernel: outer axes, and the row axes that every reduction binds (SCHEDULES §5.1).
 *
 * A group is one row space if all its reductions run over equally many elements, none depends on the place within the
 * row, and each result has one element per row or one per element of the row. All is then renamed to one set of
 * variables, and neighboring axes merge where no index needs a division for it.
 */

import { counted } from "../../counted.ts";
import type { BufferRef, Reduce, Value, Var } from "../../kernel/value.ts";
import type { Values } from "../../kernel/values.ts";
import { childrenOf, walk } from "../../kernel/value.ts";
import { mergeAxes } from "../axes.ts";
import type { LoweredGroup, Refusal, Root } from "../group.ts";
import {
  bindCommonly,
  extentsOf,
  indicesIn,
  product,
  reductionsIn,
  refactor,
  replaceEverywhere,
  sameNumbers,
} from "./canonical.ts";

export interface RowRoot {
  readonly value: Value;
  /** Element of the buffer. */
  readonly index: Value;
  readonly buffer: BufferRef;
  /** One element per element of the row; else one per row. */
  readonly full: boolean;
}

export interface RowSpace {
  readonly values: Values;
  /** Axes that number the rows, outermost first. */
  readonly outer: readonly Var[];
  /** Axes within a row; all reductions bind exactly these. */
  readonly row: readonly Var[];
  readonly roots: readonly RowRoot[];
  /** Inner before outer. */
  readonly reductions: readonly Reduce[];
  /** Where elements are numbered from the vec4 that their row begins in (align.ts). */
  readonly alignment?: Alignment;
  /** Where the last outer axis has more places than there are columns (pad.ts): how many there are. */
  readonly columns?: number;
}

export interface Alignment {
  /** Number of a row's first element, 0 to 3. */
  readonly phase: Value;
  /** Indices of elements, which lie in their buffers for all elements that there are. */
  readonly inside: ReadonlySet<Value>;
}

export const rowCount = (space: RowSpace): number => product(extentsOf(space.outer));
export const rowLength = ({ row, alignment }: RowSpace): number =>
  product(extentsOf(row)) - (alignment ? largestPhase : 0);
export const isSpace = (x: RowSpace | Refusal): x is RowSpace => !("refused" in x);

const largestPhase = 3;

/** Where a root's axes stop numbering rows and start numbering elements of one. */
interface Split {
  readonly root: Root;
  readonly outer: readonly Var[];
  /** Empty for a result with one element per row. */
  readonly row: readonly Var[];
}

/** The group as one row space, or what is in the way. */
export function rowSpace(group: LoweredGroup): RowSpace | Refusal {
  const { values: k, roots } = group;
  const reductions = reductionsIn(roots.map((r) => r.value));
  const obstacle = obstacleIn(roots, reductions);
  if (obstacle) return { refused: obstacle };

  const length = product(extentsOf(reductions[0]!.vars));
  const leader = roots.find((r) => reductionsIn([r.value]).length > 0)!;
  const first = splitAxes(leader, length);
  if ("refused" in first) return first;
  const rows = product(extentsOf(first.outer));
  const splits: Split[] = [];
  for (const root of roots) {
    const split = splitAxes(root, length, rows);
    if ("refused" in split) return split;
    const own = product(extentsOf(split.outer));
    if (own !== rows) {
      return {
        refused: `a result of shape [${root.shape}] has ${counted(own, "row")} of ${length}, ` +
          `one of shape [${leader.shape}] has ${rows}`,
      };
    }
    splits.push(split);
  }
  return renamed(k, splits, reductions);
}

function obstacleIn(roots: readonly Root[], reductions: readonly Reduce[]): string | undefined {
  let prefix = false;
  walk(roots.map((r) => r.value), (value) => {
    if (value.kind === "prefix") prefix = true;
  });
  if (prefix) return "a cumulative operation needs every element before it, not a total";
  const first = reductions[0];
  if (!first) return "nothing is reduced";
  const length = product(extentsOf(first.vars));
  for (const r of reductions) {
    const own = product(extentsOf(r.vars));
    if (own !== length) {
      return `reductions over [${extentsOf(first.vars)}] and [${extentsOf(r.vars)}] elements`;
    }
    for (const inner of reductionsIn([r.body])) {
      const shared = r.vars.find((v) => inner.free.has(v));
      if (shared) {
        return `a ${inner.op} over ${
          counted(own, "element")
        } inside a ${r.op} depends on the index of the ${r.op}: ` +
          `it would run ${counted(own, "time")} per row`;
      }
    }
  }
  return undefined;
}

/** Variables that reductions of the value read from outside. */
function freeInReductions(value: Value): ReadonlySet<Var> {
  const free = new Set<Var>();
  const seen = new Set<Value>();
  const go = (v: Value): void => {
    if (seen.has(v)) return;
    seen.add(v);
    if (v.kind === "reduce") v.free.forEach((x) => free.add(x));
    else childrenOf(v).forEach(go);
  };
  go(value);
  return free;
}

/** The row axes are the trailing axes that number one row's elements and that no reduction depends on. */
function splitAxes(root: Root, length: number, rows?: number): Split | Refusal {
  const axes = root.axes.filter((a): a is Var => a.kind === "var");
  const hasReduction = reductionsIn([root.value]).length > 0;
  if (!hasReduction && product(extentsOf(axes)) === rows) return { root, outer: axes, row: [] };
  const read = freeInReductions(root.value);
  let size = 1;
  let cut = axes.length;
  while (cut > 0 && size < length && !read.has(axes[cut - 1]!)) size *= axes[--cut]!.extent;
  if (size === length) return { root, outer: axes.slice(0, cut), row: axes.slice(cut) };
  // One element per row: but then every axis must number rows, or each row would be reduced again and again.
  const idle = axes.filter((v) => !read.has(v));
  if (!hasReduction || idle.length === 0) return { root, outer: axes, row: [] };
  const inRow = axes.find((v) => read.has(v) && v.extent === length);
  if (inRow && axes.at(-1) === inRow && product(extentsOf(axes)) > length) {
    return { refused: `a reduction depends on the place within the row of ${length} (a transposed use)` };
  }
  return {
    refused:
      `each reduction over ${counted(length, "element")} would be repeated ${
        counted(product(extentsOf(idle)), "time")
      } ` +
      `for a result of shape [${root.shape}]`,
  };
}

/** Everything in terms of one set of variables, merged. */
function renamed(k: Values, splits: readonly Split[], reductions: readonly Reduce[]): RowSpace {
  const common = (lists: readonly (readonly number[])[]): readonly number[] =>
    lists.every((l) => sameNumbers(l, lists[0]!)) ? lists[0]! : [product(lists[0]!)];
  const outerExtents = common(splits.map((s) => extentsOf(s.outer)));
  const rowExtents = common([
    ...reductions.map((r) => extentsOf(r.vars)),
    ...splits.filter((s) => s.row.length > 0).map((s) => extentsOf(s.row)),
  ]);
  // Fresh in the whole group, so that no binder of it can be meant by mistake.
  const taken: Value[] = [];
  walk(splits.flatMap((s) => [s.root.value, s.root.index, ...s.root.axes]), (value) => {
    if (value.kind === "var") taken.push(value);
    if (value.kind === "reduce") taken.push(...value.vars);
  });
  const make = (extent: number): Var => {
    const v = k.fresh(extent, taken);
    if (v.kind !== "var") throw new Error("an axis of size 1 has no variable");
    taken.push(v);
    return v;
  };
  const outer = outerExtents.filter((e) => e > 1).map(make);
  const row = rowExtents.map(make);
  const bind = bindCommonly(k, row);
  const roots = splits.map(({ root, outer: own, row: trailing }): RowRoot => {
    const map = new Map<Value, Value>();
    const numbers = refactor(k, outer, extentsOf(own));
    own.forEach((v, i) => map.set(v, numbers[i]!));
    const places = trailing.length > 0 ? refactor(k, row, extentsOf(trailing)) : [];
    trailing.forEach((v, i) => map.set(v, places[i]!));
    const rename = replaceEverywhere(k, map, row);
    return {
      value: rename(bind(root.value)),
      index: rename(root.index),
      buffer: root.buffer,
      full: trailing.length > 0,
    };
  });
  return merged(k, outer, row, roots);
}

function merged(k: Values, outer: readonly Var[], row: readonly Var[], roots: readonly RowRoot[]): RowSpace {
  const indices = indicesIn(roots.flatMap((r) => [r.value, r.index]));
  const outside = mergeAxes(k, outer, [...indices, ...row]);
  const inside = mergeAxes(k, row, [...indices, ...outside.vars]);
  const rename = replaceEverywhere(
    k,
    new Map([...outside.substitution, ...inside.substitution]),
    inside.vars,
  );
  const renamed = roots.map((r) => ({ ...r, value: rename(r.value), index: rename(r.index) }));
  return {
    values: k,
    outer: outside.vars,
    row: inside.vars,
    roots: renamed,
    reductions: reductionsIn(renamed.map((r) => r.value)),
  };
}
