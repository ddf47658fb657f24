import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { gradient } from "../../../compiler/autodiff/gradient.ts";
import { concat, stack } from "../../../ops/views/concat.ts";
import { pad } from "../../../ops/views/pad.ts";
import { roll } from "../../../ops/views/roll.ts";
import { flip, slice, sliceAxis } from "../../../ops/views/slice.ts";
import { split } from "../../../ops/views/split.ts";
import { expandDims, squeeze } from "../../../ops/views/squeeze.ts";
import { repeat, tile } from "../../../ops/views/tile.ts";
import { counting, evaluate, feed, graph } from "./host.ts";

const x = { x: counting(12) };

Deno.test("slice() takes ranges as Python does, negative steps and dropped axes among them", () => {
  const results = evaluate(() => {
    const m = feed("x", [3, 4]);
    return [
      slice(m, [1]),
      slice(m, [-1, { start: 1, stop: -1 }]),
      slice(m, [null, { step: -1 }]),
      slice(m, [{ start: -1, stop: 0, step: -2 }, 3]),
      slice(m, [{ step: 2 }, { start: 3, stop: 0, step: -3 }]),
      slice(m, [null, { start: 2, stop: 2 }]),
    ];
  }, x);
  deepStrictEqual(results, [
    [4, 5, 6, 7],
    [9, 10],
    [3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8],
    [11],
    [3, 11],
    [],
  ]);
});

Deno.test("slice() makes no node where all is taken, and keeps names of sizes", () => {
  graph(() => {
    const t = feed("x", ["batch", "ctx", 8]);
    strictEqual(slice(t, [null, { start: 0 }]), t);
    deepStrictEqual(slice(t, [null, { start: 1 }]).shape, ["batch", "ctx - 1", 8]);
    deepStrictEqual(slice(t, [-1, { stop: "ctx" }, { step: 2 }]).shape, ["ctx", 4]);
    deepStrictEqual(flip(t, 1).shape, t.shape);
  });
});

Deno.test("slice() says which axis a range leaves", () => {
  graph(() => {
    const t = feed("x", [3, 4]);
    throws(() => slice(t, [{ stop: 5 }]), /slice: axis 0 of \[3, 4\] has 3 elements.*use pad/s);
    throws(() => slice(t, [null, 4]), /axis 1 of \[3, 4\] has no element 4/);
    throws(() => slice(t, [null, { start: 3, stop: 1 }]), /axis 1 of \[3, 4\]/);
    throws(() => slice(t, [null, { step: 0 }]), /the step 0 on axis 1/);
    throws(() => slice(t, [null, null, null]), /3 ranges for \[3, 4\], which has 2 axes; give one per axis/);
    throws(() => slice(feed("y", ["batch"]), [{ step: 2 }]), /batch is not always a multiple of 2/);
    throws(() => sliceAxis(t, 2, 0), /axis 2 is not an axis of \[3, 4\]/);
  });
});

Deno.test("pad() repeats and mirrors the edge, and refuses what the axis cannot give", () => {
  const [edge, reflect] = evaluate(() => {
    const t = feed("x", [4]);
    return [pad(t, [[2, 1]], { mode: "edge" }), pad(t, [[3, 2]], { mode: "reflect" })];
  }, { x: [0, 1, 2, 3] });
  deepStrictEqual(edge, [0, 0, 0, 1, 2, 3, 3]);
  deepStrictEqual(reflect, [3, 2, 1, 0, 1, 2, 3, 2, 1]);
  graph(() => {
    const t = feed("x", [3]);
    throws(
      () => pad(t, [[3, 0]], { mode: "reflect" }),
      /axis 0 of \[3\] cannot be padded by 3 in mode "reflect"/,
    );
    throws(() => pad(t, [[-1, 0]]), /\[3\] cannot be padded by -1.*use slice/s);
  });
});

Deno.test("pad() keeps fills apart that print alike", () => {
  graph(() => {
    const t = feed("x", [3]);
    const fills = [NaN, Infinity, -Infinity, 0, -0].map((value) => pad(t, [[1, 0]], { value }).node);
    strictEqual(new Set(fills).size, fills.length);
  });
});

Deno.test("concat() and stack() name the axis that does not fit", () => {
  graph(() => {
    throws(
      () => concat([feed("a", [2, 3]), feed("b", [2, 4])]),
      /\[2, 3\] and \[2, 4\].*axis 1 is 3 in one and 4/s,
    );
    throws(() => concat([feed("a", [2, 3]), feed("b", [3])]), /the numbers of axes differ/);
    throws(() => concat([feed("a", [2]), feed("c", [2], "i32")]), /concat: operands are f32 and i32.*cast/s);
    deepStrictEqual(concat([feed("p", ["past", 4]), feed("n", ["ctx", 4])]).shape, ["ctx + past", 4]);
    deepStrictEqual(stack([feed("a", [2, 3]), feed("d", [2, 3])], -1).shape, [2, 3, 2]);
  });
});

Deno.test("split() is one node, and its gradient one concat with zeros for parts that are not used", () => {
  const [g] = evaluate(() => {
    const t = feed("x", [6]);
    const [a, , c] = split(t, 3);
    strictEqual(a!.node, c!.node);
    const seeded = gradient(c!, [t], feed("g", [2]))[0]!;
    strictEqual(seeded.node.op.name, "concat");
    return [seeded];
  }, { g: [5, 7] });
  deepStrictEqual(g, [0, 0, 0, 0, 5, 7]);
  graph(() => {
    throws(() => split(feed("x", [3, 4]), 3), /axis 1 of \[3, 4\] does not fall into 3 equal parts/);
    throws(() => split(feed("x", [3, 4]), [1, 2]), /the parts \[1, 2\] make 3, and axis 1 of \[3, 4\] has 4/);
    deepStrictEqual(split(feed("y", ["batch", "3*d"]), 3).map((t) => t.shape[1]), ["d", "d", "d"]);
  });
});

Deno.test("tile(), repeat() and roll() place elements as NumPy does", () => {
  const results = evaluate(() => {
    const t = feed("x", [3]);
    return [tile(t, [2]), tile(t, [2, 1]), repeat(t, 2), roll(t, 1), roll(t, -4)];
  }, { x: [0, 1, 2] });
  deepStrictEqual(results, [[0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 2], [0, 0, 1, 1, 2, 2], [2, 0, 1], [
    1,
    2,
    0,
  ]]);
  graph(() => deepStrictEqual(tile(feed("x", ["batch", 3]), [2, 1]).shape, ["2*batch", 3]));
});

Deno.test("expandDims() counts axes in the result, and squeeze() refuses other sizes than 1", () => {
  graph(() => {
    const t = feed("x", [3, 4]);
    deepStrictEqual(expandDims(t, -1).shape, [3, 4, 1]);
    deepStrictEqual(expandDims(t, [0, 2]).shape, [1, 3, 1, 4]);
    deepStrictEqual(squeeze(expandDims(t, [0, 2])).shape, [3, 4]);
    throws(() => squeeze(t, 0), /axis 0 of \[3, 4\] has size 3, not 1/);
    throws(() => expandDims(t, 5), /axis 5/);
  });
});
