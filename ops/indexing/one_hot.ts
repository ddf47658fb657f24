import { type DType, hostArray } from "../../compiler/graph/dtype.ts";
import type { Dim, Shape } from "../../compiler/graph/dim.ts";
import { apply } from "../../compiler/graph/build.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import { valueType } from "../../compiler/kernel/value.ts";
import { defineOp } from "../define_op.ts";
import { axisOf } from "../views/axis.ts";
import { permute } from "../views/permute.ts";
import { count } from "../views/walk.ts";
import { checkIndices } from "./gather.ts";

/** 1 where the last index is the id, else 0; an id out of range gives a row of zeros. */
export const oneHotOp = defineOp<{ depth: Dim; dtype: DType }>({
  name: "oneHot",
  infer([ids], { depth, dtype }) {
    checkIndices("oneHot", ids!);
    return [{ shape: [...ids!.shape, depth], dtype }];
  },
  gradient: () => [null],
  reference([ids], { depth }, { outputs }) {
    const out = hostArray(outputs[0]!.dtype, count(outputs[0]!.shape));
    ids!.forEach((id: number, row: number) => {
      if (id >= 0 && id < (depth as number)) out[row * (depth as number) + id] = 1;
    });
    return [out];
  },
  lower(k, [ids], at, { outputs }) {
    const hit = k.eq(ids!.at(at.slice(0, -1)), at.at(-1)!);
    const type = valueType(outputs[0]!.dtype);
    return type === "bool" ? hit : k.select(hit, k.const(1, type), k.const(0, type));
  },
  dims: ["depth"],
  samples: [
    { inputs: [{ shape: [5], dtype: "i32", lo: 0, hi: 4 }], attrs: { depth: 4, dtype: "f32" } },
    { inputs: [{ shape: [2, 3], dtype: "i32", lo: -1, hi: 4 }], attrs: { depth: 3, dtype: "i32" } },
    { inputs: [{ shape: [], dtype: "i32", values: [1] }], attrs: { depth: 3, dtype: "bool" } },
    { inputs: [{ shape: [4], dtype: "i32", lo: 0, hi: 2 }], attrs: { depth: 1, dtype: "f16" } },
  ],
});

/**
 * A new axis that is 1 at the id and 0 elsewhere. An id out of range gives zeros only.
 *
 * @param depth Size of the new axis.
 * @param options `dtype` of the result (default f32); `axis` of the result where it goes (default: last).
 * @example
 * ```ts
 * import { input, model, oneHot } from "@weft/weft";
 *
 * model({ label: input([4], "i32") }, ({ label }) => ({ rows: oneHot(label, 10) })); // [4, 10]
 * ```
 */
export function oneHot<D extends DType = "f32">(
  ids: Tensor<Shape, "i32">,
  depth: Dim,
  { dtype = "f32" as D, axis = -1 }: { readonly dtype?: D; readonly axis?: number } = {},
): Tensor<Shape, D> {
  const hot = apply(oneHotOp, [ids], { depth, dtype }) as Tensor<Shape, D>;
  const to = axisOf("oneHot", axis, hot.shape);
  const lead = [...ids.shape.keys()];
  return permute(hot, [...lead.slice(0, to), ids.shape.length, ...lead.slice(to)]);
}
