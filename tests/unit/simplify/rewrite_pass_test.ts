import assert from "node:assert/strict";
import { compileGraph } from "../../../compiler/compile.ts";
import { testTarget } from "../../../compiler/target.ts";
import { input, model, neg, passes, rewritePass, type Rule, sub, term, withoutPasses } from "../../../mod.ts";

const turned: Rule = {
  name: "negated difference",
  from: term("neg", term("sub", "x", "y")),
  to: term("sub", "y", "x"),
  because: "both round the same real number",
};
const net = model({ x: input([8], "f32"), y: input([8], "f32") }, ({ x, y }) => ({ z: neg(sub(x, y)) }));
const opsBy = (...own: Rule[]) => {
  const list = [rewritePass("mine", own), ...passes];
  return (off: string[] = []) =>
    compileGraph(net.graph, { target: testTarget, passes: withoutPasses(list, ...off) }).graph.nodes
      .map(({ op }) => op.name).filter((name) => name !== "input");
};

Deno.test("a rule of one's own fires, and can be taken from the list by its name", () => {
  assert.deepEqual(opsBy(turned)(), ["sub"]);
  assert.deepEqual(opsBy(turned)(["negated difference"]), ["sub", "neg"]);
  assert.deepEqual(opsBy(turned)(["mine"]), ["sub", "neg"]);
});

Deno.test("a rule that can't be meant is refused, and one that goes round in circles is told", () => {
  const refused = (part: Partial<Rule>, says: RegExp) =>
    assert.throws(() => rewritePass("mine", [{ ...turned, ...part }]), says);
  refused({ from: term("turn", "x", "y") }, /the rule "negated difference": there is no op "turn"/);
  refused(
    { from: term("sum", "x", "y") },
    /sum has attributes, which a term can't state; write a pass of your own/,
  );
  refused(
    { to: term("sub", "y", "z") },
    /"z" stands on the right of neg\(sub\(x, y\)\) = sub\(y, z\) and not on the left/,
  );
  refused({ from: "x" as never }, /its left side, x, is no op/);
  const around: Rule = {
    ...turned,
    name: "around",
    from: term("sub", "x", "y"),
    to: term("neg", term("sub", "y", "x")),
  };
  const back: Rule = { ...turned, name: "back" };
  assert.throws(() => opsBy(around, back)(), /the rule "(around|back)" fires on \w+ again and again/);
});
