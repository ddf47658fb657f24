/**
 * How a model differs from the one that was locked, in the user's words: the ops that are gone and those that are new,
 * at their source lines.
 *
 * A changed op changes the fingerprint of everything below it, gradients included. Named is what changed first: nodes
 * without a counterpart all of whose inputs have one.
 * @module
 */

import { fingerprints } from "./graph.ts";
import { counted } from "../counted.ts";
import type { LockedGraph, LockedNode, Ref } from "./lock.ts";
import { lineOf, linesNow } from "./moved_lines.ts";

/** Places that are named; where a model was rewritten the rest is counted. */
const mostPlaces = 8;

/** One sentence per place; none where both compute the same. */
export function graphDifferences(locked: LockedGraph, now: LockedGraph): readonly string[] {
  const [before, after] = [fingerprints(locked), fingerprints(now)];
  const moved = linesNow(locked, before, now, after);
  const all = [
    unmatched(locked, before, new Set(after), moved),
    unmatched(now, after, new Set(before), lineOf),
  ] as const;
  const [gone, fresh] = withoutMoved(...all);
  const pairs = paired(placesOf(gone.first), placesOf(fresh.first));
  const sentences = pairs.slice(0, mostPlaces).map(([was, is]) => sentenceFor(was, is));
  if (pairs.length > mostPlaces) {
    sentences.push(`and ${counted(pairs.length - mostPlaces, "more place", "more places")}`);
  }
  const [lost, made] = [gone.rest.length, fresh.rest.length];
  if (lost + made > 0) {
    sentences.push(
      `of what depends on these, ${counted(lost, "op")} of the lock ${
        lost === 1 ? "is" : "are"
      } no more and ` +
        `${made} ${made === 1 ? "is" : "are"} new`,
    );
  }
  return sentences.length > 0 ? sentences : endDifferences([locked, before], [now, after]);
}

/** A node that the other graph lacks. */
interface Unmatched {
  readonly node: LockedNode;
  /** Its place, or a word for there being none, and the line where that is now. */
  readonly place: string;
  readonly line: string;
  /** What it reads, by fingerprints. */
  readonly reads: string;
}

/** Those with which it began, whose inputs the other graph has, and those that follow from them. */
interface Lacking {
  readonly first: readonly Unmatched[];
  readonly rest: readonly Unmatched[];
}

function unmatched(
  { nodes, sources }: LockedGraph,
  own: readonly string[],
  others: ReadonlySet<string>,
  lineNow: (source: string) => string,
): Lacking {
  const lacking = nodes.flatMap((node, i): (Unmatched & { readonly isFirst: boolean })[] => {
    if (others.has(own[i]!)) return [];
    const place = node.at === undefined ? "no line of yours" : sources[node.at]!;
    return [{
      node,
      place,
      line: node.at === undefined ? place : lineNow(place),
      reads: String(node.inputs.map(([input, result]) => [own[input], result])),
      isFirst: node.inputs.every(([input]) => others.has(own[input]!)),
    }];
  });
  return { first: lacking.filter((x) => x.isFirst), rest: lacking.filter((x) => !x.isFirst) };
}

/**
 * An op whose input is another now is not what changed, if the same op follows from a change at the same line of the other
 * graph: it has only moved. Loops write many equal ops at one line, so they are counted.
 */
function withoutMoved(gone: Lacking, fresh: Lacking): readonly [Lacking, Lacking] {
  const key = ({ line, node }: Unmatched) => `${line} ${fully(node)}`;
  const [goneRest, freshRest] = [gone, fresh].map(({ rest }) => Map.groupBy(rest, key)) as [
    Map<string, Unmatched[]>,
    Map<string, Unmatched[]>,
  ];
  const stay = (
    { first, rest }: Lacking,
    own: typeof goneRest,
    others: typeof goneRest,
  ): Lacking => {
    const spare = new Map(
      [...others].map(([at, list]) => [at, list.length - (own.get(at)?.length ?? 0)] as const),
    );
    const hasMoved = (one: Unmatched): boolean => {
      const left = spare.get(key(one)) ?? 0;
      spare.set(key(one), left - 1);
      return left > 0;
    };
    const moved = new Set(first.filter(hasMoved));
    return { first: first.filter((one) => !moved.has(one)), rest: [...rest, ...moved] };
  };
  const both = [stay(gone, goneRest, freshRest), stay(fresh, freshRest, goneRest)] as const;
  // Where ops changed places, and nothing else, that is what is to be told.
  return both.some(({ first }) => first.length > 0) ? both : [gone, fresh];
}

/** What changed at one place. */
interface Place {
  readonly name: string;
  readonly line: string;
  readonly nodes: readonly LockedNode[];
  /** What each of the nodes reads. */
  readonly reads: ReadonlySet<string>;
}

const placesOf = (first: readonly Unmatched[]): readonly Place[] =>
  [...Map.groupBy(first, ({ place }) => place)].map(([name, list]) => ({
    name,
    line: list[0]!.line,
    nodes: list.map(({ node }) => node),
    reads: new Set(list.filter(({ node }) => !node.trivial).map(({ reads }) => reads)),
  }));

/** What stands in whose stead: what reads the same at a line, whatever is at that line, or what reads the same. */
function paired(
  gone: readonly Place[],
  fresh: readonly Place[],
): readonly (readonly [Place | undefined, Place | undefined])[] {
  const stead = new Map<Place, Place>();
  const left = new Set(fresh);
  const atLine = (was: Place, is: Place) => is.line === was.line;
  const readsSame = (was: Place, is: Place) => !is.reads.isDisjointFrom(was.reads);
  const both = (was: Place, is: Place) => atLine(was, is) && readsSame(was, is);
  for (const fits of [both, atLine, readsSame]) {
    for (const was of gone) {
      const is = stead.has(was) ? undefined : [...left].find((is) => fits(was, is));
      if (!is) continue;
      stead.set(was, is);
      left.delete(is);
    }
  }
  return [
    ...gone.map((was) => [was, stead.get(was)] as const),
    ...[...left].map((is) => [undefined, is] as const),
  ];
}

function sentenceFor(was: Place | undefined, is: Place | undefined): string {
  const [before, after] = [telling(was?.nodes ?? []), telling(is?.nodes ?? [])];
  const names = (nodes: readonly LockedNode[]) => nodes.map(({ op }) => op).join();
  // Where the ops are the same, what they do it with is not.
  const isSame = names(before) === names(after);
  const show = (nodes: readonly LockedNode[]) =>
    [...new Set(nodes.map((node) => isSame ? fully(node) : node.op))].join(", ") || "nothing";
  const moved = was && is && was.name !== is.name ? ` (${is.name})` : "";
  return `${(was ?? is)!.name}: ${show(before)} when it was locked, ${show(after)} now${moved}`;
}

/** Without views and numbers, where there is anything else. */
function telling(nodes: readonly LockedNode[]): readonly LockedNode[] {
  const works = nodes.filter(({ trivial }) => !trivial);
  return works.length > 0 ? works : nodes;
}

const fully = ({ op, attrs = "", types }: LockedNode): string => `${op}${attrs} : ${types.join(", ")}`;

/** The same nodes, and others of them are returned or written. */
function endDifferences(
  [locked, before]: readonly [LockedGraph, readonly string[]],
  [now, after]: readonly [LockedGraph, readonly string[]],
): string[] {
  const ends = ({ outputs, writes, nodes }: LockedGraph, prints: readonly string[]) => {
    const of = ([node, result]: Ref) => ({ print: `${prints[node]}.${result}`, op: nodes[node]!.op });
    return new Map([
      ...outputs.map(([name, ref]) => [`the output "${name}"`, of(ref)] as const),
      ...writes.map(([state, value]) => [`the new value of ${nodes[state[0]]!.attrs}`, of(value)] as const),
    ]);
  };
  const [old, own] = [ends(locked, before), ends(now, after)];
  return [...new Set([...old.keys(), ...own.keys()])].flatMap((name) => {
    const [was, is] = [old.get(name), own.get(name)];
    if (was?.print === is?.print) return [];
    if (!is) return [`${name} was there when it was locked, and is not now`];
    if (!was) return [`${name} was not there when it was locked`];
    return [`${name} was another ${was.op} when it was locked than the ${is.op} that it is now`];
  });
}
