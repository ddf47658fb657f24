import { deepStrictEqual, throws } from "node:assert/strict";
import { gradient } from "../../../compiler/autodiff/gradient.ts";
import { conv, convTranspose } from "../../../ops/conv/conv.ts";
import { evaluate, feed, graph } from "./host.ts";

Deno.test("conv() counts windows for sizes that are names", () => {
  graph(() => {
    const x = feed("x", ["batch", 3, "4*h", "w"]);
    const kernel = feed("k", [8, 3, 3, 3]);
    deepStrictEqual(conv(x, kernel, { padding: 1, stride: [2, 1] }).shape, ["batch", 8, "2*h", "w"]);
    deepStrictEqual(conv(x, kernel, { padding: "same", stride: [4, 1] }).shape, ["batch", 8, "h", "w"]);
    const y = conv(x, kernel);
    deepStrictEqual(y.shape, ["batch", 8, "4*h - 2", "w - 2"]);
    const flows = gradient(y, [x, kernel], feed("g", y.shape));
    deepStrictEqual(flows.map((t) => [t.node.op.name, t.shape]), [["conv", x.shape], [
      "permute",
      kernel.shape,
    ]]);
    throws(() => conv(x, kernel, { stride: 3 }), /axis 2 of \[batch, 3, 4\*h, w\] depends on the size/);
  });
});

Deno.test("conv() says which channels, groups or windows do not fit", () => {
  graph(() => {
    const x = feed("x", [1, 4, 5]);
    throws(
      () => conv(x, feed("a", [2, 3, 3])),
      /axis 1 of the kernel is 3 and must be 4, as many as x has channels/,
    );
    throws(() => conv(x, feed("b", [3, 2, 3]), { groups: 2 }), /3 results of kernel \[3, 2, 3\].*2 groups/);
    throws(
      () => conv(x, feed("c", [2, 4, 7])),
      /no window of 7 \(dilation 1\) fits on axis 2 of \[1, 4, 5\]/,
    );
    throws(() => conv(x, feed("d", [2, 4, 3, 3])), /the same number of spatial axes/);
    throws(
      () => conv(x, feed("e", [2, 4, 3]), { stride: [1, 2] }),
      /stride \[1, 2\] has 2 numbers for 1 spatial/,
    );
    throws(
      () => conv(x, feed("f", [2, 4, 3]), { stride: 0 }),
      /stride 0 must be a whole number of at least 1/,
    );
  });
});

Deno.test("conv() multiplies the zeros around x, and adds nothing for what is not between dilated elements", () => {
  const given = { x: [1, 2], k: [Infinity, 1, 0] };
  const [bordered, dilated] = evaluate(() => {
    const [x, k] = [feed("x", [1, 1, 2]), feed("k", [1, 1, 3])];
    return [conv(x, k, { padding: 1 }), conv(x, k, { padding: 0, inputDilation: 2 })];
  }, given);
  // 0 · ∞ + 1 · 1 + 2 · 0, then 1 · ∞ + 2 · 1 + 0 · 0.
  deepStrictEqual(bordered, [NaN, Infinity]);
  // 1 · ∞, nothing, 2 · 0.
  deepStrictEqual(dilated, [Infinity]);
});

Deno.test("convTranspose() is the transpose of conv()", () => {
  const [direct, flow] = evaluate(() => {
    const y = feed("y", [1, 3, 3]);
    const kernel = feed("k", [3, 2, 3]);
    const options = { stride: 2, padding: 1 } as const;
    const x = feed("x", [1, 2, 6]);
    return [
      convTranspose(y, kernel, { ...options, outputPadding: 1 }),
      gradient(conv(x, kernel, options), [x], y)[0]!,
    ];
  }, { y: [1, -2, 3, 4, 5, -6, 7, 8, 9], k: Array.from({ length: 18 }, (_, i) => (i * 7) % 11 - 5) });
  deepStrictEqual(direct, flow);
});
