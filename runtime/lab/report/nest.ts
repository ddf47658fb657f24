/**
 * What is drawn, before it has places: boxes in boxes, and which depend on which.
 *
 *     ops          each op in the boxes of its scope (`block0`, `attention`); updates by the parameter that they update
 *     groups       each op in the kernel that computes it, kernels in the outermost scope of what they store
 *     dispatches   one box each
 *
 * All of them in one part per phase. Constants of one number and the like are named in the box of the op that reads
 * them, and have none of their own.
 * @module
 */

import type { Compiled } from "../../../compiler/compile.ts";
import { type Group, isFree, isLeaf, labelOf } from "../../../compiler/fuse/group.ts";
import type { Graph } from "../../../compiler/graph/graph.ts";
import { type Node, showType } from "../../../compiler/graph/node.ts";
import type { Phase } from "./data.ts";
import { homesOf } from "./homes.ts";

/** A box: a place for others, or with a size of its own. */
export interface Box {
  /** Distinct. */
  readonly key: string;
  /** What it shows; see `PictureBox`. */
  readonly id: string;
  readonly label: string;
  readonly phase: Phase;
  readonly size?: readonly [width: number, height: number];
  readonly children: readonly Box[];
}

export interface Nest {
  readonly parts: readonly Box[];
  /** Keys of boxes, the second of which needs the first. */
  readonly edges: readonly (readonly [from: string, to: string])[];
}

const titles: Readonly<Record<Phase, string>> = {
  forward: "Forward",
  backward: "Backward",
  update: "Update",
};

/** A graph by the scopes in which its ops were made. */
export function nestByScope(graph: Graph, phases: ReadonlyMap<Node, Phase>): Nest {
  const parts = new Parts();
  const homes = homesOf(graph, phases);
  graph.nodes.forEach((node, number) => {
    if (isFree(node)) return;
    const phase = phases.get(node)!;
    parts.place(phase, homes.get(node)!, opBox(node, number, phase, `n${number}`));
  });
  const number = new Map(graph.nodes.map((node, i) => [node, i]));
  const edges = graph.nodes.flatMap((node, i) =>
    isFree(node)
      ? []
      : node.inputs.filter((t) => !isFree(t.node)).map((t) => [`n${number.get(t.node)}`, `n${i}`] as const)
  );
  return { parts: parts.boxes().map(tidied), edges };
}

/** A cover: the ops of each group in a box. */
export function nestByGroup({ graph, cover }: Compiled, phases: ReadonlyMap<Node, Phase>): Nest {
  const parts = new Parts();
  const number = new Map(graph.nodes.map((node, i) => [node, i]));
  const homes = homesOf(graph, phases);
  const home = new Map<string, string>();
  cover.groups.forEach(({ roots }, g) => {
    for (const root of roots) home.set(root.key, `n${number.get(root.node)}@${g}`);
  });
  const edges: (readonly [string, string])[] = [];
  cover.groups.forEach((group, g) => {
    const phase = phases.get(group.roots[0]!.node)!;
    const drawn = [...group.nodes].filter((n) => !isFree(n) && !isLeaf(n)).sort((a, b) => a.id - b.id);
    const children = drawn.map((node) => {
      const key = `n${number.get(node)}@${g}`;
      for (const t of node.inputs) {
        if (isFree(t.node) || isLeaf(t.node)) continue;
        const from = group.nodes.has(t.node) ? `n${number.get(t.node)}@${g}` : home.get(t.key);
        if (from !== undefined) edges.push([from, key]);
      }
      return opBox(node, number.get(node)!, phase, key);
    });
    const label = `${g} ${labelOf(graph, group)}`;
    parts.place(phase, placeOf(group, phase, homes), { key: `g${g}`, id: `g${g}`, label, phase, children });
  });
  return { parts: parts.boxes().map(tidied), edges };
}

/** A program: what runs, and which writes what another reads. */
export function nestByDispatch(
  { graph, program, kernels, serves }: Compiled,
  phases: ReadonlyMap<Node, Phase>,
  note: (dispatch: number) => string,
): Nest {
  const parts = new Parts();
  const homes = homesOf(graph, phases);
  const edges: (readonly [string, string])[] = [];
  const writer = new Map<string, number>();
  program.steps.forEach((step, d) => {
    if (step.kind !== "dispatch") return;
    const groups = serves[d]!;
    const phase = phases.get(groups[0]!.roots[0]!.node)!;
    const label = `${d} ${step.dispatch.label}`;
    const width = Math.min(260, 20 + 6.2 * Math.max(label.length, note(d).length));
    const box = {
      key: `d${d}`,
      id: `d${d}`,
      label: `${label}\n${note(d)}`,
      phase,
      size: [width, 34] as const,
    };
    parts.place(phase, placeOf(groups[0]!, phase, homes), { ...box, children: [] });
    const { buffers, kernel } = kernels[d]!;
    buffers.forEach(({ name }, i) => {
      const from = writer.get(name);
      if (kernel.buffers[i]!.access !== "write" && from !== undefined) edges.push([`d${from}`, `d${d}`]);
    });
    buffers.forEach(({ name }, i) => {
      if (kernel.buffers[i]!.access !== "read") writer.set(name, d);
    });
  });
  return { parts: parts.boxes().map(tidied), edges };
}

/** Of an update the parameter that it is of, of everything else the outermost scope. */
function placeOf(
  { roots }: Group,
  phase: Phase,
  homes: ReadonlyMap<Node, readonly string[]>,
): readonly string[] {
  const home = homes.get(roots[0]!.node) ?? [];
  return phase === "update" ? home : home.slice(0, 1);
}

/** A box while it is filled. */
type Growing = Box & { readonly children: Box[] };

/** One box per phase, and within it one per scope. */
class Parts {
  readonly #parts = new Map<Phase, Growing>();
  readonly #scopes = new Map<string, Growing>();

  place(phase: Phase, path: readonly string[], box: Box): void {
    let at = this.#parts.get(phase);
    if (!at) {
      at = { key: `s${phase}`, id: `s${phase}`, label: titles[phase], phase, children: [] };
      this.#parts.set(phase, at);
    }
    path.forEach((name, i) => {
      const key = `s${phase}/${path.slice(0, i + 1).join("/")}`;
      let inner = this.#scopes.get(key);
      if (!inner) {
        inner = { key, id: key, label: name, phase, children: [] };
        this.#scopes.set(key, inner);
        at!.children.push(inner);
      }
      at = inner;
    });
    at.children.push(box);
  }

  boxes(): readonly Box[] {
    return (["forward", "backward", "update"] as const).flatMap((phase) => this.#parts.get(phase) ?? []);
  }
}

const isGroup = ({ id }: Box): boolean => /^g\d/.test(id);

/** Without boxes around one box. */
function tidied(box: Box): Box {
  if (box.size || isGroup(box)) return box;
  const children = box.children.map(tidied).map((child) => {
    const [only, ...others] = child.children;
    if (child.size || isGroup(child) || others.length > 0 || !only) return child;
    return only.size || isGroup(only) ? only : { ...only, label: `${child.label}/${only.label}` };
  });
  return { ...box, children };
}

function opBox(node: Node, number: number, phase: Phase, key: string): Box {
  const name = node.attrs.name ?? node.attrs.path;
  const numbers = node.inputs.filter((t) =>
    t.node.op.name === "constant" && t.node.attrs.data.values.length === 1
  )
    .map((t) => Number(t.node.attrs.data.values[0]!.toPrecision(4)));
  const label = isLeaf(node) ? `${name ?? node.op.name}` : [node.op.name, ...numbers].join(" ");
  if (node.op.view) {
    return {
      key,
      id: `n${number}`,
      label,
      phase,
      size: [10 * Math.ceil(label.length * 0.6 + 1.2), 18],
      children: [],
    };
  }
  const type = node.types.map(showType).join(", ");
  const width = Math.min(240, 14 + Math.max(6.6 * label.length, 5.4 * type.length));
  return {
    key,
    id: `n${number}`,
    label: `${label}\n${type}`,
    phase,
    size: [10 * Math.ceil(width / 10), 32],
    children: [],
  };
}
