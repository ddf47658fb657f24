/**
 * How a model differs from the one that was locked, in the user's words: the ops that are gone and those that are new,
 * at their source lines.
 *
 * A changed op changes the fingerprint of everything below it, gradients included. Named is what changed first: nodes
 * without a counterpart all of whose inputs have one.
 * @module
 */

import { fingerprints } from "./graph.ts";
import type { LockedGraph, LockedNode, Ref } from "./lock.ts";

/** Places that are named; where a model was rewritten the rest is counted. */
const mostPlaces = 8;

/** One sentence per place; none where both compute the same. */
export function graphDifferences(locked: LockedGraph, now: LockedGraph): readonly string[] {
  const [before, after] = [fingerprints(locked), fingerprints(now)];
  const gone = unmatched(locked, before, new Set(after));
  const fresh = unmatched(now, after, new Set(before));
  const pairs = paired(gone.first, fresh.first);
  const sentences = pairs.slice(0, mostPlaces).map(([was, is]) => sentenceFor(was, is));
  if (pairs.length > mostPlaces) sentences.push(`and ${pairs.length - mostPlaces} more places`);
  const [lost, made] = [gone.rest, fresh.rest];
  if (lost + made > 0) {
    sentences.push(`of what depends on these, ${lost} ops of the lock are no more and ${made} are new`);
  }
  return sentences.length > 0 ? sentences : endDifferences([locked, before], [now, after]);
}

/** What changed at one line. */
interface Place {
  readonly name: string;
  readonly nodes: readonly LockedNode[];
  /** What each of the nodes reads, by fingerprints. */
  readonly reads: ReadonlySet<string>;
}

/** The nodes of one graph that the other lacks: those with which it began by place, and how many follow from them. */
function unmatched(
  { nodes, sources }: LockedGraph,
  own: readonly string[],
  others: ReadonlySet<string>,
): { readonly first: readonly Place[]; readonly rest: number } {
  const first = new Map<string, { name: string; nodes: LockedNode[]; reads: Set<string> }>();
  let rest = 0;
  nodes.forEach((node, i) => {
    if (others.has(own[i]!)) return;
    if (!node.inputs.every(([input]) => others.has(own[input]!))) return void rest++;
    const name = node.at === undefined ? "no line of yours" : sources[node.at]!;
    let place = first.get(name);
    if (!place) first.set(name, place = { name, nodes: [], reads: new Set() });
    place.nodes.push(node);
    if (!node.trivial) place.reads.add(String(node.inputs.map(([input, result]) => [own[input], result])));
  });
  return { first: [...first.values()], rest };
}

/** What stands in whose stead: at the same line, or, since lines move, what reads the same. */
function paired(
  gone: readonly Place[],
  fresh: readonly Place[],
): readonly (readonly [Place | undefined, Place | undefined])[] {
  const left = new Set(fresh);
  const take = (found: Place | undefined) => {
    if (found) left.delete(found);
    return found;
  };
  const same = new Map(gone.map((was) => [was, take(fresh.find(({ name }) => name === was.name))]));
  const pairs = gone.map((was) =>
    [was, same.get(was) ?? take([...left].find(({ reads }) => !reads.isDisjointFrom(was.reads)))] as const
  );
  return [...pairs, ...[...left].map((is) => [undefined, is] as const)];
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
