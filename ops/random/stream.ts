/**
 * Streams tell random ops apart: each carries the hash of where it was made and how many were made there before it.
 *
 * So two dropouts are never one node, and editing one block of a model leaves the numbers of the others alone. In a
 * kernel the stream is a parameter: equal layers share their code.
 */

import { GraphBuilder } from "../../compiler/graph/build.ts";

/** The stream of a random op made here and now. */
export function newStream(): number {
  const builder = GraphBuilder.current("a random tensor");
  return hash(`${builder.scope}/${builder.unique("random")}`);
}

/** FNV-1a (Fowler, Noll, Vo) over UTF-16 units, with a final mix so that close names differ in all bits. */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
