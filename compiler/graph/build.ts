/**
 * The graph builder: an interning table of nodes with side tables for what changes no meaning.
 *
 * Op functions take no builder argument, or every layer would carry one. Instead `GraphBuilder.use` makes a builder
 * current for the length of one synchronous call (tracing a model, growing a gradient); there is no other global.
 */

import { callerOrigin, CapturedOrigin, type Origin, ShapeError } from "../errors.ts";
import { checkTensor } from "./check_tensor.ts";
import { type Shape, showShape } from "./dim.ts";
import type { Node, TensorType } from "./node.ts";
import { Tensor } from "./node.ts";
import type { Op } from "./op.ts";

let current: GraphBuilder | undefined;

/** One call of `fuse(…)`, which is known by its identity. */
export interface Fusion {
  readonly origin: Origin | undefined;
}

/** Origins kept per node; equal nodes written in many places keep the first few (SEMANTICS §1). */
const maxOrigins = 4;

export class GraphBuilder {
  readonly nodes: Node[] = [];
  /** Where in the user's source a node was asked for; most are never looked at. */
  readonly #origins = new Map<Node, CapturedOrigin[]>();
  /** The scope path a node was first made in. */
  readonly scopes = new Map<Node, string>();
  /** In a rewritten graph: the node of an earlier graph in whose place a node stands; absent for what a pass adds. */
  readonly standsFor = new Map<Node, Node>();
  #standing: Node | undefined;
  readonly #table = new Map<string, Node>();
  readonly #counters = new Map<string, number>();
  #scope: string[] = [];
  /** Set while copies are made on purpose: part of the interning key. */
  instance = 0;
  #instances = 0;
  /** The checkpoints a node was made in, outermost first ("1/3"): the gradient recomputes such nodes. */
  readonly checkpoints = new Map<Node, string>();
  #checkpoint = "";
  /** The `fuse(…)` that a node was made in: such nodes become one kernel. */
  readonly fusions = new Map<Node, Fusion>();
  #fusion: Fusion | undefined;
  /** Where new nodes come from while a pass makes them for an older node; undefined: look at the caller. */
  #onBehalf: readonly CapturedOrigin[] | undefined;

  /** Makes this builder current while `f` runs. */
  use<T>(f: () => T): T {
    const before = current;
    current = this;
    try {
      return f();
    } finally {
      current = before;
    }
  }

  static current(what: string): GraphBuilder {
    if (current) return current;
    throw new ShapeError(`${what} is part of a graph and must be called inside model(…, (inputs) => …)`);
  }

  get scope(): string {
    return this.#scope.join("/");
  }

  /** Runs `f` with one more element on the scope path. */
  within<T>(name: string, f: () => T): T {
    this.#scope.push(name);
    try {
      return f();
    } finally {
      this.#scope.pop();
    }
  }

  /** Runs `f` on scope path `scope` (a gradient's nodes belong where their forward node was made). */
  at<T>(scope: string, f: () => T): T {
    const before = this.#scope;
    this.#scope = scope === "" ? [] : scope.split("/");
    try {
      return f();
    } finally {
      this.#scope = before;
    }
  }

  /** Runs `f`, whose nodes serve `node` (of builder `from`): its source lines and its scope are theirs. */
  onBehalfOf<T>(node: Node, f: () => T, from: GraphBuilder = this): T {
    const before = this.#onBehalf;
    this.#onBehalf = from.#origins.get(node) ?? [];
    try {
      return this.at(from.scopes.get(node) ?? "", f);
    } finally {
      this.#onBehalf = before;
    }
  }

  /** Runs `f`, whose nodes all come from the line that is calling: one look at the stack serves them all. */
  fromHere<T>(f: () => T): T {
    if (this.#onBehalf) return f();
    this.#onBehalf = [new CapturedOrigin()];
    try {
      return f();
    } finally {
      this.#onBehalf = undefined;
    }
  }

  /** Runs `f`, whose nodes are recomputed by a gradient instead of kept for it. */
  checkpoint<T>(f: () => T): T {
    const number = this.newInstance();
    return this.#inCheckpoint(this.#checkpoint === "" ? `${number}` : `${this.#checkpoint}/${number}`, f);
  }

  #inCheckpoint<T>(checkpoint: string, f: () => T): T {
    const before = this.#checkpoint;
    this.#checkpoint = checkpoint;
    try {
      return f();
    } finally {
      this.#checkpoint = before;
    }
  }

  /** Runs `f`, whose nodes are to be one kernel; within another `fuse` they belong to that one's. */
  fuse<T>(f: () => T): T {
    return this.#inFusion(this.#fusion ?? { origin: callerOrigin() }, f);
  }

  /** Makes one kernel of the ops that gave some tensors, and of what lies between them. */
  fuseTogether(tensors: readonly Tensor[]): void {
    for (const t of tensors) {
      const { name } = throughViews(t).node.op;
      if (this.nodes[t.node.id] !== t.node) throw new ShapeError(`fuse: ${name} belongs to another model`);
      if (name === "input" || name === "state") {
        throw new ShapeError(`fuse: this ${name} is in memory already; no kernel computes it`);
      }
    }
    const fusion: Fusion = { origin: callerOrigin() };
    for (const node of spanOf(tensors.map((t) => throughViews(t).node))) {
      if (this.fusions.has(node)) {
        throw new ShapeError(
          `fuse: ${node.op.name} belongs to another fuse(…) already, and an op is in one kernel; put all into one fuse`,
        );
      }
      this.fusions.set(node, fusion);
    }
  }

  #inFusion<T>(fusion: Fusion | undefined, f: () => T): T {
    const before = this.#fusion;
    this.#fusion = fusion;
    try {
      return f();
    } finally {
      this.#fusion = before;
    }
  }

  /** A builder for a rewritten graph: empty, and its names and numbers go on from this one's. */
  successor(): GraphBuilder {
    const next = new GraphBuilder();
    for (const [key, n] of this.#counters) next.#counters.set(key, n);
    next.#instances = this.#instances;
    return next;
  }

  /** Runs `f`, whose nodes take the place of `node` of builder `from`: its instance and side tables are theirs. */
  replacing<T>(node: Node, from: GraphBuilder, f: () => T): T {
    const before = this.instance;
    const standing = this.#standing;
    this.instance = node.instance;
    this.#standing = from.standsFor.get(node) ?? node;
    try {
      return this.#inFusion(
        from.fusions.get(node),
        () => this.#inCheckpoint(from.checkpoints.get(node) ?? "", () => this.onBehalfOf(node, f, from)),
      );
    } finally {
      this.instance = before;
      this.#standing = standing;
    }
  }

  /** `linear`, `linear_1`, …: names in order of creation within the current scope. */
  unique(base: string): string {
    const key = `${this.scope}/${base}`;
    const n = this.#counters.get(key) ?? 0;
    this.#counters.set(key, n + 1);
    return n === 0 ? base : `${base}_${n}`;
  }

  /** A new number for copies that interning must keep apart. */
  newInstance(): number {
    return ++this.#instances;
  }

  /** The node for this op, inputs and attributes: made, or found. */
  node<Attrs>(op: Op<Attrs>, inputs: readonly Tensor[], attrs: Attrs): Node {
    inputs.forEach((input, i) => checkTensor(op.name, input, i));
    const key = `${op.name}|${inputs.map((t) => t.key).join()}|${JSON.stringify(attrs)}|${this.instance}`;
    let node = this.#table.get(key);
    if (!node) {
      for (const input of inputs) {
        if (this.nodes[input.node.id] !== input.node) {
          throw new ShapeError(
            `${op.name}: ${input} belongs to another model; pass it in as an input instead`,
          );
        }
      }
      const types: readonly TensorType[] = op.infer(
        inputs.map((t) => ({ shape: t.shape, dtype: t.dtype })),
        attrs,
      );
      for (const { shape } of types) checkSizes(op.name, shape);
      node = { id: this.nodes.length, op, inputs, attrs, types, instance: this.instance };
      this.nodes.push(node);
      this.#table.set(key, node);
      this.scopes.set(node, this.scope);
      if (this.#standing) this.standsFor.set(node, this.#standing);
      if (this.#checkpoint !== "") this.checkpoints.set(node, this.#checkpoint);
    }
    if (this.#fusion && !this.fusions.has(node)) this.fusions.set(node, this.#fusion);
    this.#remember(node);
    return node;
  }

  /** Where in the user's source a node was asked for: several places where equal nodes were. */
  originsOf(node: Node): readonly Origin[] {
    const found: Origin[] = [];
    for (const { origin } of this.#origins.get(node) ?? []) {
      if (origin && !found.some((o) => o.file === origin.file && o.line === origin.line)) found.push(origin);
    }
    return found;
  }

  #remember(node: Node): void {
    let known = this.#origins.get(node);
    if (!known) this.#origins.set(node, known = []);
    for (const origin of this.#onBehalf ?? (known.length < maxOrigins ? [new CapturedOrigin()] : [])) {
      if (known.length < maxOrigins && !known.includes(origin)) known.push(origin);
    }
  }
}

/** What a chain of views shows. */
function throughViews(t: Tensor): Tensor {
  while (t.node.op.view && t.node.inputs.length === 1) t = t.node.inputs[0]!;
  return t;
}

/** Some nodes, and every node on a way from one of them to another. */
function spanOf(ends: readonly Node[]): ReadonlySet<Node> {
  const first = Math.min(...ends.map((n) => n.id));
  const span = new Set(ends);
  const known = new Map<Node, boolean>();
  /** Does it lie above one of the ends? */
  const reaches = (node: Node): boolean => {
    if (node.id < first) return false;
    let found = known.get(node);
    if (found !== undefined) return found;
    found = false;
    for (const { node: input } of node.inputs) if (reaches(input) || ends.includes(input)) found = true;
    known.set(node, found);
    return found;
  };
  const seen = new Set<Node>();
  const stack = ends.flatMap((n) => n.inputs.map((t) => t.node));
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    if (!reaches(node)) continue;
    span.add(node);
    stack.push(...node.inputs.map((t) => t.node));
  }
  return span;
}

/** A size that is a number is one of elements; those with names are checked when they are bound. */
function checkSizes(op: string, shape: Shape): void {
  const wrong = shape.find((d) => typeof d === "number" && !(Number.isSafeInteger(d) && d >= 0));
  if (wrong === undefined) return;
  throw new ShapeError(
    `${op}: ${wrong} in ${showShape(shape)} is not a size; a size is a whole number from 0 up`,
  );
}

/** Applies an op with one result in the current graph. */
export function apply<Attrs>(op: Op<Attrs>, inputs: readonly Tensor[], attrs: Attrs): Tensor {
  return new Tensor(GraphBuilder.current(op.name).node(op, inputs, attrs), 0);
}

/** Applies an op with several results. */
export function applyAll<Attrs>(op: Op<Attrs>, inputs: readonly Tensor[], attrs: Attrs): readonly Tensor[] {
  const node = GraphBuilder.current(op.name).node(op, inputs, attrs);
  return node.types.map((_, i) => new Tensor(node, i));
}
