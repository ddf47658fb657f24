/** Binding: named sizes become numbers, in every attribute that holds a dimension, and all types follow by `infer`. */

import { CompileError } from "../errors.ts";
import { bindDim, type Dim, namesOf, type Sizes } from "./dim.ts";
import { type Graph, resultsOf } from "./graph.ts";
import type { Node } from "./node.ts";
import { rewriteGraph } from "./rewrite.ts";

/**
 * The same graph with its named sizes replaced.
 *
 * @param sizes A number for each name.
 * @param open Names that may stay open.
 * @throws CompileError when a name is missing, unknown or no size; ShapeError when sizes do not fit together.
 */
export function bindSizes(graph: Graph, sizes: Sizes, open: readonly string[] = []): Graph {
  const names = sizeNames(graph);
  for (const [name, size] of Object.entries(sizes)) {
    if (!names.includes(name)) {
      throw new CompileError(
        `sizes: the model has no size "${name}"; ${
          names.length ? `its sizes are ${quoted(names)}` : "it has none"
        }`,
      );
    }
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new CompileError(`sizes: "${name}" is ${size}; a size is a whole number from 0 up`);
    }
  }
  const missing = names.filter((name) => !Object.hasOwn(sizes, name) && !open.includes(name));
  if (missing.length > 0) {
    const example = missing.map((name) => `${name}: 1`).join(", ");
    throw new CompileError(
      `sizes: ${quoted(missing)} ${
        missing.length === 1 ? "is" : "are"
      } still open; give each a number, such as ` +
        `sizes: { ${example} }`,
    );
  }
  return substituteSizes(graph, sizes);
}

/** The same graph with names replaced by numbers or other names, wherever a node's attributes hold a dimension. */
export function substituteSizes(graph: Graph, sizes: Readonly<Record<string, Dim>>): Graph {
  return rewriteGraph(graph, (node, inputs, builder) => {
    const { op, attrs } = node;
    if (!op.dims?.length) return undefined;
    const bound = { ...attrs };
    for (const name of op.dims) if (attrs[name] !== undefined) bound[name] = bindAll(attrs[name], sizes);
    return resultsOf(builder.node(op, inputs, bound));
  });
}

type Dims = Dim | readonly Dims[];

const bindAll = (dims: Dims, sizes: Readonly<Record<string, Dim>>): Dims =>
  Array.isArray(dims) ? dims.map((d) => bindAll(d, sizes)) : bindDim(dims as Dim, sizes);

/** The names that a graph's nodes mention, in order of first use. */
export function sizeNames(graph: Graph): readonly string[] {
  const names = new Set<string>();
  const see = (dims: Dims): void => {
    if (Array.isArray(dims)) dims.forEach(see);
    else for (const name of namesOf(dims as Dim)) names.add(name);
  };
  const visit = ({ op, attrs, types }: Node) => {
    for (const type of types) see(type.shape);
    for (const name of op.dims ?? []) if (attrs[name] !== undefined) see(attrs[name]);
  };
  graph.nodes.forEach(visit);
  return [...names];
}

const quoted = (names: readonly string[]): string => names.map((n) => `"${n}"`).join(", ");
