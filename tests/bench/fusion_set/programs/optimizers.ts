/** Updates of parameters by a gradient that is there already; two tensors, as a model has several. */

import {
  add,
  div,
  minimum,
  mul,
  rsqrt,
  setState,
  sign,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
} from "../../../../mod.ts";
import { floats, type FusionProgram, program } from "../program.ts";

type Vector = Tensor<readonly [number], "f32">;

const small = { first: 12, second: 7 };
const full = { first: 1_000_000, second: 300_000 };

/** The states of each parameter; those of second moments begin positive. */
interface Site {
  readonly parameter: Vector;
  readonly gradient: Vector;
  state(name: string, lo?: number): Vector;
}

const sites = ({ first, second }: typeof small): readonly Site[] =>
  [first, second].map((size, i) => ({
    parameter: floats(`p${i}`, [size]),
    gradient: floats(`g${i}`, [size]),
    state: (name, lo = -1) => floats(`${name}${i}`, [size], lo, 1),
  }));

/** a·old + b·new */
const mixed = (old: Vector, part: number, next: Vector): Vector => add(mul(old, part), mul(next, 1 - part));

/** A program that updates each parameter by itself. */
const optimizer = (
  name: string,
  ops: readonly string[],
  source: string,
  update: (site: Site) => void,
): FusionProgram =>
  program({
    name,
    ops,
    source,
    small,
    full,
    make(sizes) {
      sites(sizes).forEach(update);
      return {};
    },
  });

export const optimizers: readonly FusionProgram[] = [
  optimizer(
    "SGD with Nesterov momentum",
    ["scale", "add", "scale", "add", "scale", "subtract"],
    "Sutskever et al. 2013",
    ({ parameter, gradient, state }) => {
      const velocity = state("velocity");
      const next = add(mul(velocity, 0.9), gradient);
      setState(velocity, next);
      setState(parameter, sub(parameter, mul(add(mul(next, 0.9), gradient), 1e-4)));
    },
  ),
  optimizer(
    "RMSprop",
    ["square", "mix", "sqrt", "add", "divide", "scale", "subtract"],
    "Tieleman, Hinton: Lecture 6.5, 2012",
    ({ parameter, gradient, state }) => {
      const second = state("second", 0.1);
      const next = mixed(second, 0.99, square(gradient));
      setState(second, next);
      setState(parameter, sub(parameter, mul(div(gradient, add(sqrt(next), 1e-8)), 1e-4)));
    },
  ),
  optimizer(
    "AdamW",
    ["mix", "square", "mix", "scale", "sqrt", "add", "divide", "decay", "scale", "subtract"],
    "Loshchilov, Hutter: Decoupled Weight Decay Regularization, 2017",
    ({ parameter, gradient, state }) => {
      const [first, second] = [state("first"), state("second", 0.1)];
      const [m, v] = [mixed(first, 0.9, gradient), mixed(second, 0.999, square(gradient))];
      setState(first, m);
      setState(second, v);
      const step = div(mul(m, 1.1), add(sqrt(mul(v, 1.01)), 1e-8));
      setState(parameter, sub(parameter, mul(add(step, mul(parameter, 0.01)), 1e-4)));
    },
  ),
  optimizer(
    "Lion",
    ["mix", "sign", "decay", "add", "scale", "subtract", "mix"],
    "Chen et al.: Symbolic Discovery of Optimization Algorithms, 2023",
    ({ parameter, gradient, state }) => {
      const momentum = state("momentum");
      const step = add(sign(mixed(momentum, 0.9, gradient)), mul(parameter, 0.01));
      setState(parameter, sub(parameter, mul(step, 1e-4)));
      setState(momentum, mixed(momentum, 0.99, gradient));
    },
  ),
  optimizer(
    "Adadelta",
    ["square", "mix", "sqrt", "rsqrt", "multiply", "multiply", "square", "mix", "subtract"],
    "Zeiler: ADADELTA, 2012",
    ({ parameter, gradient, state }) => {
      const [second, delta] = [state("second", 0.1), state("delta", 0.1)];
      const next = mixed(second, 0.9, square(gradient));
      const step = mul(mul(sqrt(add(delta, 1e-6)), rsqrt(add(next, 1e-6))), gradient);
      setState(second, next);
      setState(delta, mixed(delta, 0.9, square(step)));
      setState(parameter, sub(parameter, mul(step, 1e-3)));
    },
  ),
  optimizer(
    "SGD and an average of weights",
    ["scale", "subtract", "mix"],
    "Polyak, Juditsky 1992; the EMA of diffusion models",
    ({ parameter, gradient, state }) => {
      const average = state("average");
      const next = sub(parameter, mul(gradient, 1e-4));
      setState(parameter, next);
      setState(average, mixed(average, 0.999, next));
    },
  ),
  program({
    name: "SGD with clipping by the global norm",
    ops: ["square", "sum", "square", "sum", "sqrt", "divide", "min", "scale", "scale", "subtract"],
    source: "Pascanu, Mikolov, Bengio 2013",
    small,
    full,
    make(sizes) {
      const all = sites(sizes);
      const [a, b] = all.map(({ gradient }) => sum(square(gradient)));
      const factor = minimum(div(1, add(sqrt(add(a!, b!)), 1e-6)), 1);
      for (const { parameter, gradient } of all) {
        setState(parameter, sub(parameter, mul(mul(gradient, factor), 1e-4)));
      }
      return {};
    },
  }),
];
