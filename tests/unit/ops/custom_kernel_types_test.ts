/**
 * Custom kernels in the types: what a call gives, and what the checker refuses. `deno check` runs this test; `deno test`
 * has nothing left to do.
 */

import { customKernel, input, type Model, model, mul, type Shape, sum, type Tensor } from "../../../mod.ts";
import type { Handles } from "../../../compiler/model/input.ts";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false;

/** Fails to check where the tensor's type is not exactly this. */
function typeIs<T extends Tensor>() {
  return <U extends Tensor>(_tensor: U, _same: Equal<U, T>): void => {};
}

const rows = customKernel({
  name: "rows",
  inputs: { x: { shape: ["n", "k", 4], dtype: "f32" }, w: { shape: ["k"], dtype: "f32" } },
  outputs: { y: { shape: ["n", "k"], dtype: "f32" }, at: { shape: ["n", 2, "2*k"], dtype: "i32" } },
  wgsl: "y[0] = x[0] * w[0];",
  workgroups: ({ n, k }) => [n, k],
  gradient({ inputs: { x, w }, outputs: { y }, cotangents }) {
    typeIs<Tensor<readonly ["n", "k", 4], "f32">>()(x, true);
    typeIs<Tensor<readonly ["n", "k"], "f32">>()(y, true);
    typeIs<Tensor<readonly ["n", 2, "2*k"], "i32">>()(cotangents.at!, true);
    // @ts-expect-error with two results, nothing may flow into one of them
    mul(cotangents.y, 2);
    // @ts-expect-error mul: w [k] has another dtype than at
    mul(w, cotangents.at!);
    return { w: cotangents.y && sum(mul(cotangents.y, y), 0), x: null };
  },
  reference({ x, w, y, at }, { n, k }) {
    const [floats, integers]: [Float64Array, Int32Array] = [x, at];
    for (let i = 0; i < n * k; i++) y[i] = floats[4 * i]! * w[i % k]! + integers.length;
  },
});

const specs = {
  x: input(["batch", 8, 4], "f32"),
  seq: input(["batch", "seq", 4], "f32"),
  w: input([8], "f32"),
  ids: input([8], "i32"),
  open: input([8 as number, 8 as number, 4], "f32"),
  flat: input(["batch", 8], "f32"),
  seven: input([7], "f32"),
  five: input(["batch", 8, 5], "f32"),
};

/** Runs nothing: the checker reads it. */
function inferred(
  { x, seq, w, ids, open, flat, seven, five }: Handles<typeof specs>,
  unranked: Tensor<Shape, "f32">,
) {
  const { y, at } = rows({ x, w });
  typeIs<Tensor<readonly ["batch", 8], "f32">>()(y, true);
  typeIs<Tensor<readonly ["batch", 2, number], "i32">>()(at, true);
  // What is known at run time only stays open, and `infer` decides.
  typeIs<Tensor<readonly [number, number], "f32">>()(rows({ x: open, w }).y, true);
  typeIs<Tensor<readonly [number, number], "f32">>()(rows({ x: unranked, w }).y, true);

  // @ts-expect-error customKernel(rows): w is [7], and its signature says [k]
  rows({ x, w: seven });
  // @ts-expect-error k is seq in one and 8 in the other
  rows({ x: seq, w });
  // @ts-expect-error the last axis is 5, not 4
  rows({ x: five, w });
  // @ts-expect-error another number of axes
  rows({ x: flat, w });
  // @ts-expect-error i32 is not f32
  rows({ x, w: ids });
  // @ts-expect-error an input is missing
  rows({ x });
  // @ts-expect-error there is no such result
  rows({ x, w }).z;
}

/** Signatures that the checker refuses. */
function refused() {
  const given = { name: "op", outputs: { y: { shape: [1], dtype: "f32" } }, wgsl: "y[0] = 1.0;" } as const;
  const x = { shape: ["n"], dtype: "f32" } as const;
  // @ts-expect-error float is no dtype
  customKernel({ ...given, inputs: { x: { shape: ["n"], dtype: "float" } } });
  // @ts-expect-error what is read cannot be atomic
  customKernel({ ...given, inputs: { x: { ...x, as: "atomic" } } });
  // @ts-expect-error there is no size m
  customKernel({ ...given, inputs: { x }, workgroups: ({ m }) => m });
  // @ts-expect-error there is no array z
  customKernel({ ...given, inputs: { x }, reference: ({ z }) => z });
  // @ts-expect-error a gradient for what is no input
  customKernel({ ...given, inputs: { x }, gradient: () => ({ z: 3 }) });
  // @ts-expect-error four axes of workgroups
  customKernel({ ...given, inputs: { x }, workgroupSize: [1, 1, 1, 1] });
  // @ts-expect-error the text is missing
  customKernel({ name: "op", inputs: { x }, outputs: given.outputs });
}

/** A model's outputs have the types of the kernel's results. */
const net = () => model({ x: specs.x, w: specs.w }, ({ x, w }) => rows({ x, w }));
type Outputs = ReturnType<typeof net> extends Model<infer _, infer O> ? O : never;
const outputsAreTyped: Equal<Outputs["y"], Tensor<readonly ["batch", 8], "f32">> = true;

Deno.test("what infer says of a custom kernel's results is what the types say", () => {
  const { y, at } = net().outputs;
  const found = [y, at].map(({ shape, dtype }) => `${dtype} ${shape.join()}`);
  if (found.join("; ") !== "f32 batch,8; i32 batch,2,16") throw new Error(found.join("; "));
  if (!inferred || !refused || !outputsAreTyped) throw new Error("unused");
});
