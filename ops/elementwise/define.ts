/**
 * The shape that all elementwise ops share: equal shapes in, the same shape out, one value per element.
 *
 * What is left to say per op is a number function (the reference), a value (the lowering) and a derivative.
 */

import { ShapeError } from "../../compiler/errors.ts";
import { type DType, hostArray } from "../../compiler/graph/dtype.ts";
import { sameShape } from "../../compiler/graph/dim.ts";
import { showType, type Tensor, type TensorType } from "../../compiler/graph/node.ts";
import type { NotDifferentiable, Op, Sample, SampleInput } from "../../compiler/graph/op.ts";
import { elementsOf } from "../../compiler/graph/dim.ts";
import type { Value, Values } from "../../compiler/kernel/value.ts";
import { defineOp } from "../define_op.ts";

export interface Elementwise {
  readonly name: string;
  readonly arity: 1 | 2 | 3;
  /** Dtypes of the operands it takes; all operands have one dtype unless `mixed` says otherwise. */
  readonly dtypes: readonly DType[];
  /** Type of the result, from the operands'. Default: that of the first. */
  readonly result?: (types: readonly TensorType[]) => DType;
  /** Operands may differ in dtype (where); the op then checks them itself. */
  readonly check?: (types: readonly TensorType[]) => void;
  /** One element, in f64 for the float types. */
  readonly number: (...x: number[]) => number;
  readonly lower: (k: Values, ...x: Value[]) => Value;
  /** Cotangents of the operands: g flows into the result y. */
  readonly gradient:
    | ((site: { g: Tensor; x: readonly Tensor[]; y: Tensor }) => readonly (Tensor | null)[])
    | NotDifferentiable;
  readonly ulp?: number;
  readonly jumps?: boolean;
  /** Domain of the samples per operand; two shapes are made of it. */
  readonly domain: readonly { readonly lo: number; readonly hi: number; readonly dtype?: DType }[];
  /** Operands worth trying besides the random ones: infinities, NaN, zeros of both signs, bounds. */
  readonly special?: readonly (readonly number[])[];
}

/** Defines an elementwise op. The attributes are empty: what varies is in the operands. */
export function elementwise(spec: Elementwise): Op<Record<never, never>> {
  const { name, arity, dtypes, number, lower } = spec;
  return defineOp<Record<never, never>>({
    name,
    infer(inputs) {
      if (inputs.length !== arity) throw new ShapeError(`${name}: takes ${arity} operands, got ${inputs.length}`);
      for (const type of inputs) {
        if (!sameShape(type.shape, inputs[0]!.shape)) {
          throw new ShapeError(`${name}: operands are ${inputs.map(showType).join(" and ")}; shapes must be equal here`);
        }
      }
      if (spec.check) spec.check(inputs);
      else {
        for (const type of inputs) {
          if (type.dtype !== inputs[0]!.dtype) {
            throw new ShapeError(
              `${name}: operands are ${inputs.map(showType).join(" and ")}. Weft never converts silently: use cast`,
            );
          }
        }
        if (!dtypes.includes(inputs[0]!.dtype)) {
          throw new ShapeError(
            `${name}: is defined for ${dtypes.join(", ")}, not for ${inputs[0]!.dtype}; use cast(x, "${dtypes[0]}")`,
          );
        }
      }
      return [{ shape: inputs[0]!.shape, dtype: spec.result?.(inputs) ?? inputs[0]!.dtype }];
    },
    gradient: "notDifferentiable" in spec.gradient ? spec.gradient : (site) => {
      const g = site.cotangents[0];
      if (!g || "notDifferentiable" in spec.gradient) return spec.domain.map(() => null);
      return spec.gradient({ g, x: site.inputs, y: site.outputs[0]! });
    },
    reference(inputs, _attrs, { outputs }) {
      const out = hostArray(outputs[0]!.dtype, elementsOf(outputs[0]!.shape) as number);
      const [a, b, c] = inputs;
      for (let i = 0; i < out.length; i++) out[i] = number(a![i]!, b?.[i] ?? 0, c?.[i] ?? 0);
      return [out];
    },
    lower: (k, inputs, at) => lower(k, ...inputs.map((input) => input.at(at))),
    ...(spec.ulp === undefined ? {} : { ulp: spec.ulp }),
    ...(spec.jumps === undefined ? {} : { jumps: spec.jumps }),
    samples: samplesOf(spec),
  });
}

/** Per dtype a small and an odd shape inside the domain, and one of special values. */
function samplesOf(spec: Elementwise): Sample<Record<never, never>>[] {
  const samples: Sample<Record<never, never>>[] = [];
  for (const dtype of spec.dtypes) {
    const shapes = dtype === spec.dtypes[0] ? [[7], [3, 5, 4]] : [[2, 9]];
    for (const shape of shapes) {
      samples.push({
        attrs: {},
        inputs: spec.domain.map((d): SampleInput => ({ shape, dtype: d.dtype ?? dtype, lo: d.lo, hi: d.hi })),
      });
    }
  }
  if (spec.special) {
    samples.push({
      attrs: {},
      note: "special values",
      inputs: spec.domain.map((d, i) => ({
        shape: [spec.special!.length],
        dtype: d.dtype ?? spec.dtypes[0]!,
        values: spec.special!.map((row) => row[i]!),
      })),
    });
  }
  return samples;
}
