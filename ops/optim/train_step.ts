/**
 * A training step: a model, its gradient and an optimizer in one graph. All it changes is donated state, so one program
 * runs forward, backward and update without leaving the device.
 */

import { CompileError, ShapeError } from "../../compiler/errors.ts";
import { cotangents } from "../../compiler/autodiff/gradient.ts";
import type { GraphBuilder } from "../../compiler/graph/build.ts";
import { type Graph, makeGraph, type StateDecl } from "../../compiler/graph/graph.ts";
import { rewriteGraph } from "../../compiler/graph/rewrite.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { showType } from "../../compiler/graph/node.ts";
import { resolvePhase } from "../../compiler/model/erase_markers.ts";
import type { Inputs } from "../../compiler/model/input.ts";
import { Model, type Outputs } from "../../compiler/model/model.ts";
import { declarationsOf, declareAt, setState } from "../../compiler/model/states.ts";
import { add } from "../elementwise/arithmetic.ts";
import { cast } from "../elementwise/convert.ts";
import { recognizeAttention } from "../nn/attention_rule.ts";
import { zeros } from "../nn/init.ts";
import type { Optimizer, Scalar, Trained } from "./optimizer.ts";

/** Options of `trainStep`. */
export interface TrainStepOptions {
  /** Which parameters are trained. Default: all that the loss depends on. */
  readonly train?: (path: string) => boolean;
}

/**
 * The model that trains `model`: each run computes the outputs, the gradient of `loss`, and the new parameters.
 *
 * Parameters that the loss does not depend on stay as they are.
 *
 * @param model Has an output `loss`, a scalar.
 * @throws ShapeError when there is no such loss; CompileError when nothing can be trained.
 * @example
 * ```ts
 * import { adam, crossEntropy, input, linear, model, trainStep } from "@weft/weft";
 *
 * const net = model({ x: input(["batch", 4], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
 *   const body = linear(4, 8, { name: "body" }), head = linear(8, 3, { name: "head" });
 *   return { loss: crossEntropy(head(body(x)), y) };
 * });
 * const step = trainStep(net, adam({ rate: 1e-3 }), { train: (path) => path.startsWith("head/") });
 * console.log(step.states.map(({ path }) => path));
 * ```
 */
export function trainStep<
  I extends Inputs,
  O extends Outputs & { readonly loss: Tensor<readonly [], "f32"> },
>(
  model: Model<I, O>,
  optimizer: Optimizer,
  { train = () => true }: TrainStepOptions = {},
): Model<I, O> {
  if (!(model instanceof Model)) throw new ShapeError("trainStep: takes a model, as model(…) makes it");
  if (typeof optimizer?.update !== "function") {
    throw new ShapeError("trainStep: takes an optimizer, such as trainStep(model, adam({ rate: 1e-3 }))");
  }
  // Before the gradient, which would read the weights of plain attention and so keep them in memory.
  const { graph, decisions } = recognizeAttention(ownGraph(model.traced));
  const loss = graph.outputs["loss"];
  if (!loss) {
    const names = Object.keys(graph.outputs).map((name) => `"${name}"`).join(", ");
    throw new ShapeError(`trainStep: the model has no output "loss"; its outputs are ${names}`);
  }
  if (loss.shape.length > 0 || loss.dtype !== "f32") {
    throw new ShapeError(
      `trainStep: the loss is ${showType(loss)}; it must be f32[]: reduce it first (mean, sum)`,
    );
  }
  const { builder } = graph;
  const declared = declarationsOf(builder);
  for (const state of graph.states) declared.states.set(state.path, state);
  for (const write of graph.writes) declared.writes.set(write.state.node.attrs.path, write);
  builder.use(() => {
    const parameters = graph.states.filter((s) => s.role === "parameter" && train(s.path));
    const trained = gradientsFor(loss, parameters);
    if (trained.length === 0) {
      throw new CompileError(
        "trainStep: the loss depends on no parameter that is trained, so there is nothing to do; make layers or " +
          "parameter(…) inside the model, and see that `train` and stopGradient leave some",
      );
    }
    builder.fromHere(() => builder.within(optimizer.name, () => update(builder, optimizer, trained)));
  });
  const { states, writes } = declared;
  return new Model<I, O>(
    model.inputs,
    makeGraph({ ...graph, states: [...states.values()], writes: [...writes.values()] }),
    "training",
    decisions.map(({ text }) => text),
  );
}

interface TrainedState extends Trained {
  readonly state: StateDecl;
}

function gradientsFor(loss: Tensor, parameters: readonly StateDecl[]): TrainedState[] {
  const flows = cotangents(loss, parameters.map((p) => p.tensor));
  return parameters.flatMap((state, i) => {
    const gradient = flows[i];
    if (!gradient) return [];
    const { path, tensor } = state;
    return [{ state, path, parameter: cast(tensor, "f32"), gradient: cast(gradient, "f32") }];
  });
}

function update(builder: GraphBuilder, optimizer: Optimizer, trained: readonly TrainedState[]): void {
  const { name } = optimizer;
  const f32 = { role: "state", dtype: "f32", initializer: zeros() } as const;
  const step = declareAt(builder, { ...f32, path: `${name}/step`, shape: [], dtype: "i32" });
  const updated = optimizer.update({
    trained,
    step: cast(step, "f32") as Scalar,
    slots(slot) {
      const values = trained.map(({ path, parameter }) =>
        declareAt(builder, { ...f32, path: `${name}/${slot}/${path}`, shape: parameter.shape })
      );
      return { values, advance: (next) => next.forEach((value, i) => setState(values[i]!, value)) };
    },
  });
  trained.forEach(({ state }, i) => setState(state.tensor, cast(updated[i]!, state.tensor.dtype)));
  setState(step, add(step, 1));
}

/** The graph for training, with a builder of its own: the model's stays as it is. */
function ownGraph(traced: Graph): Graph {
  const resolved = resolvePhase(traced, "training");
  return resolved.builder === traced.builder ? rewriteGraph(resolved) : resolved;
}
