/**
 * Why two ops share a kernel, or why they don't: for every pair of neighbors of a compiled program.
 *
 * What the policy decided it has said itself, with its reasons (`Decision`). For a pair that it never asked about, or only
 * in passing, the question is asked now: would one kernel be legal, could the kernels still run one after the other, and
 * what would the cost model give? The same functions answer that policies ask, so an explanation cannot drift from
 * what is explained.
 */

import type { Compiled } from "../compile.ts";
import { CompileError } from "../errors.ts";
import { Candidates } from "../fuse/candidates.ts";
import { bindingsOf } from "../fuse/expected_storage.ts";
import { type Decision, type Group, labelOf, loadsOf } from "../fuse/group.ts";
import { type Edit, Plan } from "../fuse/plan_edits.ts";
import { isRefused, type Refused, type Rule } from "../fuse/reason.ts";
import type { Node, Tensor } from "../graph/node.ts";
import { footprintOf } from "./footprint.ts";
import { edgesOf, type Neighbors, siblingsOf } from "./neighbors.ts";
import { type Place, Places } from "./places.ts";

/** Why two ops are in one kernel or in two, as plain data. */
export interface Explanation {
  /** `feeds`: b reads a's result; `siblings`: both read the same tensor; `strangers`: neither. */
  readonly relation: "feeds" | "siblings" | "strangers";
  readonly a: Place;
  readonly b: Place;
  /** Whether every kernel that computes b computes a too. */
  readonly fused: boolean;
  /** Of the kernels that compute b, how many compute a too. */
  readonly shared: { readonly kernels: number; readonly of: number };
  readonly rule: Rule;
  readonly because: string;
  /** Whether the policy gave this reason itself; else it was found out afterwards. */
  readonly decided: boolean;
  /** Where several kernels compute b: the one because of which none of them computes a. */
  readonly refusedBy?: string;
  /** The kernels that compute each, by label; one that computes both stands in both lists. */
  readonly kernels: { readonly a: readonly string[]; readonly b: readonly string[] };
  readonly numbers: PairNumbers;
  /** Of a result that is stored: what it would be to compute it in each kernel that reads it, asked of the final cover. */
  readonly inPlace?: InPlace;
}

/** Computing a stored result wherever it is read: why that cannot be, or milliseconds by the model, in place and stored. */
export type InPlace = Refused | {
  readonly kernels: number;
  readonly inPlaceMs: number;
  readonly storedMs: number;
};

/** What is known in numbers; of a pair in two kernels, about the one kernel that it could be. */
export interface PairNumbers {
  /** Milliseconds by the cost model of the kernels concerned, as one and as two. */
  readonly togetherMs?: number;
  readonly apartMs?: number;
  /** Bytes of traffic saved and operations repeated, as the policy counted. */
  readonly bytes?: number;
  readonly operations?: number;
  readonly bindings?: number;
  readonly bindingLimit: number;
  /** Numbers of 32 bits that each lane keeps in arrays of its own. */
  readonly registers?: number;
  readonly workgroupBytes?: number;
  readonly workgroupLimit: number;
}

/**
 * Explains a program: every pair of neighbors, or those that two texts name. Texts are `%12` (a number of the printed
 * graph), an op (`matmul`), an op in a scope (`block0/mlp/matmul`) or a line (`gpt.ts:71`).
 *
 * @throws CompileError where a text names nothing.
 * @example
 * ```ts
 * import { compile, explain, input, matmul, model, openDevice, printExplanations, relu } from "@weft/weft";
 *
 * const net = model({ x: input([8, 8], "f32") }, ({ x }) => ({ y: matmul(relu(matmul(x, x)), x) }));
 * using device = await openDevice({ device: "cpu" });
 * using program = await compile(net, { device });
 * console.log(printExplanations(explain(program.compiled, "relu", "matmul")));
 * ```
 */
export function explain(compiled: Compiled, a?: string, b?: string): readonly Explanation[] {
  const asked = new Explainer(compiled);
  if (a === undefined) return asked.all.map((pair) => asked.explain(pair));
  const [first, second] = [asked.find(a), b === undefined ? undefined : asked.find(b)];
  const isPair = (p: Neighbors, one: readonly Node[], other: readonly Node[] | undefined) =>
    one.includes(p.a) && (other?.includes(p.b) ?? true);
  const found = asked.all.filter((p) =>
    isPair(p, first, second) || (second ? isPair(p, second, first) : first.includes(p.b))
  );
  if (found.length > 0 || !second) return found.map((pair) => asked.explain(pair));
  return [asked.strangers(first[0]!, second.find((n) => n !== first[0]) ?? second[0]!)];
}

const nothing: Refused = { rule: "dependency", refused: "" };

class Explainer {
  readonly places: Places;
  readonly candidates: Candidates;
  readonly plan: Plan;
  readonly all: readonly Neighbors[];

  constructor(readonly compiled: Compiled) {
    const { graph, cover, target, cost, placement } = compiled;
    this.places = new Places(graph);
    // What fusion knew when it was asked last.
    const apart = new Set(placement.copies.map(({ state }) => state));
    this.candidates = new Candidates(graph, { limits: target.limits, cost, apart });
    this.plan = new Plan(this.candidates, cover.groups);
    this.all = [...edgesOf(graph), ...siblingsOf(cover.groups, this.candidates.estimates)];
  }

  find(text: string): readonly Node[] {
    const found = this.places.find(text);
    if (found.length > 0) return found;
    throw new CompileError(
      `explain: "${text}" names no op of the compiled graph; say a number such as %12, an op such as matmul, an op in a ` +
        "scope such as block0/matmul, or a line such as model.ts:12. Views and constants are in no kernel of their own",
    );
  }

  explain({ relation, a, b, tensor }: Neighbors): Explanation {
    const [homes, users] = [this.#groupsOf(a), this.#groupsOf(b)];
    const both = users.filter((g) => g.nodes.has(a));
    const fused = both.length === users.length && users.length > 0;
    const decision = this.#decisionOn(a, b, users, homes, fused);
    const apart = users.find((g) => !g.nodes.has(a)) ?? users[0]!;
    const home = homes.find((g) => g.roots.some((t) => t.key === tensor.key)) ?? homes[0]!;
    const asked = fused ? this.#together(a, both[0]!) : this.#apart(home, apart);
    const { rule, refused } = asked.no ?? nothing;
    const isStored = !fused && relation === "feeds" && home.roots.some((t) => t.key === tensor.key);
    return {
      relation,
      a: this.places.of(a),
      b: this.places.of(b),
      fused,
      shared: { kernels: both.length, of: users.length },
      rule: decision?.rule ?? (asked.no ? rule : "cost"),
      because: decision?.because ?? (asked.no ? refused : asked.because),
      decided: decision !== undefined,
      ...users.length > 1 && decision?.refusedBy &&
        { refusedBy: this.#name(this.#storing(decision.refusedBy)) },
      kernels: { a: homes.map((g) => this.#name(g)), b: users.map((g) => this.#name(g)) },
      numbers: {
        ...asked.numbers,
        ...decision && (decision.bytes !== 0 || decision.flops !== 0) &&
          { bytes: decision.bytes, operations: decision.flops },
      },
      ...isStored && { inPlace: this.#inPlace(tensor) },
    };
  }

  /** Two ops that share no memory, or only through others. */
  strangers(a: Node, b: Node): Explanation {
    const [homes, users] = [this.#groupsOf(a), this.#groupsOf(b)];
    const between = opBetween(a, b) ?? opBetween(b, a);
    const shared = homes.filter((g) => users.includes(g));
    const because = between
      ? `between them is ${between.op.name} (%${
        this.places.of(between).number
      }): no question of these two alone`
      : "neither reads the other's result, and no tensor is read by both in loops over one space";
    return {
      relation: "strangers",
      a: this.places.of(a),
      b: this.places.of(b),
      fused: shared.length > 0 && shared.length === users.length,
      shared: { kernels: shared.length, of: users.length },
      rule: "dependency",
      because,
      decided: false,
      kernels: { a: homes.map((g) => this.#name(g)), b: users.map((g) => this.#name(g)) },
      numbers: this.#limits,
    };
  }

  #groupsOf(node: Node): readonly Group[] {
    return this.compiled.cover.groups.filter((g) => g.nodes.has(node));
  }

  /** The kernel that stores a result of a node; it may be one of several by now. */
  #storing(node: Node): Group {
    const homes = this.#groupsOf(node);
    return homes.find((g) => g.roots.some((t) => t.node === node)) ?? homes[0]!;
  }

  /** What the policy said of the pair, or of the kernels they ended up in; the last word counts. */
  #decisionOn(
    a: Node,
    b: Node,
    users: readonly Group[],
    homes: readonly Group[],
    fused: boolean,
  ): Decision | undefined {
    const { decisions } = this.compiled.cover;
    const agreeing = decisions.filter((d) => d.fuse === fused);
    const exact = agreeing.findLast((d) => d.node === a && d.into === b || d.node === b && d.into === a);
    if (exact) return exact;
    const inUsers = (n: Node) => users.some((g) => g.roots.some((t) => t.node === n));
    const inHomes = (n: Node) => homes.some((g) => g.roots.some((t) => t.node === n));
    const about = agreeing.findLast((d) => d.node === a && inUsers(d.into));
    if (about || fused) return about;
    return agreeing.findLast((d) => inHomes(d.node) && inUsers(d.into) || inUsers(d.node) && inHomes(d.into));
  }

  /** The kernel that two are in, and what it would be like if the first were stored. */
  #together(a: Node, group: Group): Asked {
    const edit = this.plan.store(a);
    const footprint = footprintOf(group, this.compiled);
    const numbers = { ...this.#bindings(group), ...footprint };
    if (isRefused(edit)) {
      return { because: "one kernel with several results reads shared memory once", numbers };
    }
    const { togetherMs, apartMs } = flipped(this.#times(edit));
    return {
      because: `in one kernel ${saving(apartMs - togetherMs)}`,
      numbers: { ...numbers, togetherMs, apartMs },
    };
  }

  /** What one kernel of two would be like. */
  #apart(home: Group, user: Group): Asked {
    const edit = this.plan.merge(home, user);
    if (isRefused(edit)) return { no: edit, because: "", numbers: this.#limits };
    const [merged] = edit.add as [Omit<Group, "id">];
    const times = this.#times(edit);
    const numbers = { ...this.#bindings(merged), ...times };
    if (!this.plan.after(edit)) {
      const no: Refused = {
        rule: "cycle",
        refused: "a third kernel needs the result of one and feeds the other",
      };
      return { no, because: "", numbers };
    }
    const footprint = footprintOf(merged, this.compiled);
    const { sharedBytes } = this.compiled.target.limits;
    if (footprint && footprint.workgroupBytes > sharedBytes) {
      const refused =
        `the kernel would take ${footprint.workgroupBytes} bytes of workgroup memory, of ${sharedBytes}`;
      return {
        no: { rule: "workgroup memory", refused },
        because: "",
        numbers: { ...numbers, ...footprint },
      };
    }
    const because = `legal, but not what ${this.compiled.policy} came to; one kernel ${
      saving(times.apartMs - times.togetherMs)
    }`;
    return { because, numbers: { ...numbers, ...footprint } };
  }

  #inPlace(tensor: Tensor): InPlace {
    const edit = this.plan.inline(tensor);
    if (isRefused(edit)) return edit;
    const { togetherMs, apartMs } = this.#times(edit);
    return { kernels: edit.remove.length - 1, inPlaceMs: togetherMs, storedMs: apartMs };
  }

  #times({ remove, add }: Edit): { readonly togetherMs: number; readonly apartMs: number } {
    const msOf = (list: Edit["add"]) => list.reduce((n, g) => n + this.candidates.estimates.of(g).ms, 0);
    return { apartMs: msOf(remove), togetherMs: msOf(add) };
  }

  get #limits() {
    const { storageBuffers, sharedBytes } = this.compiled.target.limits;
    return { bindingLimit: storageBuffers, workgroupLimit: sharedBytes };
  }

  #bindings(group: Omit<Group, "id">) {
    const bindings = bindingsOf([...loadsOf(group), ...group.roots], this.candidates.storage);
    return { bindings, ...this.#limits };
  }

  #name(group: Group): string {
    return `${group.id} "${labelOf(this.compiled.graph, group)}"`;
  }
}

interface Asked {
  /** Why it could not be one kernel. */
  readonly no?: Refused;
  readonly because: string;
  readonly numbers: PairNumbers;
}

const flipped = ({ togetherMs, apartMs }: { readonly togetherMs: number; readonly apartMs: number }) => ({
  togetherMs: apartMs,
  apartMs: togetherMs,
});

const saving = (ms: number): string =>
  ms >= 0
    ? `saves ${ms.toPrecision(3)} ms by the model`
    : `costs ${(-ms).toPrecision(3)} ms more by the model`;

/** An op on a way from one to the other. */
function opBetween(from: Node, to: Node): Node | undefined {
  const stack = to.inputs.map((t) => [t.node, undefined as Node | undefined] as const);
  const seen = new Set<Node>();
  for (let next = stack.pop(); next; next = stack.pop()) {
    const [node, first] = next;
    if (node === from) return first;
    if (seen.has(node) || node.id < from.id) continue;
    seen.add(node);
    for (const t of node.inputs) stack.push([t.node, first ?? (node.op.view ? undefined : node)]);
  }
  return undefined;
}
