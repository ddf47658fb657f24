/**
 * Whether a named size may be left open up to a maximum: whether a program for the maximum computes, in its first rows,
 * what a program for fewer rows would.
 *
 * That is so where rows have nothing to do with each other. Every tensor that mentions the size must have it as (a factor
 * of) its leading axis; call what one step of the size takes a *row*. A node is fine where row b of its results is
 * computed from rows b of its operands, by the same formula whatever the maximum is. Both are read off the value that the
 * op lowers to, so nothing is declared by hand: every read of an operand with rows must be at row b, and the value must be
 * the same text for two different maxima, which a sum over the axis, a mean, or a size as a number are not. An op that is
 * a program of kernels is judged by its definition in plain ops, where it has one.
 *
 * Then rows from n on may hold anything, and every access is inside its buffer, as it is for the maximum.
 * @module
 */

import { CompileError } from "../errors.ts";
import { bindDim, type Dim, divideDims, namesOf, showShape } from "../graph/dim.ts";
import type { Graph } from "../graph/graph.ts";
import type { Node, Tensor, TensorType } from "../graph/node.ts";
import { isProgram } from "../graph/op.ts";
import { type ConcreteType, type Value, type Var } from "../kernel/value.ts";
import { Values } from "../kernel/values.ts";

/**
 * Throws for the first node that mixes rows.
 *
 * @param graph With all other sizes bound.
 * @throws CompileError that names the op, the line and the reason.
 */
export function checkOpenSize(graph: Graph, name: string): void {
  for (const node of [...graph.nodes, ...definitions(graph, name)]) {
    const because = mixes(node, name);
    if (because === undefined) continue;
    throw new CompileError(
      `bundle: the size "${name}" can't be left open: ${node.op.name} ${because}. List the sizes that are wanted instead`,
      { origin: graph.builder.originsOf(node)[0] },
    );
  }
}

/** The plain ops that composites with rows are defined by. They become nodes of the builder, and of no program. */
function definitions({ builder, nodes }: Graph, name: string): Node[] {
  const known = new Set<Node>(nodes);
  const found: Node[] = [];
  for (const node of nodes) {
    const { expand, lower } = node.op;
    if (!isProgram(lower) || !expand || !touches(node, name)) continue;
    const open = builder.use(() => expand(node.inputs, node.attrs)).map((tensor) => tensor.node);
    for (let next = open.pop(); next; next = open.pop()) {
      if (known.has(next)) continue;
      known.add(next);
      found.push(next);
      open.push(...next.inputs.map((tensor) => tensor.node));
    }
  }
  return found;
}

/** Elements of a row, if the tensor has rows; null where the size is not its leading axis. */
function rowOf({ shape }: Pick<TensorType, "shape">, name: string): number | undefined | null {
  if (!shape.some((dim) => namesOf(dim).includes(name))) return undefined;
  const factor = divideDims(shape[0]!, name);
  const rest = shape.slice(1);
  if (typeof factor !== "number" || rest.some((dim) => typeof dim !== "number")) return null;
  return (rest as number[]).reduce((n, d) => n * d, factor);
}

/** Two maxima that no size of a model is likely to be, and a row's number is below both. */
const maxima = [1009, 1013] as const;

function mixes(node: Node, name: string): string | undefined {
  const { op, inputs, types } = node;
  const wrong = [...types, ...inputs].find((type) => rowOf(type, name) === null);
  if (wrong) return `has a tensor ${showShape(wrong.shape)}, whose leading axis is not "${name}"`;
  if (op.name === "state" && rowOf(types[0]!, name) !== undefined) {
    return "stays from run to run, and so does its shape";
  }
  if (op.name === "input" || op.name === "state") return undefined;
  if (!touches(node, name)) return undefined;
  if (isProgram(op.lower)) {
    return op.expand ? undefined : "is a program of kernels, of which nobody knows whether it mixes rows";
  }
  const rows = {
    inputs: inputs.map((type) => rowOf(type, name) !== undefined),
    results: types.map((type) => rowOf(type, name) !== undefined),
  };
  for (let result = 0; result < types.length; result++) {
    const texts = maxima.map((most) => lowered(node, result, rows, { name, most }));
    const bad = texts.find((text) => typeof text !== "string");
    if (bad) return (bad as { readonly because: string }).because;
    if (texts[0] !== texts[1]) return `computes something else for another "${name}"`;
  }
  return undefined;
}

const touches = ({ op, attrs, types, inputs }: Node, name: string): boolean =>
  [...types, ...inputs].some((type) => rowOf(type, name) !== undefined) ||
  (op.dims ?? []).some((key) => mentions(attrs[key], name));

const mentions = (dims: Dim | readonly Dim[] | undefined, name: string): boolean =>
  dims !== undefined && [dims].flat().some((dim) => namesOf(dim as Dim).includes(name));

/**
 * Whether a node of a graph whose sizes are all known computes row b of its results from rows b of those operands that
 * have rows: `most` of them along the leading axis. A program of kernels has been judged by its definition before.
 */
export function keepsRows(node: Node, hasRows: (input: Tensor) => boolean, most: number): boolean {
  const { op, inputs, types } = node;
  const rows = { inputs: inputs.map(hasRows), results: types.map(() => true) };
  const isWhole = ({ shape }: TensorType) => shape.length > 0 && Number(shape[0]) % most === 0;
  if (!types.every(isWhole) || !inputs.every((input, i) => !rows.inputs[i] || isWhole(input))) return false;
  if (isProgram(op.lower)) return true;
  return types.every((_, result) => typeof lowered(node, result, rows, { name: "", most }) === "string");
}

/** A result's element in row b as text, or why it isn't made of row b alone. */
function lowered(
  node: Node,
  result: number,
  rows: { readonly inputs: readonly boolean[]; readonly results: readonly boolean[] },
  { name, most }: { readonly name: string; readonly most: number },
): string | { readonly because: string } {
  const { op, attrs, inputs, types } = node;
  if (isProgram(op.lower)) return { because: "is a program" };
  const sizes = name === "" ? {} : { [name]: most };
  const bound = (dims: Dim | readonly Dim[]): Dim | Dim[] =>
    Array.isArray(dims) ? dims.map((dim) => bindDim(dim, sizes)) : bindDim(dims as Dim, sizes);
  const concrete = ({ shape, dtype }: TensorType): ConcreteType => ({
    shape: bound(shape) as number[],
    dtype,
  });
  const own = { ...attrs };
  for (const key of op.dims ?? []) if (own[key] !== undefined) own[key] = bound(own[key]);
  const k = new Values();
  const type = concrete(types[result]!);
  const row = k.var(most, 1000);
  const at = type.shape.map((extent, axis): Value => {
    if (axis > 0 || !rows.results[result]) {
      return extent === 1 ? k.int(0) : k.var(extent, 1001 + axis);
    }
    const factor = extent / most;
    return k.affine([[row, factor], [factor === 1 ? k.int(0) : k.var(factor, 1000), 1]]);
  });
  const operands = inputs.map(concrete);
  let isMixed = false;
  const readers = operands.map(({ shape, dtype }, i) => ({
    shape,
    dtype,
    at: (index: readonly Value[]) => {
      if (rows.inputs[i]) {
        // Along other axes a guard may keep a read from happening; the leading one must be right by itself.
        const factor = shape[0]! / most;
        const within = k.affine([[index[0]!, 1], [row, -factor]]);
        isMixed ||= within.free.has(row) || within.lo < 0 || within.hi >= factor;
      }
      let stride = 1;
      const parts = shape.map((extent, axis) => [index[axis]!, extent] as const).toReversed().map(
        ([value, extent]) => {
          const part = [value, stride] as const;
          stride *= extent;
          return part;
        },
      );
      return k.load({ name: `${i}`, dtype, size: stride }, k.affine(parts));
    },
  }));
  const stream = k.param("stream", "u32", 0, { lo: 0, hi: 2 ** 32 - 1 });
  const site = { attrs: own, inputs: operands, outputs: types.map(concrete), result, stream };
  const value = op.lower(k, readers, at, site);
  return isMixed ? { because: `reads rows of "${name}" other than its own` } : textOf(value, row);
}

/** A value as text in which the row's variable has no extent; each value once. */
function textOf(root: Value, row: Var): string {
  const numbers = new Map<Value, number>();
  const lines: string[] = [];
  const show = (value: Value): string => {
    if (value === row) return "row";
    const known = numbers.get(value);
    if (known !== undefined) return `#${known}`;
    const fields = Object.entries(value).filter(([key]) => !["id", "free", "lo", "hi"].includes(key)).map((
      [key, field],
    ) => `${key}=${showField(key, field)}`);
    const number = numbers.size;
    numbers.set(value, number);
    lines.push(`#${number}: ${fields.join(" ")}`);
    return `#${number}`;
  };
  const showField = (key: string, field: unknown): string => {
    if (key === "buffer") return (field as { readonly name: string }).name;
    if (Array.isArray(field)) return `[${field.map((item) => showField("", item)).join(",")}]`;
    if (typeof field !== "object" || field === null) return String(field);
    if ("atom" in field) {
      const { atom, coefficient } = field as { readonly atom: Value; readonly coefficient: number };
      return `${coefficient}*${show(atom)}`;
    }
    return show(field as Value);
  };
  show(root);
  return lines.join("\n");
}
