import { apply } from "../compiler/graph/build.ts";
import type { DType } from "../compiler/graph/dtype.ts";
import type { Shape } from "../compiler/graph/dim.ts";
import type { Tensor } from "../compiler/graph/node.ts";
import { defineOp } from "./define_op.ts";

/** The same numbers in another place. `purpose` keeps copies for different places apart. */
export const copyOp = defineOp<{ purpose: string }>({
  name: "copy",
  infer: ([x]) => [x!],
  gradient: ({ cotangents: [g] }) => [g ?? null],
  reference: ([x]) => [x!.slice()],
  lower: (_k, [x], at) => x!.at(at),
  samples: [
    { inputs: [{ shape: [3, 5] }], attrs: { purpose: "sample" } },
    { inputs: [{ shape: [4], dtype: "bool" }], attrs: { purpose: "sample" } },
  ],
});

/** A copy of a tensor: what an output or a state gets that would otherwise share memory. */
export function copy<S extends Shape, D extends DType>(x: Tensor<S, D>, purpose: string): Tensor<S, D> {
  return apply(copyOp, [x], { purpose }) as Tensor<S, D>;
}
