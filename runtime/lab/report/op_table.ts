/**
 * The ops of all stages of a compile, each once, with the user's source lines.
 * @module
 */

import { SourceNames } from "../../../compiler/bundle/source_names.ts";
import type { Origin } from "../../../compiler/errors.ts";
import { isFree, isLeaf } from "../../../compiler/fuse/group.ts";
import type { Graph } from "../../../compiler/graph/graph.ts";
import { type Node, showType } from "../../../compiler/graph/node.ts";
import { showAttributes } from "../../../compiler/graph/print.ts";
import type { OpView, Phase } from "./data.ts";

/** Numbers for the nodes of a traced graph, shared by all compiles of it. */
export class Lineage {
  readonly #numbers = new Map<Node, number>();

  /** The number of what a node stands for. */
  of(node: Node, { builder }: Graph): number {
    const first = builder.standsFor.get(node) ?? node;
    let number = this.#numbers.get(first);
    if (number === undefined) this.#numbers.set(first, number = this.#numbers.size);
    return number;
  }
}

export class OpTable {
  readonly ops: OpView[] = [];
  readonly #byText = new Map<string, number>();
  readonly #names: SourceNames;
  readonly #origins = new Map<string, Origin>();

  /** @param graphs All graphs whose ops will be asked for: files are named relative to the folder they have in common. */
  constructor(graphs: readonly Graph[], readonly lineage: Lineage) {
    const origins = graphs.flatMap(({ nodes, builder }) => nodes.flatMap((node) => builder.originsOf(node)));
    this.#names = new SourceNames(origins);
  }

  /** The position of a node's op in `ops`. */
  of(node: Node, graph: Graph, phase: Phase): number {
    const at = graph.builder.originsOf(node).map((origin) => {
      const place = this.#names.show(origin);
      this.#origins.set(place.replace(/:\d+$/, ""), origin);
      return place;
    });
    const view: OpView = {
      op: node.op.name,
      type: node.types.map(showType).join(", "),
      attrs: shortened(showAttributes(node).join(" ")),
      scope: graph.builder.scopes.get(node) ?? "",
      phase,
      at,
      kind: isLeaf(node) ? "leaf" : isFree(node) ? "free" : node.op.view ? "view" : "op",
      id: this.lineage.of(node, graph),
    };
    const text = JSON.stringify(view);
    let index = this.#byText.get(text);
    if (index === undefined) this.#byText.set(text, index = this.ops.push(view) - 1);
    return index;
  }

  /** The text of each source line that an op names, as far as its file can be read now. */
  lines(): Record<string, string> {
    const files = new Map<string, readonly string[]>();
    const found: Record<string, string> = {};
    for (const [place, { file, line }] of [...this.#origins].sort(([a], [b]) => a < b ? -1 : 1)) {
      let lines = files.get(file);
      if (lines === undefined) files.set(file, lines = linesOf(file));
      const text = lines[line - 1]?.trim();
      if (text !== undefined) found[place] = shortened(text);
    }
    return found;
  }
}

/** A file that is gone, or was never on this machine, has no lines to show; the report names the place all the same. */
function linesOf(file: string): readonly string[] {
  if (!file.startsWith("file://")) return [];
  try {
    return Deno.readTextFileSync(new URL(file)).split("\n");
  } catch {
    return [];
  }
}

const shortened = (text: string): string => text.length > 400 ? `${text.slice(0, 399)}…` : text;
