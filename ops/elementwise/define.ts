/**
 * The shape that all elementwise ops share: equal shapes in, the same shape out, one value per element.
 *
 * What is left to say per op is a number function (the reference), a value (the lowering) and a derivative.
 */

import { ShapeError } from "../../compiler/errors.ts";
import { type DType, hostArray, isFloat, isInteger, roundTo } from "../../compiler/graph/dtype.ts";
import { elementsOf, sameShape } from "../../compiler/graph/dim.ts";
import { showType, type Tensor, type TensorType } from "../../compiler/graph/node.ts";
import type { NotDifferentiable, Op, Sample, SampleInput } from "../../compiler/graph/op.ts";
import { log } from "../../compiler/graph/real.ts";
import type { Value } from "../../compiler/kernel/value.ts";
import type { Values } from "../../compiler/kernel/values.ts";
import { defineOp } from "../define_op.ts";

export type ElementwiseOp = Op<Record<never, never>>;

export const floats: readonly DType[] = ["f32", "f16"];
export const integers: readonly DType[] = ["i32", "u32"];
export const numeric: readonly DType[] = [...floats, ...integers];

/** Where samples of an operand are drawn from: floats in [lo, hi), integers in [ilo, ihi) (default: [−9, 9]). */
export interface Domain {
  readonly lo: number;
  readonly hi: number;
  readonly ilo?: number;
  readonly ihi?: number;
  readonly dtype?: DType;
}

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
  /** One element of an integer type, where that is another formula; the result is wrapped to the type. */
  readonly integer?: (...x: number[]) => number;
  readonly lower: (k: Values, ...x: Value[]) => Value;
  /** Cotangents of the operands: g flows into the result y. */
  readonly gradient:
    | ((site: { g: Tensor; x: readonly Tensor[]; y: Tensor }) => readonly (Tensor | null)[])
    | NotDifferentiable;
  readonly ulp?: number;
  readonly builtinUlp?: (result: number) => number;
  readonly jumps?: boolean;
  /** Domain of the samples per operand; two shapes are made of it. */
  readonly domain: readonly Domain[];
  /** Operands worth trying besides the random ones: infinities, NaN, zeros of both signs, bounds. */
  readonly special?: readonly (readonly number[])[];
  /** The same for the integer types: wrapping, division by zero, bounds. */
  readonly specialIntegers?: readonly (readonly number[])[];
}

/** ULP of what is as wrong as the target's own eˣ, which is within 3 + |x| of them, and of `more` operations. */
export function ulpOfExponential(more: number): (result: number) => number {
  return (result) =>
    result === 0 || !Number.isFinite(result) ? 0 : 3 + Math.abs(log(Math.abs(result))) + more;
}

/** Defines an elementwise op. The attributes are empty: what varies is in the operands. */
export function elementwise(spec: Elementwise): ElementwiseOp {
  const { name, arity, dtypes, number, lower } = spec;
  return defineOp<Record<never, never>>({
    name,
    infer(inputs) {
      if (inputs.length !== arity) {
        throw new ShapeError(`${name}: takes ${arity} operands, got ${inputs.length}`);
      }
      for (const type of inputs) {
        if (!sameShape(type.shape, inputs[0]!.shape)) {
          throw new ShapeError(
            `${name}: operands are ${inputs.map(showType).join(" and ")}; shapes must be equal here`,
          );
        }
      }
      if (spec.check) spec.check(inputs);
      else {
        for (const type of inputs) {
          if (type.dtype !== inputs[0]!.dtype) {
            throw new ShapeError(
              `${name}: operands are ${
                inputs.map(showType).join(" and ")
              }. Weft never converts silently: use cast`,
            );
          }
        }
        if (!dtypes.includes(inputs[0]!.dtype)) {
          throw new ShapeError(
            `${name}: is defined for ${dtypes.join(", ")}, not for ${showType(inputs[0]!)}; use cast(x, "${
              dtypes[0]
            }")`,
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
    reference(inputs, _attrs, types) {
      const { shape, dtype } = types.outputs[0]!;
      const out = hostArray(dtype, elementsOf(shape) as number);
      const [a, b, c] = inputs;
      const of = spec.integer && isInteger(types.inputs.at(-1)!.dtype) ? spec.integer : number;
      for (let i = 0; i < out.length; i++) out[i] = of(a![i]!, b?.[i] ?? 0, c?.[i] ?? 0);
      return [out];
    },
    lower: (k, inputs, at) => lower(k, ...inputs.map((input) => input.at(at))),
    ...(spec.ulp === undefined ? {} : { ulp: spec.ulp }),
    ...(spec.builtinUlp === undefined ? {} : { builtinUlp: spec.builtinUlp }),
    ...(spec.jumps === undefined ? {} : { jumps: spec.jumps }),
    samples: samplesOf(spec),
  });
}

function drawn({ lo, hi, ilo = -9, ihi = 10 }: Domain, dtype: DType): Omit<SampleInput, "shape"> {
  if (isInteger(dtype)) return { dtype, lo: dtype === "u32" ? Math.max(0, ilo) : ilo, hi: ihi };
  return { dtype, lo, hi };
}

/** Per dtype a small and an odd shape inside the domain, and one of special values. */
function samplesOf(spec: Elementwise): Sample<Record<never, never>>[] {
  const samples: Sample<Record<never, never>>[] = [];
  for (const dtype of spec.dtypes) {
    const shapes = dtype === spec.dtypes[0] ? [[7], [3, 5, 4]] : [[2, 9]];
    for (const shape of shapes) {
      samples.push({
        attrs: {},
        inputs: spec.domain.map((d): SampleInput => ({ shape, ...drawn(d, d.dtype ?? dtype) })),
      });
    }
  }
  const given = (rows: readonly (readonly number[])[], dtype: DType) =>
    samples.push({
      attrs: {},
      note: "special values",
      inputs: spec.domain.map((d, i): SampleInput => ({
        shape: [rows.length],
        dtype: d.dtype ?? dtype,
        values: rows.map((row) => row[i]!),
      })),
    });
  for (const dtype of spec.dtypes) {
    if (isFloat(dtype) && spec.special) {
      given(spec.special.map((row) => row.map((x) => roundTo(dtype, x))), dtype);
    }
    if (isInteger(dtype) && spec.specialIntegers) {
      given(spec.specialIntegers.map((row) => row.map((x) => roundTo(dtype, x))), dtype);
    }
  }
  return samples;
}
