/**
 * Whether sizes are too large for any plan: what is fed, kept or returned lies in memory as a whole, however ops are fused.
 * Asked as soon as sizes are known, when it can still be said which of them it was.
 */

import { CompileError } from "../errors.ts";
import { bindDim, elementsOf, namesOf, type Shape, type Sizes } from "../graph/dim.ts";
import { deviceBytes } from "../graph/dtype.ts";
import { type Graph, inputName } from "../graph/graph.ts";
import { showType, type Tensor } from "../graph/node.ts";
import type { TargetLimits } from "../target.ts";
import { whyTooLarge } from "./too_large.ts";

/**
 * @param traced The graph whose sizes have names.
 * @param bound The same with numbers.
 * @throws CompileError with the tensor, its bytes, the size that made them so many, and the largest that would do.
 */
export function checkSizes(
  traced: Graph,
  bound: Graph,
  sizes: Sizes,
  limits: Pick<TargetLimits, "bindingBytes">,
): void {
  const read = new Set(bound.nodes.flatMap((node) => node.inputs.map((t) => t.node)));
  const returned = new Set(
    [...Object.values(bound.outputs), ...bound.writes.map((w) => w.value)].map((t) => t.key),
  );
  const named = new Map(traced.states.map((s) => [s.path, s.tensor]));
  const held: (readonly [what: string, now: Tensor, before: Tensor])[] = [
    ...bound.inputs.map((t, i) => [`the input "${inputName(t)}"`, t, traced.inputs[i]!] as const),
    ...bound.states.map(({ path, tensor }) => [`the state "${path}"`, tensor, named.get(path)!] as const),
    ...Object.entries(bound.outputs).map(([name, t]) =>
      [`the output "${name}"`, t, traced.outputs[name]!] as const
    ),
  ];
  for (const [what, now, before] of held) {
    // What no kernel reads needs no binding.
    if (!read.has(now.node) && !returned.has(now.key)) continue;
    const why = (shape: Shape) => {
      const elements = Number(elementsOf(shape));
      return whyTooLarge(elements * deviceBytes(now.dtype), elements, limits.bindingBytes);
    };
    const because = why(now.shape);
    if (because === undefined) continue;
    throw new CompileError(
      `memory: ${what}, ${showType(now)}, is too large: ${because}; ` +
        advice(before.shape, sizes, (shape) => why(shape) === undefined),
      { origin: bound.builder.originsOf(now.node)[0] },
    );
  }
}

/** Which size to make smaller, and how small. */
function advice(shape: Shape, sizes: Sizes, fits: (shape: Shape) => boolean): string {
  const names = [...new Set(shape.flatMap(namesOf))].filter((name) => sizes[name] !== undefined);
  if (names.length === 0) return "make it smaller (a batch, a vocabulary), or compute it in parts";
  const name = names.reduce((a, b) => sizes[b]! > sizes[a]! ? b : a);
  const fitting = (size: number) => fits(shape.map((d) => bindDim(d, { ...sizes, [name]: size })));
  let [low, high] = [0, sizes[name]!];
  while (high - low > 1) {
    const middle = Math.floor(low / 2 + high / 2);
    if (fitting(middle)) low = middle;
    else high = middle;
  }
  const others = names.filter((x) => x !== name).map((x) => `${x} = ${sizes[x]}`);
  const beside = others.length === 0 ? "" : ` beside ${others.join(" and ")}`;
  const makes = `${name} = ${sizes[name]} makes it so`;
  return low > 0
    ? `${makes}; it fits up to ${name} = ${low}${beside}`
    : `${makes}${beside}, and no smaller one fits either`;
}
