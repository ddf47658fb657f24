/**
 * A model: a function of tensors, traced once into a graph.
 *
 * Tracing runs the function with symbolic inputs; what it returns are the outputs, what it declared are the states. A
 * model never changes: `only`, `rename` and `trainStep` give new ones.
 */

import { callerOrigin, ShapeError } from "../errors.ts";
import { apply, GraphBuilder } from "../graph/build.ts";
import { substituteSizes } from "../graph/bind.ts";
import { noTensor } from "../graph/check_tensor.ts";
import { bindDim, type Dim, isDimName, type Shape } from "../graph/dim.ts";
import { dtypes } from "../graph/dtype.ts";
import { type Graph, inputName, makeGraph, type StateDecl, type StateWrite } from "../graph/graph.ts";
import { Tensor } from "../graph/node.ts";
import { inputOp } from "../../ops/leaves.ts";
import { recognizeAttention } from "../../ops/nn/attention_rule.ts";
import { eraseMarkers, type Phase, resolvePhase } from "./erase_markers.ts";
import type { Handles, Inputs, InputSpec } from "./input.ts";
import { withRandomState } from "./random_state.ts";
import { declarationsOf } from "./states.ts";

/** The outputs of a model by name. */
export type Outputs = Readonly<Record<string, Tensor>>;

/** Names of sizes to their new names or numbers. */
export type SizeNames = Readonly<Record<string, Dim>>;

export type RenamedShape<S extends Shape, N extends SizeNames> = {
  readonly [A in keyof S]: S[A] extends keyof N ? N[S[A]] : S[A];
};
export type RenamedInputs<I extends Inputs, N extends SizeNames> = {
  readonly [K in keyof I]: InputSpec<RenamedShape<I[K]["shape"], N>, I[K]["dtype"]>;
};
export type RenamedOutputs<O extends Outputs, N extends SizeNames> = {
  readonly [K in keyof O]: Tensor<RenamedShape<O[K]["shape"], N>, O[K]["dtype"]>;
};

/** A traced model: its inputs, outputs and states. Made by `model`, and never changed. */
export class Model<I extends Inputs = Inputs, O extends Outputs = Outputs> {
  #graph: Graph | undefined;
  #rewrites: readonly string[] | undefined;
  readonly #given: readonly string[] | undefined;

  /**
   * @param inputs What a run is given.
   * @param traced The graph as traced, with its markers.
   * @param phase What its programs are for; `trainStep` makes models for training.
   * @param rewrites What recognizing attention decided, where that is done: `trainStep` does it before the gradient.
   */
  constructor(
    readonly inputs: I,
    readonly traced: Graph,
    readonly phase: Phase = "inference",
    rewrites?: readonly string[],
  ) {
    this.#given = rewrites;
    this.#rewrites = rewrites;
  }

  /** The tensors returned, by name. */
  get outputs(): O {
    return this.traced.outputs as O;
  }

  get states(): readonly StateDecl[] {
    return this.traced.states;
  }

  get writes(): readonly StateWrite[] {
    return this.traced.writes;
  }

  /** The graph that is compiled: without markers, for this model's phase. */
  get graph(): Graph {
    if (this.#graph) return this.#graph;
    let graph = resolvePhase(this.traced, this.phase);
    if (!this.#rewrites) {
      const recognized = recognizeAttention(graph);
      graph = recognized.graph;
      this.#rewrites = recognized.decisions.map(({ text }) => text);
    }
    return this.#graph = withRandomState(eraseMarkers(graph));
  }

  /** Which plain ops became a composite in `graph`, and which only nearly did, with the reasons: for reports. */
  get rewrites(): readonly string[] {
    void this.graph;
    return this.#rewrites!;
  }

  /** This model with some of its outputs. State writes stay: they are not outputs. */
  only<K extends keyof O & string>(...keys: K[]): Model<I, Pick<O, K>> {
    const outputs: Record<string, Tensor> = {};
    for (const key of keys) {
      const output = this.outputs[key];
      if (!output) {
        throw new ShapeError(`only: no output "${key}"; the outputs are ${list(Object.keys(this.outputs))}`);
      }
      outputs[key] = output;
    }
    return new Model<I, Pick<O, K>>(
      this.inputs,
      makeGraph({ ...this.traced, outputs }),
      this.phase,
      this.#given,
    );
  }

  /** This model without inputs that its outputs (after `only`) do not need, such as labels. */
  without<K extends keyof I & string>(...names: K[]): Model<Omit<I, K>, O> {
    const kept = this.traced.inputs.filter((t) => !names.includes(inputName(t) as K));
    const graph = makeGraph({ ...this.traced, inputs: kept });
    for (const name of names) {
      if (!Object.hasOwn(this.inputs, name)) {
        throw new ShapeError(`without: no input "${name}"; the inputs are ${list(Object.keys(this.inputs))}`);
      }
      if (graph.nodes.some((n) => n.op === inputOp && n.attrs.name === name)) {
        throw new ShapeError(
          `without: the input "${name}" is needed by an output or a state; choose the outputs first: only(…)`,
        );
      }
    }
    const inputs = Object.fromEntries(
      Object.entries(this.inputs).filter(([name]) => !names.includes(name as K)),
    );
    return new Model<Omit<I, K>, O>(inputs as Omit<I, K>, graph, this.phase, this.#given);
  }

  /** This model with other names (or numbers) for its sizes: `rename({ seq: "source" })`. */
  rename<const N extends SizeNames>(names: N): Model<RenamedInputs<I, N>, RenamedOutputs<O, N>> {
    for (const [from, to] of Object.entries(names)) {
      if (!isDimName(from) || (typeof to === "string" && !isDimName(to))) {
        throw new ShapeError(`rename: "${from}" to "${to}": sizes are single names such as batch`);
      }
    }
    const inputs: Record<string, InputSpec> = {};
    for (const [name, { shape, dtype }] of Object.entries(this.inputs)) {
      inputs[name] = { shape: shape.map((d) => bindDim(d, names)), dtype };
    }
    return new Model(
      inputs as RenamedInputs<I, N>,
      substituteSizes(this.traced, names),
      this.phase,
      this.#given,
    );
  }

  /** This model as a program for training sees it: dropout drops, batch normalization uses the batch. */
  inTraining(): Model<I, O> {
    return new Model<I, O>(this.inputs, this.traced, "training");
  }
}

/**
 * Traces a model.
 *
 * @param inputs What a run is given, by name: `{ x: input(["batch", 784], "f32") }`.
 * @param f Computes the outputs from the inputs, in ops. It runs once, now.
 * @throws ShapeError where shapes, dtypes or names do not fit.
 * @example
 * ```ts
 * import { input, linear, model, relu } from "@weft/weft";
 *
 * const net = model({ x: input(["batch", 784], "f32") }, ({ x }) => {
 *   const hidden = linear(784, 128), out = linear(128, 10);
 *   return { logits: out(relu(hidden(x))) };
 * });
 * ```
 */
export function model<const I extends Inputs, O extends Outputs>(
  inputs: I,
  f: (inputs: Handles<I>) => O,
): Model<I, O> {
  checkInputs(inputs, f);
  const builder = new GraphBuilder();
  const handles: Record<string, Tensor> = {};
  const outputs = builder.use(() => {
    for (const [name, { shape, dtype }] of Object.entries(inputs)) {
      handles[name] = apply(inputOp, [], { name, shape, dtype });
    }
    return f(handles as Handles<I>);
  });
  for (const [name, output] of Object.entries(checkRecord(outputs))) checkOutput(builder, name, output);
  const { states, writes } = declarationsOf(builder);
  return new Model<I, O>(
    inputs,
    makeGraph({
      builder,
      inputs: Object.values(handles),
      outputs: { ...outputs },
      states: [...states.values()],
      writes: [...writes.values()],
    }),
  );
}

function checkInputs(inputs: unknown, f: unknown): void {
  if (typeof f !== "function") {
    throw new ShapeError(
      "model: takes its inputs and a function of them: model({ x: input(…) }, ({ x }) => ({ y: … }))",
    );
  }
  if (typeof inputs !== "object" || inputs === null || Array.isArray(inputs)) {
    throw new ShapeError('model: inputs are a record by name, such as { x: input(["batch", 784], "f32") }');
  }
  for (const [name, spec] of Object.entries(inputs)) {
    if (spec && Array.isArray(spec.shape) && dtypes.includes(spec.dtype)) continue;
    throw new ShapeError(`model: the input "${name}" is no input; use ${name}: input(["batch", 784], "f32")`);
  }
}

function checkRecord(outputs: unknown): Outputs {
  if (outputs instanceof Promise) {
    throw new ShapeError(
      "model: the function is async; a model is traced in one go, so make it a plain function",
    );
  }
  if (typeof outputs === "object" && outputs !== null && !(outputs instanceof Tensor)) {
    return outputs as Outputs;
  }
  throw new ShapeError("model: the function must return its outputs by name, such as { logits, loss }");
}

function checkOutput(builder: GraphBuilder, name: string, output: unknown): void {
  const origin = callerOrigin();
  if (!(output instanceof Tensor)) {
    throw new ShapeError(`model: the output "${name}" is ${noTensor(output)}`, { origin });
  }
  if (builder.nodes[output.node.id] !== output.node) {
    throw new ShapeError(
      `model: the output "${name}" belongs to another model; pass it in as an input, or build both in one function`,
      { origin },
    );
  }
}

/**
 * Runs `f` with one more name on the path of parameters, states and reports: `named("block0", () => …)`.
 *
 * @example
 * ```ts
 * import { input, linear, model, named, relu } from "@weft/weft";
 *
 * model({ x: input(["batch", 8], "f32") }, ({ x }) => {
 *   const block = (i: number) => named(`block${i}`, () => linear(8, 8)); // block0/linear/weight, …
 *   return { y: relu(block(1)(relu(block(0)(x)))) };
 * });
 * ```
 */
export function named<T>(name: string, f: () => T): T {
  if (!/^[A-Za-z0-9_.-]+$/.test(name)) {
    throw new ShapeError(`named: "${name}" is not a name; use letters, digits, "_", "-" and "."`);
  }
  return GraphBuilder.current("named").within(name, f);
}

/**
 * Runs `f`; a gradient computes its intermediate tensors again instead of keeping them. Less memory for more work.
 *
 * @example
 * ```ts
 * import { checkpoint, input, linear, model, relu } from "@weft/weft";
 *
 * model({ x: input(["batch", 8], "f32") }, ({ x }) => {
 *   const wide = linear(8, 512), back = linear(512, 8);
 *   return { y: checkpoint(() => back(relu(wide(x)))) }; // the 512 are computed again, not kept
 * });
 * ```
 */
export function checkpoint<T>(f: () => T): T {
  return GraphBuilder.current("checkpoint").checkpoint(f);
}

const list = (names: readonly string[]): string => names.map((n) => `"${n}"`).join(", ");
