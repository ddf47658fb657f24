import assert from "node:assert/strict";
import { apply, GraphBuilder } from "../../../compiler/graph/build.ts";
import { type DType, hostArray, roundTo } from "../../../compiler/graph/dtype.ts";
import { type Graph, makeGraph } from "../../../compiler/graph/graph.ts";
import type { Tensor } from "../../../compiler/graph/node.ts";
import { printGraph } from "../../../compiler/graph/print.ts";
import { build, showTerm, type Term } from "../../../compiler/simplify/pattern.ts";
import { type Rule, rules } from "../../../compiler/simplify/rules.ts";
import { simplify } from "../../../compiler/simplify/simplify.ts";
import { evaluateGraph } from "../../support/evaluate.ts";
import { add, constant, full, inputOp, maximum, mul, permute, reshape, sub } from "../../../ops/mod.ts";

const special = [0, -0, 1, -1, 2.5, -7.25, Infinity, -Infinity, NaN, 1e-45, 3.4e38, 0.1];
const dtypesOf = (rule: Rule): DType[] => {
  const boolean = ["and", "or", "not"].includes(rule.from.op);
  return (boolean ? ["bool"] : ["f32", "i32"] as DType[]).filter((d) =>
    rule.holds?.(d as DType) ?? true
  ) as DType[];
};

/** A graph of one output, made of fed tensors x, y, c of eight elements and more. */
function graphOf(dtype: DType, f: (names: Map<string, Tensor>, like: Tensor) => Tensor): Graph {
  const builder = new GraphBuilder();
  return builder.use(() => {
    const shape = [special.length];
    const feed = (name: string, type: DType) => apply(inputOp, [], { name, shape, dtype: type });
    const names = new Map([["x", feed("x", dtype)], ["y", feed("y", dtype)], ["c", feed("c", "bool")]]);
    const out = f(names, names.get("x")!);
    return makeGraph({ builder, inputs: [...names.values()], outputs: { out }, states: [], writes: [] });
  });
}

function run(graph: Graph): number[] {
  const feeds = new Map(graph.inputs.map(({ node, dtype }, n) => {
    const array = hostArray(dtype, special.length);
    special.forEach((_, i) => {
      const value = special[(i + 3 * n) % special.length]!;
      array[i] = dtype === "bool"
        ? Number((i + n) % 3 === 0)
        : dtype === "i32"
        ? roundTo("i32", value * 7)
        : value;
    });
    return [node, array] as const;
  }));
  return Array.from(evaluateGraph([graph.outputs["out"]!], feeds)[0]!);
}

const sideOf = (term: Term, dtype: DType): Graph => graphOf(dtype, (names, like) => build(term, names, like));

for (const rule of rules) {
  Deno.test(`rule "${rule.name}": ${showTerm(rule.from)} = ${showTerm(rule.to)}, and it fires`, () => {
    assert(rule.because.length > 10);
    for (const dtype of dtypesOf(rule)) {
      const before = sideOf(rule.from, dtype);
      const heard: string[] = [];
      const after = simplify(before, (name) => heard.push(name));
      assert(heard.includes(rule.name), `fired: ${heard}, in\n${printGraph(before)}`);
      assert(after.nodes.length <= before.nodes.length);
      const [want, got] = [run(before), run(after)];
      want.forEach((w, i) => assert(Object.is(w, got[i]), `${dtype} [${i}]: ${got[i]}, not ${w}`));
    }
  });
}

Deno.test("a float x + 0 stays, since −0 + 0 is +0, and so does x · 0, since NaN · 0 is NaN", () => {
  for (const f of [(x: Tensor) => add(x as never, 0), (x: Tensor) => mul(x as never, 0)]) {
    const graph = graphOf("f32", (names) => f(names.get("x")!) as Tensor);
    const heard: string[] = [];
    simplify(graph, (name) => heard.push(name));
    assert.deepEqual(heard, []);
  }
});

Deno.test("near misses of rules are left alone", () => {
  const graph = graphOf("f32", (names) => {
    const [x, y] = [names.get("x")!, names.get("y")!];
    return maximum(sub(mul(x as never, 1.5), 0.25), y as never) as Tensor;
  });
  const heard: string[] = [];
  simplify(graph, (name) => heard.push(name));
  assert.deepEqual(heard, []);
});

Deno.test("views of views become one view, and those that come back none", () => {
  const graph = graphOf("f32", (names) => {
    const x = reshape(names.get("x")!, [3, 4]);
    const there = permute(permute(x, [1, 0]), [1, 0]) as Tensor;
    return reshape(reshape(there, [2, 6]), [12]) as Tensor;
  });
  const after = simplify(graph);
  assert.equal(after.outputs["out"]!.node.op.name, "input");
});

Deno.test("what is made of constants alone becomes a constant, rounded to its type", () => {
  const graph = graphOf(
    "f32",
    (_names) => mul(add(constant([1, 2, 0.1], [3]), full([3], 0.2)) as never, 3) as Tensor,
  );
  const after = simplify(graph);
  const { node } = after.outputs["out"]!;
  assert.equal(node.op.name, "constant");
  const sum = Math.fround(Math.fround(0.1) + Math.fround(0.2));
  assert.deepEqual(Array.from(node.attrs.data.values as Float64Array).at(-1), Math.fround(sum * 3));
});

Deno.test("large results and random numbers are not folded", () => {
  const graph = graphOf("f32", (_names) => add(full([5000], 1), full([5000], 2)) as Tensor);
  assert.notEqual(simplify(graph).outputs["out"]!.node.op.name, "constant");
});
