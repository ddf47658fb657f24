/**
 * How far a result may be from its reference (SEMANTICS §10), for any graph.
 *
 * The graph is evaluated once in f64, and eight times more with every op's result moved at random within the op's stated
 * error and that of rounding to its type. An element may be off by 2 ULP and four times the largest distance of those
 * runs: so the tolerance follows the conditioning of the graph, and there is no constant to tune.
 *
 * A jump (floor, a comparison, argmax) can turn a small move into another result. Each run is therefore made twice:
 * *pinned*, where results of ops that jumped are put back, which gives the distances; and *free*, which gives the other
 * results that an element may have.
 *
 * Free runs round, as a device does: whether a number is whole decides where it jumps to. Pinned runs don't: where eight
 * runs round a half to the same side, nothing is seen of the other, which is a whole ULP away and is where a device may
 * be. Moved by as much as rounding moves, one of eight comes within a quarter of the farthest in all but 2 of 10⁵ cases.
 * @module
 */

import { type DType, type HostArray, isFloat, roundTo } from "../graph/dtype.ts";
import { sameShape } from "../graph/dim.ts";
import type { Node, Tensor } from "../graph/node.ts";
import { isProgram } from "../graph/op.ts";
import { concreteTypes, evaluateGraph, type Feeds, type Hook, nodesBelow } from "./evaluate.ts";
import { type Random, randomOf } from "./random.ts";

/** What a result of a graph may be. */
export interface Expected {
  readonly dtype: DType;
  /** The result in f64. */
  readonly values: HostArray;
  /** Largest distance from `values`, or from one of `others`, per element. */
  readonly tolerance: Float64Array;
  /** Results of the free runs. */
  readonly others: readonly HostArray[];
  /** Why nothing can be said about this result: too many jumps, or too ill-conditioned. */
  readonly dropped?: string;
}

export interface Mismatch {
  readonly index: number;
  readonly got: number;
  readonly want: number;
  readonly tolerance: number;
}

const runs = 8;
const formats = {
  f32: { roundoff: 2 ** -24, smallest: 2 ** -126, digits: 23, largest: 3.4028234663852886e38 },
  f16: { roundoff: 2 ** -11, smallest: 2 ** -14, digits: 10, largest: 65504 },
} as const;
type Float = keyof typeof formats;

/** What the tolerance of results depends on beside their graph. */
export interface ToleranceOptions {
  readonly seed?: number;
  /** Results may come from a device's own functions, which are less exact (`Op.builtinUlp`). */
  readonly builtins?: boolean;
  /** Hears how much of the work is done, 0 … 1: for a large graph it takes minutes. */
  readonly onProgress?: ((part: number) => void) | undefined;
}

/** The unit in the last place of x in a float type. */
export function ulpOf(dtype: Float, x: number): number {
  const { smallest, digits } = formats[dtype];
  return 2 ** (exponentOf(Math.max(Math.abs(x), smallest)) - digits);
}

const double = new Float64Array(1);
const doubleBits = new BigUint64Array(double.buffer);

/** ⌊log₂ x⌋ of a positive normal number: from its bits, since a logarithm may be off at powers of two. */
function exponentOf(x: number): number {
  double[0] = x;
  return Number(doubleBits[0]! >> 52n) - 1023;
}

/** What the outputs may be, given exact inputs. */
export function expectedOf(
  outputs: readonly Tensor[],
  feeds: Feeds,
  { seed = 1, builtins = false, onProgress }: ToleranceOptions = {},
): Expected[] {
  const nodes = nodesBelow(outputs).filter((node) => !feeds.has(node));
  const mayJump = jumping(nodes);
  const evaluations = 1 + runs * (mayJump.size > 0 ? 2 : 1);
  let evaluation = 0;
  const evaluate = (hook: Hook): HostArray[] => {
    let done = 0;
    const results = evaluateGraph(outputs, feeds, (node, results, inputs) => {
      onProgress?.((evaluation + ++done / nodes.length) / evaluations);
      return hook(node, results, inputs);
    });
    evaluation++;
    return results;
  };
  /** What jumping ops gave. */
  const base = new Map<Node, readonly HostArray[]>();
  const values = evaluate((node, results) => {
    if (mayJump.has(node)) base.set(node, results);
    return results;
  });
  const pinned: HostArray[][] = [];
  const free: HostArray[][] = [];
  for (let run = 0; run < runs; run++) {
    const move = moving(randomOf(seed + run), { builtins, rounds: false });
    pinned.push(evaluate((node, results, inputs) => pin(node, move(node, results, inputs), base.get(node))));
    if (mayJump.size > 0) free.push(evaluate(moving(randomOf(seed + run), { builtins, rounds: true })));
  }
  return outputs.map(({ dtype }, o) =>
    judge(dtype, values[o]!, pinned.map((r) => r[o]!), free.map((r) => r[o]!))
  );
}

/** Moves every result of an op within its error and that of its type. */
function moving(
  random: Random,
  { builtins, rounds }: { readonly builtins: boolean; readonly rounds: boolean },
): Hook {
  return (node, results, inputs) => {
    const { op, attrs } = node;
    if (op.view) return results;
    const types = concreteTypes(node);
    const terms = op.terms?.(types.inputs, attrs) ?? 0;
    // The sum of magnitudes that an error of summation is relative to.
    const sized = (x: HostArray, i: number) =>
      op.opposed?.includes(i) ? x.map((e) => -Math.abs(e)) : x.map(Math.abs);
    const sizes = terms > 0 ? op.reference(inputs.map(sized), attrs, types) : undefined;
    // A selection copies an element of its inputs and rounds nothing; moving it would break ties that are exact.
    const isGiven = op.ulp === undefined && !sizes ? givenBy(node, inputs) : () => false;
    return results.map((result, r) => {
      const { dtype } = types.outputs[r]!;
      if (!isFloat(dtype)) return result;
      // An op's own error is that of f32 arithmetic also where its result is stored as f16.
      const { roundoff } = formats[dtype as Float];
      // What was not rounded is still of its type, and so is a copy of it.
      const isOfType = !rounds && types.inputs.every((type) => type.dtype === dtype || !isFloat(type.dtype));
      return result.map((x, i) => {
        if (x === 0 || ((isOfType || roundTo(dtype, x) === x) && isGiven(x, i))) return x;
        const ulp = Math.max(op.ulp ?? 0, builtins && op.builtinUlp ? op.builtinUlp(x) : 0);
        const own = 2 * ulp * Math.abs(x) + (sizes ? terms * Math.abs(sizes[r]![i]!) : 0);
        const rounding = Math.max(roundoff * Math.abs(x), ulpOf(dtype as Float, x) / 2);
        const most = rounding + formats.f32.roundoff * own;
        if (!Number.isFinite(most)) return x;
        const moved = x + (2 * random() - 1) * most;
        const rounded = roundTo(dtype, moved);
        return rounds || !Number.isFinite(rounded) ? rounded : moved;
      });
    });
  };
}

/** Whether a number is an element of the inputs, up to its sign: at the same place where the op goes element by element. */
function givenBy(node: Node, inputs: readonly HostArray[]): (x: number, i: number) => boolean {
  const isElementwise = !isProgram(node.op.lower) &&
    node.inputs.every(({ dtype, shape }) => isFloat(dtype) && sameShape(shape, node.types[0]!.shape));
  if (isElementwise) return (x, i) => inputs.some((input) => Math.abs(input[i]!) === Math.abs(x));
  let given: Set<number> | undefined; // large, and most ops give no such number
  return (x) => (given ??= new Set(inputs.flatMap((input) => Array.from(input, Math.abs)))).has(Math.abs(x));
}

const jumpsAt = ({ op, attrs }: Node, result: number): boolean =>
  typeof op.jumps === "function" ? op.jumps(attrs, result) : op.jumps === true;

/** What is further off than this part of it has jumped. */
const aLittle = (dtype: DType): number => dtype === "f16" ? 2 ** -6 : 1e-3;

/** The nodes that jump and whose inputs are moved: labels and positions are compared exactly, whoever compares them. */
function jumping(nodes: readonly Node[]): ReadonlySet<Node> {
  const moved = new Set<Node>();
  const found = new Set<Node>();
  for (const node of nodes) {
    const isReached = node.inputs.some((input) => moved.has(input.node));
    if (isReached || (!node.op.view && node.types.some(({ dtype }) => isFloat(dtype)))) moved.add(node);
    if (isReached && node.types.some((_, r) => jumpsAt(node, r))) found.add(node);
  }
  return found;
}

/**
 * Puts back the elements of a jumping op that are not merely a little off.
 *
 * @param base What the op gave before; undefined where it doesn't jump.
 */
function pin(
  node: Node,
  results: readonly HostArray[],
  base: readonly HostArray[] | undefined,
): readonly HostArray[] {
  if (!base) return results;
  return results.map((result, r) => {
    if (!jumpsAt(node, r)) return result;
    const little = aLittle(node.types[r]!.dtype);
    return result.map((x, i) => {
      const want = base[r]![i]!;
      return Math.abs(x - want) <= little * Math.max(Math.abs(x), Math.abs(want)) ? x : want;
    });
  });
}

/** Distance of two results; two equal infinities or NaNs have none. */
const distance = (a: number, b: number): number =>
  Object.is(a, b) ? 0 : Number.isNaN(a) || Number.isNaN(b) ? Infinity : Math.abs(a - b);

function judge(
  dtype: DType,
  values: HostArray,
  pinned: readonly HostArray[],
  others: readonly HostArray[],
): Expected {
  const tolerance = new Float64Array(values.length);
  let largest = 0;
  let widest = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const spread = Math.max(
      0,
      ...pinned.map((r) => distance(r[i]!, roundTo(dtype, value)) && distance(r[i]!, value)),
    );
    if (isFloat(dtype)) {
      const slack = Number.isFinite(value) ? 2 * ulpOf(dtype as Float, value) : 0;
      // Subnormal numbers may be 0 (SEMANTICS §8).
      tolerance[i] = slack + 4 * spread + formats[dtype as Float].smallest;
    }
    widest = Math.max(widest, spread);
    if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  }
  let jumps = 0;
  for (let i = 0; i < values.length; i++) {
    if (others.some((free, r) => distance(free[i]!, pinned[r]![i]!) > tolerance[i]!)) jumps++;
  }
  const dropped = jumps > 0.05 * values.length
    ? `${jumps} of ${values.length} elements jump`
    : widest > 0.1 * largest && widest > 1e-30
    ? `results are uncertain by ${widest}, and the largest is ${largest}`
    : undefined;
  return { dtype, values, tolerance, others, ...(dropped === undefined ? {} : { dropped }) };
}

/** The elements of a result that are wrong. */
export function mismatches(expected: Expected, got: ArrayLike<number>): Mismatch[] {
  if (got.length !== expected.values.length) {
    throw new Error(`${got.length} elements were computed; the reference has ${expected.values.length}`);
  }
  const wrong: Mismatch[] = [];
  for (let index = 0; index < got.length; index++) {
    const want = expected.values[index]!;
    const tolerance = expected.tolerance[index]!;
    const fits = (x: number) => agrees(expected.dtype, got[index]!, x, tolerance);
    if (!fits(want) && !expected.others.some((other) => fits(other[index]!))) {
      wrong.push({ index, got: got[index]!, want, tolerance });
    }
  }
  return wrong;
}

function agrees(dtype: DType, got: number, want: number, tolerance: number): boolean {
  if (got === want || (Number.isNaN(got) && Number.isNaN(want))) return true;
  if (!isFloat(dtype)) return false;
  if (Math.abs(got - want) <= tolerance) return true;
  // Overflow may set in where the type's range is within the tolerance.
  const beyond = Math.abs(want) + tolerance > formats[dtype as Float].largest;
  return beyond && !Number.isFinite(got) && Math.sign(got) === Math.sign(want);
}
