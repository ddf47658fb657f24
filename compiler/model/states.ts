/**
 * Parameters, states and their writes, declared while a model is traced.
 *
 * A state's path is its scope and its name (`block0/linear/weight`): the key in a checkpoint, and where its first
 * numbers come from. A path stands for one state.
 */

import { CapturedOrigin, type Origin, ShapeError, showOrigin } from "../errors.ts";
import { apply, GraphBuilder } from "../graph/build.ts";
import { type Shape, showShape } from "../graph/dim.ts";
import type { DType } from "../graph/dtype.ts";
import { sameShape } from "../graph/dim.ts";
import type { Initializer, StateDecl, StateRole, StateWrite } from "../graph/graph.ts";
import { showType, type Tensor } from "../graph/node.ts";
import { stateOp } from "../../ops/leaves.ts";
import { checkDType, checkShape } from "./input.ts";

/** What a trace has declared so far, by path. */
export interface Declarations {
  readonly states: Map<string, StateDecl>;
  readonly writes: Map<string, StateWrite>;
}

const declarations = new WeakMap<GraphBuilder, Declarations>();

export function declarationsOf(builder: GraphBuilder): Declarations {
  let found = declarations.get(builder);
  if (!found) declarations.set(builder, found = { states: new Map(), writes: new Map() });
  return found;
}

/**
 * A tensor that the optimizer changes: weights, biases.
 *
 * @param name Its name within the scope; the path is the scope and the name.
 * @param init Its first contents, e.g. `init.zeros()` or `init.normal(0.02)`.
 * @throws ShapeError when the path is taken.
 * @example
 * ```ts
 * import { init, input, matmul, model, parameter } from "@weft/weft";
 *
 * model({ x: input(["batch", 3], "f32") }, ({ x }) => {
 *   const weight = parameter("weight", [3, 5], init.normal(0.02));
 *   return { y: matmul(x, weight) };
 * });
 * ```
 */
export function parameter<const S extends Shape, D extends DType = "f32">(
  name: string,
  shape: S,
  init: Initializer,
  dtype: D = "f32" as D,
): Tensor<S, D> {
  return declare("parameter", name, shape, init, dtype) as Tensor<S, D>;
}

/**
 * A tensor that stays on the device between runs and changes by `setState` only.
 *
 * @example
 * ```ts
 * import { add, init, input, model, setState, state } from "@weft/weft";
 *
 * model({ x: input([3], "f32") }, ({ x }) => {
 *   const total = state("total", [3], init.zeros());
 *   const next = add(total, x);
 *   setState(total, next);
 *   return { total: next };
 * });
 * ```
 */
export function state<const S extends Shape, D extends DType = "f32">(
  name: string,
  shape: S,
  init: Initializer,
  dtype: D = "f32" as D,
): Tensor<S, D> {
  return declare("state", name, shape, init, dtype) as Tensor<S, D>;
}

function declare(
  role: StateRole,
  name: string,
  shape: Shape,
  initializer: Initializer,
  dtype: DType,
): Tensor {
  const builder = GraphBuilder.current(role);
  checkShape(`${role} "${name}"`, shape);
  checkDType(`${role} "${name}"`, dtype);
  if (!/^[A-Za-z0-9_.-]+$/.test(name)) {
    throw new ShapeError(`${role}: "${name}" is not a name; use letters, digits, "_", "-" and "."`);
  }
  if (typeof initializer !== "function") {
    throw new ShapeError(
      `${role} "${name}": needs an initializer, such as init.zeros() or init.normal(0.02)`,
    );
  }
  const path = builder.scope === "" ? name : `${builder.scope}/${name}`;
  return declareAt(builder, { role, path, shape, dtype, initializer });
}

/** Declares a state by its full path, whatever the scope. */
export function declareAt(
  builder: GraphBuilder,
  { role, path, shape, dtype, initializer }: {
    role: StateRole;
    path: string;
    shape: Shape;
    dtype: DType;
    initializer: Initializer;
  },
): Tensor {
  const { states } = declarationsOf(builder);
  const known = states.get(path);
  if (known) {
    throw new ShapeError(
      `${role}: "${path}" is declared twice${
        earlier(known.origin?.origin)
      }. Give one another name (or wrap it in ` +
        `named("…", …)), or use the first tensor again to share it`,
    );
  }
  const tensor = builder.use(() => apply(stateOp, [], { path, shape, dtype, role }));
  states.set(path, { tensor, path, role, initializer, origin: new CapturedOrigin() });
  return tensor;
}

/**
 * What a state holds after the run. Reads in this run see the old contents.
 *
 * @throws ShapeError when `state` is none, when the types differ, or when it is written already.
 * @example A counter of runs
 * ```ts
 * import { add, init, input, model, setState, state } from "@weft/weft";
 *
 * model({ x: input([], "f32") }, ({ x }) => {
 *   const runs = state("runs", [], init.zeros(), "i32");
 *   setState(runs, add(runs, 1));
 *   return { x, runs };
 * });
 * ```
 */
export function setState<S extends Shape, D extends DType>(
  state: Tensor<S, D>,
  value: Tensor<NoInfer<S>, NoInfer<D>>,
): void {
  const builder = GraphBuilder.current("setState");
  if (state.node.op !== stateOp) {
    throw new ShapeError(
      `setState: ${state} is computed; only what parameter(…) or state(…) returned can be written`,
    );
  }
  const path: string = state.node.attrs.path;
  if (!sameShape(state.shape, value.shape) || state.dtype !== value.dtype) {
    throw new ShapeError(
      `setState: "${path}" is ${showType(state)} and the new value is ${
        showType(value)
      }; they must be equal` +
        (state.dtype !== value.dtype ? `; use cast(value, "${state.dtype}")` : ""),
    );
  }
  const { writes } = declarationsOf(builder);
  const known = writes.get(path);
  if (known) {
    throw new ShapeError(
      `setState: "${path}" is written twice in one program${
        earlier(known.origin?.origin)
      }. A state has one new value per ` +
        "run: combine the two values first",
    );
  }
  writes.set(path, { state, value, origin: new CapturedOrigin() });
}

const earlier = (origin: Origin | undefined): string => origin ? `; first at ${showOrigin(origin)}` : "";

/** For shapes in messages of callers that hold a declaration. */
export const showState = (s: StateDecl): string => `${s.path} ${s.tensor.dtype}${showShape(s.tensor.shape)}`;
