import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { parseEinsum } from "../../../ops/einsum_parse.ts";
import { einsum } from "../../../ops/einsum.ts";
import { counting, evaluate, feed, graph } from "./host.ts";

Deno.test("parseEinsum() finds the result that is not written", () => {
  strictEqual(parseEinsum("ba, ac", [[2, 3], [3, 4]]).result, "bc");
  strictEqual(parseEinsum("ii", [[3, 3]]).result, "");
  strictEqual(parseEinsum("...ij,...jk", [[5, 2, 3], [5, 3, 2]]).result, "0ik");
});

Deno.test("parseEinsum() aligns what stands under ... at the last axis, and drops stretched axes", () => {
  const { operands, result, shapes } = parseEinsum("...i,i...->...", [[5, 1, 3], [3, 4]]);
  deepStrictEqual(operands, ["1i", "i0"]);
  deepStrictEqual(shapes, [[5, 3], [3, 4]]);
  strictEqual(result, "10");
});

Deno.test("parseEinsum() says what it cannot read", () => {
  const wrong: [string, number[][], RegExp][] = [
    ["ij,jk->ik->i", [[2, 2], [2, 2]], /"->" stands more than once/],
    ["ij", [[2, 2], [2, 2]], /names 1 operands, and there are 2/],
    ["i1", [[2, 2]], /"1" is no label/],
    ["i..j", [[2, 2]], /"\." is no label/],
    ["ijk", [[2, 2]], /operand 0 has 2 axes, and "ijk" names 3/],
    ["i", [[2, 2]], /operand 0 has 2 axes, and "i" names 1/],
    ["ij->ii", [[2, 2]], /"i" stands twice in the result/],
    ["ij->ik", [[2, 2]], /the result names "k", which no operand has/],
    ["...i->i", [[2, 2]], /write "\.\.\.i"/],
    ["...i,...i", [[2, 3], [4, 3]], /under "\.\.\." 2 and 4 do not broadcast/],
  ];
  for (const [text, shapes, message] of wrong) throws(() => parseEinsum(text, shapes), message);
});

Deno.test("einsum() names the label that has two sizes", () => {
  graph(() => {
    const a = feed("a", [2, 3]);
    throws(() => einsum("ij,jk", a, feed("b", [4, 5])), /"j" is 3 in one place and 4 on axis 0 of operand 1/);
    throws(() => einsum("ii", a), /"i" is 2 in one place and 3 on axis 1 of operand 0/);
  });
});

Deno.test("einsum() takes more than two operands one after the other", () => {
  const [out] = evaluate(() => {
    const chain = einsum("ij,jk,k->i", feed("a", [2, 2]), feed("b", [2, 2]), feed("c", [2]));
    strictEqual(chain.node.inputs.length, 2);
    return [chain];
  }, { a: counting(4), b: [1, 2, 3, 4], c: [1, 10] });
  deepStrictEqual(out, [43, 2 * 21 + 3 * 43]);
});

Deno.test("einsum() is a view where it only changes the order", () => {
  graph(() => strictEqual(einsum("abc->cab", feed("a", [2, 3, 4])).node.op.name, "permute"));
});
