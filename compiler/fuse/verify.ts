/**
 * Holds every cover to the same rules, whatever policy made it (a user's own, too):
 *
 *   - what a group loads is fed, resident, constant, or stored by exactly one group;
 *   - outputs and new states are stored;
 *   - a group computes its roots and nothing that no root needs; a program op is the only root of its group;
 *   - what noFuse wants in memory is computed nowhere in place;
 *   - groups can run in some order: no group needs, through others, what it computes itself.
 */

import { CompileError } from "../errors.ts";
import { demanded, type Graph } from "../graph/graph.ts";
import type { Node } from "../graph/node.ts";
import { type Cover, type Group, isLeaf, isProgramNode, loadsOf } from "./group.ts";

export function verifyCover(graph: Graph, cover: Cover, policy: string): void {
  const fail = (message: string): never => {
    throw new CompileError(`fuse: the policy "${policy}" gave a cover that cannot run: ${message}`);
  };
  const show = (node: Node) => `${node.op.name} (node ${node.id}${scopeOf(graph, node)})`;
  const home = new Map<string, Group>();
  for (const group of cover.groups) {
    if (group.roots.length === 0) fail("a group stores nothing");
    for (const root of group.roots) {
      if (home.has(root.key)) fail(`${show(root.node)} is stored twice`);
      if (!group.nodes.has(root.node)) fail(`a group stores ${show(root.node)} without computing it`);
      home.set(root.key, group);
    }
    const programs = group.roots.filter((r) => isProgramNode(r.node));
    if (programs.length > 0 && group.roots.some((r) => r.node !== programs[0]!.node)) {
      fail(`${show(programs[0]!.node)} brings its own kernels and cannot share one`);
    }
    const needed = new Set<Node>();
    const stack = group.roots.map((r) => r.node);
    for (let n = stack.pop(); n; n = stack.pop()) {
      if (needed.has(n) || !group.nodes.has(n)) continue;
      needed.add(n);
      for (const t of n.inputs) stack.push(t.node);
    }
    for (const node of group.nodes) {
      if (isLeaf(node)) fail(`a group computes ${show(node)}, which is in memory already`);
      if (!needed.has(node)) fail(`a group computes ${show(node)} and nothing in it uses that`);
      if (node.op.barrier) {
        if (!group.roots.some((r) => r.node === node)) fail(`${show(node)} is not stored, against noFuse`);
        for (const user of group.nodes) {
          if (user.inputs.some((t) => t.node === node)) {
            fail(`${show(user)} computes ${show(node)} in place, against noFuse`);
          }
        }
      }
      if (isProgramNode(node) && !group.roots.some((r) => r.node === node)) {
        fail(`${show(node)} brings its own kernels and cannot be computed inside another group`);
      }
    }
  }
  for (const key of demanded(graph)) {
    if (!home.has(key)) fail(`the result ${key} is asked for and not stored`);
  }
  for (const group of cover.groups) {
    for (const t of loadsOf(group)) {
      if (!isLeaf(t.node) && !home.has(t.key)) fail(`${show(t.node)} is loaded and never stored`);
    }
  }
  assertAcyclic(cover.groups, home, (g) => fail(`${show(g.roots[0]!.node)} needs its own result`));
}

function assertAcyclic(
  groups: readonly Group[],
  home: ReadonlyMap<string, Group>,
  fail: (g: Group) => never,
): void {
  const state = new Map<Group, "open" | "done">();
  const visit = (g: Group): void => {
    if (state.get(g) === "done") return;
    if (state.get(g) === "open") fail(g);
    state.set(g, "open");
    for (const t of loadsOf(g)) {
      const producer = home.get(t.key);
      if (producer && producer !== g) visit(producer);
    }
    state.set(g, "done");
  };
  for (const g of groups) visit(g);
}

const scopeOf = (graph: Graph, node: Node): string => {
  const scope = graph.builder.scopes.get(node);
  return scope ? ` in ${scope}` : "";
};
