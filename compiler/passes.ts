/**
 * The passes of a compile: a list that a user may reorder, replace, add to, or take from by name. Those on a graph run
 * before fusion, in the list's order; one on the placement runs after it.
 *
 *     simplify        first, since every later stage has less to look at then; a rule may make an output of an input
 *     isolate         after it, for that reason: whatever is demanded is then computed by exactly one group
 *     rematerialize   last before fusion, which then finds a kernel that computes a copy in passing
 *     pack            when it is known which updates are in place, and so which buffers may lie side by side
 *
 * Each is a pure function and each result is held to the same rules: the graph is well formed, it has the inputs,
 * outputs and states that it had, of the same types. What a pass may not change is the meaning; no rule can check that,
 * so tests compare what programs compute with each pass switched off.
 *
 * Attention is not recognized here but before the gradient, when a training step is made: afterwards it would be too
 * late. `expandComposites` undoes it.
 */

import { CompileError, InternalError } from "./errors.ts";
import { sameShape } from "./graph/dim.ts";
import { demanded, type Graph, inputName } from "./graph/graph.ts";
import { showType, type Tensor } from "./graph/node.ts";
import { verifyGraph } from "./graph/verify.ts";
import { OwnWorks } from "./fuse/own_work.ts";
import { rematerialize } from "./fuse/rematerialize.ts";
import type { CostModel } from "./fuse/worthwhile.ts";
import { packGroups, type Packing, type PackOptions } from "./memory/pack.ts";
import type { Placement } from "./memory/placement.ts";
import { expandComposites as expanded } from "./simplify/expand_composites.ts";
import { isolateResults } from "./simplify/isolate.ts";
import { checkRule } from "./simplify/pattern.ts";
import { type Rule, rules } from "./simplify/rules.ts";
import { otherSteps, simplify } from "./simplify/simplify.ts";

interface Named {
  readonly name: string;
  /** Names of what it is made of that can be switched off by itself. */
  readonly parts?: readonly string[];
  /** The pass without one of its parts. */
  without?(part: string): Pass;
}

/** Makes another graph of the same meaning. */
export interface GraphPass extends Named {
  readonly on: "graph";
  run(graph: Graph, site: { readonly cost: CostModel }): Graph;
}

/** Makes one kernel of several groups that are placed already. */
export interface PlacementPass extends Named {
  readonly on: "placement";
  run(placement: Placement, site: PackOptions): Packing;
}

export type Pass = GraphPass | PlacementPass;

const simplifyWithout = (off: ReadonlySet<string>): GraphPass => ({
  name: "simplify",
  on: "graph",
  parts: [...otherSteps, ...rules.map((rule) => rule.name)].filter((part) => !off.has(part)),
  without: (part) => simplifyWithout(new Set([...off, part])),
  run: (graph) => simplify(graph, undefined, { without: off }),
});

/** The passes that ship, in the order in which they run. */
export const passes: readonly Pass[] = [
  simplifyWithout(new Set()),
  { name: "isolate", on: "graph", run: isolateResults },
  {
    name: "rematerialize",
    on: "graph",
    run: (graph, { cost }) => rematerialize(graph, cost, new OwnWorks()),
  },
  { name: "pack", on: "placement", run: packGroups },
];

/** Not in the list: attention in plain ops, to see what its own kernels are worth. Put it first. */
export const expandComposites: GraphPass = {
  name: "expand composites",
  on: "graph",
  run: expanded,
};

/**
 * A pass that applies rules of your own wherever they fit, to be put into a list of passes. Each rule is an equation in ops
 * without attributes; names stand for any tensor, numbers for a tensor that is this number everywhere.
 *
 * @throws CompileError where a rule names an op that there is not, or a tensor on its right side only.
 * @example
 * ```ts
 * import { compileGraph } from "./compile.ts";
 * import { passes, rewritePass } from "./passes.ts";
 * import { testTarget } from "./target.ts";
 * import { input, model, neg, sub, term } from "../mod.ts";
 *
 * const turned = rewritePass("turn differences", [{
 *   name: "negated difference",
 *   from: term("neg", term("sub", "x", "y")),
 *   to: term("sub", "y", "x"),
 *   because: "both round the same real number; only the sign of a zero may differ",
 * }]);
 * const net = model({ x: input([8], "f32"), y: input([8], "f32") }, ({ x, y }) => ({ z: neg(sub(x, y)) }));
 * const { graph } = compileGraph(net.graph, { target: testTarget, passes: [turned, ...passes] });
 * console.log(graph.nodes.map((node) => node.op.name)); // without neg
 * ```
 */
export function rewritePass(name: string, own: readonly Rule[]): GraphPass {
  own.forEach(checkRule);
  const without = new Set<string>(otherSteps);
  return {
    name,
    on: "graph",
    parts: own.map((rule) => rule.name),
    without: (part) => rewritePass(name, own.filter((rule) => rule.name !== part)),
    run: (graph) => simplify(graph, undefined, { rules: own, without }),
  };
}

/**
 * A list of passes without some, by name; the rules of `simplify` have names too.
 *
 * @throws CompileError where nothing has such a name.
 * @example
 * ```ts
 * import { compileGraph } from "./compile.ts";
 * import { passes, withoutPasses } from "./passes.ts";
 * import { testTarget } from "./target.ts";
 * import { add, input, model, mul } from "../mod.ts";
 *
 * const net = model({ x: input([8], "f32") }, ({ x }) => ({ y: add(mul(x, 1), 2) }));
 * const { graph } = compileGraph(net.graph, { target: testTarget, passes: withoutPasses(passes, "times one", "pack") });
 * console.log(graph.nodes.map((node) => node.op.name)); // with the product
 * ```
 */
export function withoutPasses(list: readonly Pass[], ...names: readonly string[]): readonly Pass[] {
  return names.reduce((left, name) => {
    if (left.some((pass) => pass.name === name)) return left.filter((pass) => pass.name !== name);
    if (!left.some((pass) => pass.parts?.includes(name))) {
      const known = list.flatMap((pass) => [pass.name, ...pass.parts ?? []]);
      throw new CompileError(
        `passes: there is no pass and no rule "${name}"; there are ${known.map((k) => `"${k}"`).join(", ")}`,
      );
    }
    return left.map((pass) => pass.parts?.includes(name) ? pass.without!(name) : pass);
  }, list);
}

/**
 * The pass that runs after fusion, if there is one.
 *
 * @throws CompileError where there are several: each would undo the one before.
 */
export function packingPass(list: readonly Pass[]): PlacementPass | undefined {
  const found = list.filter((pass) => pass.on === "placement");
  if (found.length < 2) return found[0];
  const names = found.map((pass) => `"${pass.name}"`).join(" and ");
  throw new CompileError(`passes: ${names} would both decide what runs as one kernel; leave one out`);
}

/**
 * Holds a pass to its promises.
 *
 * @throws CompileError, naming the pass.
 */
export function verifyPass(before: Graph, after: Graph, name: string): void {
  const fail = (what: string): never => {
    throw new CompileError(`the pass "${name}" gave a graph that cannot be compiled: ${what}`);
  };
  try {
    verifyGraph(after, name);
  } catch (error) {
    if (error instanceof InternalError) fail(error.what);
    throw error;
  }
  const list = (all: readonly (readonly [string, Tensor])[]) => all.map(([key]) => key).join(", ") || "none";
  const same = (
    what: string,
    one: readonly (readonly [string, Tensor])[],
    other: readonly (readonly [string, Tensor])[],
  ) => {
    if (list(one) !== list(other)) fail(`its ${what} are ${list(other)}, and were ${list(one)}`);
    one.forEach(([key, t], i) => {
      const [, now] = other[i]!;
      if (now.dtype === t.dtype && sameShape(now.shape, t.shape)) return;
      fail(`"${key}" of its ${what} is ${showType(now)}, and was ${showType(t)}`);
    });
  };
  const inputsOf = ({ inputs }: Graph) => inputs.map((t) => [inputName(t), t] as const);
  const writesOf = ({ writes }: Graph) =>
    writes.map(({ state, value }) => [state.node.attrs.path as string, value] as const);
  same("inputs", inputsOf(before), inputsOf(after));
  same("outputs", Object.entries(before.outputs), Object.entries(after.outputs));
  same("state writes", writesOf(before), writesOf(after));
}

/**
 * What fusion needs: each result is computed, by a node of its own.
 *
 * @throws CompileError where two results are one tensor, or one is in memory already: what `isolate` sees to.
 */
export function verifyDemands(graph: Graph, list: readonly Pass[]): void {
  const results = Object.keys(graph.outputs).length + graph.writes.length;
  const given = [...Object.entries(graph.outputs), ...graph.writes.map((w) => ["a state", w.value] as const)]
    .find(([, t]) => ["input", "state", "constant"].includes(t.node.op.name));
  if (demanded(graph).size === results && !given) return;
  const what = given ? `${given[0]} is ${given[1].node.op.name} itself` : "two results are one tensor";
  throw new CompileError(
    `the passes [${
      list.map((pass) => pass.name).join(", ")
    }] leave results that no kernel stores: ${what}. ` +
      'Let "isolate" run after the last pass that rewrites the graph.',
  );
}
