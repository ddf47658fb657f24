import type { DType } from "../../compiler/graph/dtype.ts";
import type { Shape } from "../../compiler/graph/dim.ts";
import type { Tensor } from "../../compiler/graph/node.ts";
import type { LabelsFit } from "../../compiler/model/shape_types.ts";
import { composite } from "../composite.ts";
import { neg } from "../elementwise/arithmetic.ts";
import { equal } from "../elementwise/comparison.ts";
import { where } from "../elementwise/select.ts";
import { iota } from "../leaves.ts";
import { sum } from "../reduce/sum.ts";
import { expandDims } from "../views/squeeze.ts";
import type { CrossEntropyOptions } from "./cross_entropy.ts";
import { checkLabels, meanOfRows, withLabels } from "./labels.ts";

/**
 * Negative log-likelihood: the mean over rows of −logp[label]. `nll(logSoftmax(x), labels)` is
 * `crossEntropy(x, labels)`.
 *
 * A label outside 0 ≤ label < V that is not `ignoreIndex` makes the loss NaN. Where every row is ignored it is 0.
 *
 * @param logp [..., V], logarithms of probabilities (f32 or f16), as `logSoftmax` gives.
 * @param labels [...], i32.
 * @throws ShapeError when shapes or dtypes do not fit.
 * @example
 * ```ts
 * import { input, logSoftmax, model, nll } from "@weft/weft";
 *
 * model({ x: input(["batch", 3], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
 *   return { loss: nll(logSoftmax(x), y) };
 * });
 * ```
 */
export function nll<S extends Shape, D extends DType, L extends Shape>(
  logp: Tensor<S, D>,
  labels: Tensor<L, "i32"> & LabelsFit<"nll", S, L>,
  { ignoreIndex }: Pick<CrossEntropyOptions, "ignoreIndex"> = {},
): Tensor<readonly [], D> {
  const [scores, label]: readonly Tensor[] = [logp, labels];
  checkLabels("nll", "logp", scores!, label!);
  return composite("nll", () => {
    const classes = scores!.shape.at(-1)!;
    // A selection and not a product: a class of probability 0 that is not asked for adds 0, not 0 · ∞.
    const hit = equal(iota([classes]), expandDims(label!, -1));
    const losses = neg(sum(where(hit, scores!, 0), -1));
    return meanOfRows(withLabels(losses, label!, classes, ignoreIndex), label!, ignoreIndex);
  }) as Tensor as Tensor<readonly [], D>;
}
