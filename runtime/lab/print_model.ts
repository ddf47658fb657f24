/**
 * A graph as the TypeScript that makes it again, node by node.
 *
 * A node is written as a call of the function that users know it by, where that call makes exactly this node: calls are
 * tried, and interning tells. Where none does (what passes and gradients make, attributes that a function would put
 * differently), it is `applyNamed` with the op's name and attributes, which is exact by construction. So nothing is lost by
 * printing, and no table of calls has to be kept in step with the ops.
 * @module
 */

import { InternalError } from "../../compiler/errors.ts";
import { GraphBuilder } from "../../compiler/graph/build.ts";
import { type Graph, inputName, resultsOf } from "../../compiler/graph/graph.ts";
import { type Node, showType, Tensor } from "../../compiler/graph/node.ts";
import { opTable } from "../../ops/define_op.ts";
import * as functions from "../../ops/mod.ts";
import { isIdentifier, keyText, literal } from "./literal.ts";

export interface PrintedModel {
  /** `const net = model(…);` */
  readonly text: string;
  /** What it takes from `@weft/weft`. */
  readonly imports: ReadonlySet<string>;
}

/** Why a graph can't be written down, as a sentence; undefined where it can. */
export function unprintable({ nodes }: Pick<Graph, "nodes">): string | undefined {
  const own = nodes.find(({ op }) => !opTable.has(op.name));
  return own && `${own.op.name} is an op of the model's own, which no other file can name`;
}

/** @param together Whether all is to be one kernel. States begin as `states` says, a record that the file defines. */
export function printModel(graph: Graph, together = false): PrintedModel {
  const printer = new Printer(graph);
  return printer.print(together);
}

class Printer {
  readonly #imports = new Set(["model"]);
  readonly #builder = new GraphBuilder();
  /** The new form of each result, and what it is called. */
  readonly #made = new Map<string, { readonly tensor: Tensor; readonly name: string }>();
  readonly #names = new Set<string>(["net", "states", "feeds", "expected", "device", "decode"]);

  constructor(readonly graph: Graph) {}

  print(together: boolean): PrintedModel {
    const { graph } = this;
    const specs = graph.inputs.map((t) =>
      `${keyText(inputName(t))}: ${this.#import("input")}(${literal(t.shape)}, ${literal(t.dtype)})`
    );
    const given = graph.inputs.map((t) => {
      const name = this.#leaf(t, inputName(t));
      return name === inputName(t) ? name : `${keyText(inputName(t))}: ${name}`;
    });
    const states = graph.states.map(({ tensor, path, role }) => {
      const [last, ...outer] = path.split("/").toReversed() as [string, ...string[]];
      const declare = `${this.#import(role)}(${literal(last)}, ${literal(tensor.shape)}, ` +
        `() => states[${literal(path)}]!, ${literal(tensor.dtype)})`;
      const text = outer.reduce(
        (inner, scope) => `${this.#import("named")}(${literal(scope)}, () => ${inner})`,
        declare,
      );
      return `const ${this.#leaf(tensor, last)} = ${text}; // ${showType(tensor)}`;
    });
    const leaves = new Set([...graph.inputs, ...graph.states.map((s) => s.tensor)].map((t) => t.node));
    const steps = this.#builder.use(() =>
      graph.nodes.filter((node) => !leaves.has(node)).map((node) => this.#statement(node))
    );
    const nameOf = (t: Tensor): string => this.#made.get(t.key)!.name;
    const writes = graph.writes.map(({ state, value }) =>
      `${this.#import("setState")}(${nameOf(state)}, ${nameOf(value)});`
    );
    const outputs = Object.entries(graph.outputs).map(([name, t]) =>
      name === nameOf(t) ? name : `${keyText(name)}: ${nameOf(t)}`
    );
    const returned = `{ ${outputs.join(", ")} }`;
    // States are declared outside: they are what a kernel reads, and no part of it.
    const body = together
      ? [
        ...states,
        `return ${this.#import("fuse")}(() => {`,
        ...[...steps, ...writes, `return ${returned};`].map((line) => `  ${line}`),
        "});",
      ]
      : [...states, ...steps, ...writes, `return ${returned};`];
    const text = [
      `const net = model({ ${specs.join(", ")} }, (${given.length ? `{ ${given.join(", ")} }` : ""}) => {`,
      ...body.map((line) => `  ${line}`),
      "});",
    ].join("\n");
    return { text, imports: this.#imports };
  }

  #import(name: string): string {
    this.#imports.add(name);
    this.#names.add(name);
    return name;
  }

  /** A name that nothing has yet. */
  #free(base: string): string {
    const root = isIdentifier(base) && !(base in functions) ? base : `${base.replace(/\W+/g, "_")}_`;
    let name = isIdentifier(root) ? root : `x_${root}`;
    for (let n = 1; this.#names.has(name); n++) name = `${root}${n}`;
    this.#names.add(name);
    return name;
  }

  #leaf(t: Tensor, base: string): string {
    const name = this.#free(base);
    const node = this.#builder.node(t.node.op, [], t.node.attrs);
    this.#made.set(t.key, { tensor: new Tensor(node, 0), name });
    return name;
  }

  #statement(node: Node): string {
    const operands = node.inputs.map((t) => this.#made.get(t.key)!);
    const own = this.#builder.node(node.op, operands.map(({ tensor }) => tensor), node.attrs);
    const call = this.#call(own, operands.map(({ tensor, name }) => ({ value: tensor, text: name })));
    const base = `t${this.#made.size}`;
    const names = resultsOf(node).map((t, i) => {
      const name = this.#free(i === 0 ? base : `${base}_${i}`);
      this.#made.set(t.key, { tensor: new Tensor(own, i), name });
      return name;
    });
    const types = node.types.map(showType).join(", ");
    if (call?.one) return `const ${names[0]} = ${call.text}; // ${types}`;
    return `const [${names.join(", ")}] = ${call?.text ?? this.#generic(own, operands)}; // ${types}`;
  }

  #generic({ op, attrs }: Node, operands: readonly { readonly name: string }[]): string {
    if (op.name === "constant") {
      throw new InternalError("lab", "a constant is none that constant() or full() makes");
    }
    const rest = Object.keys(attrs).length > 0 ? `, ${literal(attrs)}` : "";
    return `${this.#import("applyNamed")}(${literal(op.name)}, [${
      operands.map(({ name }) => name).join(", ")
    }]${rest}) as any[]`;
  }

  /** The call of a public function that makes this very node, if there is one. */
  #call(
    node: Node,
    operands: readonly Argument[],
  ): { readonly text: string; readonly one: boolean } | undefined {
    for (const { name, args } of callsOf(node, operands)) {
      const f = (functions as Readonly<Record<string, unknown>>)[name];
      if (typeof f !== "function") continue;
      let made: unknown;
      try {
        made = f(...args.map(({ value }) => value));
      } catch {
        continue; // it is another way of calling
      }
      const one = made instanceof Tensor;
      const results: readonly unknown[] = one ? [made] : Array.isArray(made) ? made : [];
      const isIt = results.length === node.types.length &&
        results.every((t, i) => t instanceof Tensor && t.node === node && t.result === i);
      if (!isIt) continue;
      this.#import(name);
      const text = `${name}(${args.map((arg) => arg.text).join(", ")})`;
      return { text: one ? text : `${text} as any[]`, one };
    }
    return undefined;
  }
}

interface Argument {
  readonly value: unknown;
  readonly text: string;
}

interface Call {
  readonly name: string;
  readonly args: readonly Argument[];
}

const data = (value: unknown): Argument => ({ value, text: literal(value) });

/** Ways in which functions of ops are called: operands first, one by one or as a list, then the attributes. */
function callsOf(node: Node, operands: readonly Argument[]): readonly Call[] {
  const { op: { name }, attrs, types } = node;
  if (name === "constant") {
    const { shape, dtype } = types[0]!;
    const values: ArrayLike<number> = attrs.data.values;
    return values.length === 1
      ? [{ name: "full", args: [data(shape), data(values[0]), data(dtype)] }]
      : [{ name: "constant", args: [data(Array.from(values)), data(shape), data(dtype)] }];
  }
  const given = Object.values(attrs).map(data);
  const list: Argument = {
    value: operands.map(({ value }) => value),
    text: `[${operands.map(({ text }) => text).join(", ")}]`,
  };
  const lists: readonly (readonly Argument[])[] = [
    [...operands, ...given],
    ...given.length > 0 ? [[...operands, data(attrs)]] : [],
    [list, ...given],
  ];
  return lists.map((args) => ({ name, args }));
}
