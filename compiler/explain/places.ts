/** What a person calls an op: its number in the printed graph, its name, its scope, the lines it was written on. */

import { showOrigin } from "../errors.ts";
import { isTrivial } from "../fuse/group.ts";
import type { Graph } from "../graph/graph.ts";
import { type Node, showType } from "../graph/node.ts";

/** Where an op is, as plain data. */
export interface Place {
  /** Its position in the graph that was compiled: `%12` of `printGraph`. */
  readonly number: number;
  readonly op: string;
  readonly scope: string;
  /** Type of the result, or of the results. */
  readonly type: string;
  /** The user's source lines, `file:line:column`; several where equal ops were written in several places. */
  readonly lines: readonly string[];
}

export class Places {
  readonly #numbers: ReadonlyMap<Node, number>;

  constructor(readonly graph: Graph) {
    this.#numbers = new Map(graph.nodes.map((node, i) => [node, i]));
  }

  of(node: Node): Place {
    const { builder } = this.graph;
    return {
      number: this.#numbers.get(node)!,
      op: node.op.name,
      scope: builder.scopes.get(node) ?? "",
      type: node.types.map(showType).join(", "),
      lines: builder.originsOf(node).map(showOrigin),
    };
  }

  /**
   * The ops, views left out, that a text names: `%12`, `matmul`, `block0/mlp/matmul` (an op in a scope or below it), or
   * `gpt.ts:71` (a line).
   */
  find(text: string): readonly Node[] {
    const ops = this.graph.nodes.filter((n) => !isTrivial(n));
    if (/^%\d+$/.test(text)) return ops.filter((n) => this.#numbers.get(n) === Number(text.slice(1)));
    if (/:\d+(:\d+)?$/.test(text)) {
      return ops.filter((n) =>
        this.of(n).lines.some((line) => `/${line}:`.includes(`/${text}:`) || line === text)
      );
    }
    const parts = text.split("/");
    const name = parts.at(-1)!;
    const scope = parts.slice(0, -1).join("/");
    return ops.filter((n) =>
      n.op.name === name &&
      (scope === "" || `/${this.graph.builder.scopes.get(n) ?? ""}/`.includes(`/${scope}/`))
    );
  }
}
