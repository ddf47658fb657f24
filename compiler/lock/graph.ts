/**
 * A graph as data: positions instead of ids, attributes as text, source lines by number.
 *
 * A node's *fingerprint* is a hash of what it computes, all the way up to what is fed. Two nodes of two graphs with equal
 * fingerprints are one computation, wherever they stand.
 * @module
 */

import { createHash } from "node:crypto";
import { SourceNames } from "../bundle/source_names.ts";
import { isTrivial } from "../fuse/group.ts";
import type { Graph } from "../graph/graph.ts";
import { type Node, showType, type Tensor } from "../graph/node.ts";
import type { LockedGraph, LockedNode, Ref } from "./lock.ts";

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

export function describeGraph(graph: Graph): LockedGraph {
  const { builder } = graph;
  const position = new Map(graph.nodes.map((node, i) => [node, i]));
  const ref = ({ node, result }: Tensor): Ref => [position.get(node)!, result];
  const origins = graph.nodes.map((node) => builder.originsOf(node)[0]);
  const names = new SourceNames(origins.flatMap((origin) => origin ? [origin] : []));
  const sources = new Map<string, number>();
  const functions = new Map<unknown, number>();
  const nodes = graph.nodes.map((node, i): LockedNode => {
    const origin = origins[i];
    const place = origin && names.show(origin);
    if (place !== undefined && !sources.has(place)) sources.set(place, sources.size);
    const attrs = attrsText(node, functions);
    return {
      op: node.op.name,
      inputs: node.inputs.map(ref),
      ...attrs !== "{}" && { attrs },
      ...node.instance !== 0 && { instance: node.instance },
      types: node.types.map(showType),
      ...isTrivial(node) && { trivial: true as const },
      ...place !== undefined && { at: sources.get(place)! },
    };
  });
  return {
    sources: [...sources.keys()],
    nodes,
    outputs: Object.entries(graph.outputs).map(([name, t]) => [name, ref(t)] as const),
    writes: graph.writes.map(({ state, value }) => [ref(state), ref(value)] as const),
  };
}

/**
 * Attributes as text. A custom kernel counts its functions as they come along in a process, which says nothing here: they
 * are numbered as they come along in the graph.
 */
function attrsText({ attrs }: Node, functions: Map<unknown, number>): string {
  const numberOf = (one: unknown): number => {
    if (one === 0) return 0; // none
    if (!functions.has(one)) functions.set(one, functions.size + 1);
    return functions.get(one)!;
  };
  return JSON.stringify(
    attrs,
    (key, value) => key === "functions" && Array.isArray(value) ? value.map(numberOf) : value,
  );
}

/** A hash of what each node computes; inputs come first, as they do in every graph. */
export function fingerprints({ nodes }: Pick<LockedGraph, "nodes">): readonly string[] {
  const made: string[] = [];
  for (const { op, inputs, attrs = "{}", instance = 0, types } of nodes) {
    const from = inputs.map(([node, result]) => `${made[node]}.${result}`);
    made.push(sha256(JSON.stringify([op, attrs, instance, types, from])));
  }
  return made;
}

/** A hash of what a graph computes, whatever the order in which it was made. */
export function hashOfGraph(graph: LockedGraph): string {
  const prints = fingerprints(graph);
  const of = ([node, result]: Ref) => `${prints[node]}.${result}`;
  return sha256(JSON.stringify([
    prints.toSorted(),
    graph.outputs.map(([name, ref]) => [name, of(ref)]),
    graph.writes.map(([state, value]) => [of(state), of(value)]),
  ]));
}
