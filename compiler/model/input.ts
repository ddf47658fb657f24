/** Inputs: what each run is given, declared by shape and dtype. The literals are types and run-time values at once. */

import { ShapeError } from "../errors.ts";
import { isDimName, type Shape, showShape } from "../graph/dim.ts";
import { type DType, dtypes } from "../graph/dtype.ts";
import type { Tensor } from "../graph/node.ts";

/** What a run is given for one input: its shape, whose sizes may be names, and its dtype. */
export interface InputSpec<out S extends Shape = Shape, out D extends DType = DType> {
  readonly shape: S;
  readonly dtype: D;
}

/** The inputs of a model by name. */
export type Inputs = Readonly<Record<string, InputSpec>>;

/** The tensors that the model's function is given for its inputs. */
export type Handles<I extends Inputs> = { readonly [K in keyof I]: Tensor<I[K]["shape"], I[K]["dtype"]> };

type NamesIn<S extends Shape> = { [A in keyof S]: S[A] extends string ? S[A] : never }[number];

/** The names of open sizes in the inputs: the keys that `sizes` must have. `string` where a shape is not literal. */
export type SizesOf<I extends Inputs> = { [K in keyof I]: NamesIn<I[K]["shape"]> }[keyof I];

/**
 * An input of a model.
 *
 * @param shape Sizes as numbers, or as names (`"batch"`) that are bound when the model is compiled.
 * @param dtype `"f32"`, `"f16"`, `"i32"`, `"u32"` or `"bool"`.
 * @example
 * ```ts
 * import { input, mean, model } from "@weft/weft";
 *
 * model({ x: input(["batch", 28, 28], "f32"), label: input(["batch"], "i32") }, ({ x }) => ({ mean: mean(x) }));
 * ```
 */
export function input<const S extends Shape, D extends DType>(shape: S, dtype: D): InputSpec<S, D> {
  checkShape("input", shape);
  checkDType("input", dtype);
  return { shape, dtype };
}

export function checkShape(what: string, shape: Shape): void {
  if (!Array.isArray(shape)) {
    throw new ShapeError(`${what}: a shape is an array such as ["batch", 784], not ${JSON.stringify(shape)}`);
  }
  for (const dim of shape) {
    if (typeof dim === "number" ? Number.isSafeInteger(dim) && dim >= 0 : isDimName(dim)) continue;
    const why = typeof dim === "number"
      ? "a size is a whole number from 0 up"
      : "a named size is one name such as batch; computed sizes come from ops (reshape, slice, …)";
    throw new ShapeError(`${what}: ${JSON.stringify(dim)} in ${showShape(shape)} is not a size: ${why}`);
  }
}

export function checkDType(what: string, dtype: DType): void {
  if (dtypes.includes(dtype)) return;
  throw new ShapeError(
    `${what}: ${JSON.stringify(dtype)} is not a dtype; the dtypes are ${dtypes.join(", ")}`,
  );
}
