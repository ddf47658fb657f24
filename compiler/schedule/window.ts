/**
 * Window: short reductions over neighbors, as a map (pooling, depthwise convolution, stencils).
 *
 * Where outputs read overlapping or adjacent windows of an input, no loop over a window is contiguous, and its indices are
 * most of the work. Written out term by term they are literals, and four outputs are one vector like those of any map.
 */

import { maxPropagating, minPropagating } from "../kernel/numerics.ts";
import { type Linear, type Reduce, type ReduceKind, type Value, type Var, walk } from "../kernel/value.ts";
import type { Values } from "../kernel/values.ts";
import { statementsOfKernel } from "../kernel/walk.ts";
import type { Target } from "../target.ts";
import { isRefusal, type LoweredGroup, type Scheduled } from "./group.ts";
import { estimatedSteps } from "./cost.ts";
import { scheduleMap, schedulePaddedMap } from "./map.ts";
import { padded } from "./map_padded.ts";

/** Statements that a term takes, about: more terms are not even tried. */
const perTerm = 12;

/** One kernel with all reductions written out, or why there is none. */
export function scheduleWindow(group: LoweredGroup, target: Target): Scheduled {
  const { values: k, roots } = group;
  const reductions: Reduce[] = [];
  walk(roots.map((root) => root.value), (value) => {
    if (value.kind === "reduce") reductions.push(value);
  });
  if (!reductions.some(slides)) return { refused: "no reduction slides over what it reads" };
  const axes = roots.flatMap((root) => root.axes.filter((a) => a.kind === "var"));
  if (reductions.some(({ free }) => axes.some((a) => !free.has(a)))) {
    return { refused: "a reduction would be repeated for results that share it" };
  }
  const stored = new Set(roots.map(({ buffer }) => buffer.name));
  let over = false;
  walk(reductions, (value) => over ||= value.kind === "load" && stored.has(value.buffer.name));
  if (over) return { refused: "a result is stored over what other windows read" };
  const longest = Math.floor(target.statements / perTerm);
  const long = reductions.find((r) => termsOf(r) > longest);
  if (long) return { refused: `a reduction has ${termsOf(long)} terms where ${longest} may be written out` };
  const written = new Map<Value, Value>();
  // Inner ones first, as they are walked.
  for (const reduce of reductions) {
    const out = writtenOut(k, { ...reduce, body: k.substitute(reduce.body, written) });
    if (!out) return { refused: `${reduce.op} remembers a place` };
    written.set(reduce, out);
  }
  const kernels = cheapestMap(
    { ...group, roots: roots.map((root) => ({ ...root, value: k.substitute(root.value, written) })) },
    target,
  );
  if (isRefusal(kernels)) return kernels;
  const most = Math.max(...kernels.map(({ kernel }) => [...statementsOfKernel(kernel)].length));
  if (most > target.statements) return { refused: `${most} statements where ${target.statements} may be` };
  return kernels;
}

/** With rows padded where that is less work. */
function cheapestMap(group: LoweredGroup, target: Target): Scheduled {
  const plain = scheduleMap(group, target);
  const wider = padded(group);
  const inRows = wider && schedulePaddedMap(wider, target);
  if (isRefusal(plain) || !inRows || isRefusal(inRows)) return plain;
  return estimatedSteps(inRows, target) < estimatedSteps(plain, target) ? inRows : plain;
}

const termsOf = ({ vars }: Reduce): number => vars.reduce((n, v) => n * v.extent, 1);

/** Whether windows of neighboring outputs overlap in something that is read, or touch and are no plain rows. */
function slides({ vars, body }: Reduce): boolean {
  let found = false;
  walk([body], (value) => {
    if (value.kind !== "load" || value.index.kind !== "linear") return;
    const { terms } = value.index;
    const touching = isDense(terms, vars) ? 0 : 1;
    found ||= vars.some((v) => overlaps(terms, v, vars, touching));
  });
  return found;
}

/** Whether a window is a block of memory. */
function isDense(terms: Linear["terms"], vars: readonly Var[]): boolean {
  const steps = vars.map((v) => [stepOf(terms, v), v.extent] as const).sort(([a], [b]) => a - b);
  let next = 1;
  return steps.every(([step, extent]) => step === next && (next *= extent) > 0);
}

const stepOf = (terms: Linear["terms"], v: Value): number =>
  Math.abs(terms.find(({ atom }) => atom === v)?.coefficient ?? 0);

/** Whether some output's step is shorter than the way along `v`, and longer than a step of that. */
function overlaps(terms: Linear["terms"], v: Var, bound: readonly Var[], touching: 0 | 1): boolean {
  const step = stepOf(terms, v);
  return step > 0 && terms.some(({ atom, coefficient }) => {
    if (atom.kind !== "var" || bound.includes(atom)) return false;
    const stride = Math.abs(coefficient);
    return stride < step * v.extent + touching && step < stride * atom.extent;
  });
}

/** All terms in the order of a loop over them; undefined for an op whose result is a place. */
function writtenOut(k: Values, { op, vars, body }: Reduce): Value | undefined {
  const combine = combiner(k, op);
  if (!combine) return undefined;
  const terms: Value[] = [];
  const visit = (rest: readonly Var[], at: ReadonlyMap<Value, Value>): void => {
    const [v, ...others] = rest;
    if (!v) return void terms.push(k.substitute(body, at));
    for (let i = 0; i < v.extent; i++) visit(others, new Map([...at, [v, k.int(i)]]));
  };
  visit(vars, new Map());
  return terms.reduce(combine);
}

function combiner(k: Values, op: ReduceKind): ((a: Value, b: Value) => Value) | undefined {
  switch (op) {
    case "sum":
      return (a, b) => k.add(a, b);
    case "prod":
      return (a, b) => k.mul(a, b);
    case "max":
      return (a, b) => maxPropagating(k, a, b);
    case "min":
      return (a, b) => minPropagating(k, a, b);
    case "maxFast":
      return (a, b) => k.binary("max", a, b);
    case "minFast":
      return (a, b) => k.binary("min", a, b);
    default:
      return undefined;
  }
}
