/** What attention takes: options, attributes, and the shapes that fit together. */

import { ShapeError } from "../../compiler/errors.ts";
import { type DType, isFloat } from "../../compiler/graph/dtype.ts";
import { type Dim, sameShape, type Shape, showShape } from "../../compiler/graph/dim.ts";
import { showType, type Tensor, type TensorType } from "../../compiler/graph/node.ts";
import type { ConcreteType } from "../../compiler/kernel/value.ts";

export interface AttentionOptions {
  /** Query i sees keys up to i only. With more keys than queries (a cache) the last query sees all of them. */
  readonly causal?: boolean;
  /** Factor of the scores. Default 1/√(head size). */
  readonly scale?: number;
  /**
   * bool: true where a query may see a key. A float type: added to the scores, −∞ hides the pair. Broadcasts against
   * [batch, heads, queries, keys].
   */
  readonly mask?: Tensor<Shape, "bool"> | Tensor | undefined;
}

export interface AttentionAttrs {
  readonly causal: boolean;
  /** null: 1/√(head size), which may still have to be bound. */
  readonly scale: number | null;
}

/** The attributes as a caller would write them. */
export const optionsOf = ({ causal, scale }: AttentionAttrs, mask?: Tensor): AttentionOptions => ({
  causal,
  mask,
  ...scale === null ? {} : { scale },
});

export const scaleOf = ({ scale }: AttentionAttrs, q: ConcreteType): number =>
  scale ?? 1 / Math.sqrt(Math.max(1, q.shape.at(-1)!));

/** Query heads that share a head of k and v. */
export const groupOf = (q: ConcreteType, k: ConcreteType): number =>
  q.shape.length < 3 ? 1 : q.shape.at(-3)! / Math.max(1, k.shape.at(-3)!);

/** Query i sees key j up to i plus this. */
export const causalReach = (q: ConcreteType, k: ConcreteType): number => k.shape.at(-2)! - q.shape.at(-2)!;

/** Throws where the operands do not fit; else gives the shapes of the result and of its log-sum-exp. */
export function attentionShapes(
  q: TensorType,
  k: TensorType,
  v: TensorType,
  mask?: TensorType,
): readonly [out: Shape, lse: Shape] {
  const shapes = `q ${showShape(q.shape)}, k ${showShape(k.shape)}, v ${showShape(v.shape)}`;
  const wrong = (why: string): never => {
    throw new ShapeError(`attention: ${shapes}: ${why}`);
  };
  const rank = q.shape.length;
  if (rank < 2 || k.shape.length !== rank || v.shape.length !== rank) {
    wrong("each must be [..., heads, positions, head size], all of one rank");
  }
  if (new Set([q.dtype, k.dtype, v.dtype]).size > 1) {
    wrong(`the types ${q.dtype}, ${k.dtype} and ${v.dtype} differ; use cast`);
  }
  if (!isFloat(q.dtype)) wrong(`is defined for f32 and f16, not for ${q.dtype}; use cast(x, "f32")`);
  if (!sameShape(q.shape.slice(0, -3), k.shape.slice(0, -3))) {
    wrong("the leading axes of q and k differ; use expandDims and broadcastTo");
  }
  if (!sameShape(k.shape.slice(0, -2), v.shape.slice(0, -2))) {
    wrong("the leading axes of k and v differ; they must be equal");
  }
  if (q.shape.at(-1) !== k.shape.at(-1)) {
    wrong(
      `the head sizes of q and k (their last axes) are ${q.shape.at(-1)} and ${
        k.shape.at(-1)
      }; they must be equal`,
    );
  }
  if (k.shape.at(-2) !== v.shape.at(-2)) {
    wrong(`k has ${k.shape.at(-2)} positions and v ${v.shape.at(-2)}; they must be equal`);
  }
  if (rank > 2 && !divides(k.shape.at(-3)!, q.shape.at(-3)!)) {
    wrong(
      `${q.shape.at(-3)} heads of q cannot share ${k.shape.at(-3)} heads of k and v; make them a multiple`,
    );
  }
  const lse = q.shape.slice(0, -1);
  if (mask) checkMask(mask, q.dtype, [...lse, k.shape.at(-2)!]);
  return [[...lse, v.shape.at(-1)!], lse];
}

function divides(part: Dim, whole: Dim): boolean {
  if (part === whole) return true;
  return typeof part === "number" && typeof whole === "number" && part > 0 && whole > 0 && whole % part === 0;
}

function checkMask(mask: TensorType, dtype: DType, pairs: Shape): void {
  if (mask.dtype !== "bool" && mask.dtype !== dtype) {
    throw new ShapeError(
      `attention: the mask is ${
        showType(mask)
      }; it must be bool (true: visible) or ${dtype} (added to the scores)`,
    );
  }
  const lead = pairs.length - mask.shape.length;
  if (lead < 0 || mask.shape.some((d, i) => d !== 1 && d !== pairs[i + lead])) {
    throw new ShapeError(
      `attention: the mask ${showShape(mask.shape)} does not broadcast to the pairs ${
        showShape(pairs)
      }: sizes must ` +
        "be equal or 1, counted from the last axis",
    );
  }
}
