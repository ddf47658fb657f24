/**
 * Shapes of a custom kernel in the types. Its signature is a pattern: a name stands for whatever size is given there, the
 * same at each place. What is given decides the results: `y: ["n"]` of `x: ["n"]` called on ["batch"] is ["batch"].
 */

import type { Dim, Shape } from "../graph/dim.ts";
import type { DType } from "../graph/dtype.ts";
import type { Tensor } from "../graph/node.ts";
import type { InputSpec } from "./input.ts";
import type { Show, Unranked } from "./shape_types.ts";

/** The tensors of a signature, by name. */
export type Signature = Readonly<Record<string, InputSpec>>;

/** What a kernel is called with, before its shapes are looked at. */
export type Operands<I extends Signature> = { readonly [K in keyof I]: Tensor<Shape, I[K]["dtype"]> };

/** The array that a reference is given for a dtype. */
export type ReferenceArray<D extends DType> = D extends "f32" | "f16" ? Float64Array
  : D extends "i32" ? Int32Array
  : D extends "u32" ? Uint32Array
  : Uint8Array;

export type ReferenceArrays<S extends Signature> = { readonly [K in keyof S]: ReferenceArray<S[K]["dtype"]> };

/** The tensors of a signature as it says them: what a gradient is written over. */
export type TensorsOf<S extends Signature> = {
  readonly [K in keyof S]: Tensor<S[K]["shape"], S[K]["dtype"]>;
};

/** Cotangents of results: null where nothing flows, which cannot be where there is one result only. */
export type CotangentsOf<S extends Signature> = {
  readonly [K in keyof S]:
    | Tensor<S[K]["shape"], S[K]["dtype"]>
    | (IsUnion<keyof S> extends true ? null : never);
};

type ShapeOf<T> = T extends Tensor<infer S> ? S : never;

/** The sizes that a tensor of shape S has where its pattern P says N. */
type SizesAt<N, P extends Shape, S extends Shape> = Unranked<S> extends true
  ? N extends P[number] ? number : never
  : { [J in keyof P]: P[J] extends N ? J extends keyof S ? S[J] : never : never }[number];

/** All sizes that are given for the name N. */
type Given<N, I extends Signature, A> = {
  [K in keyof I]: K extends keyof A ? SizesAt<N, I[K]["shape"], ShapeOf<A[K]>> : never;
}[keyof I];

type IsUnion<U, All = U> = [U] extends [never] ? false
  : U extends unknown ? [All] extends [U] ? false : true
  : false;

/** What a name is bound to: `number` where that is known at run time only. */
type Bound<N, I extends Signature, A> = [Given<N, I, A>] extends [never] ? number
  : IsUnion<Given<N, I, A>> extends true ? number
  : Given<N, I, A>;

type BoundShape<P extends Shape, I extends Signature, A> = Unranked<P> extends true ? Shape
  : { readonly [J in keyof P]: P[J] extends string ? Bound<P[J], I, A> & Dim : P[J] };

/** What a kernel gives. */
export type CustomResults<I extends Signature, O extends Signature, A> = {
  readonly [K in keyof O]: Tensor<BoundShape<O[K]["shape"], I, A>, O[K]["dtype"]>;
};

type Agrees<P, Q, I extends Signature, A> = P extends string
  ? [Given<P, I, A>] extends [Q] ? true : number extends Given<P, I, A> ? true : false
  : [Q] extends [P] ? true
  : [P] extends [Q] ? true
  : false;

type AxesAgree<P extends Shape, S extends Shape, I extends Signature, A> = P extends
  readonly [infer First, ...infer Rest extends Shape]
  ? S extends readonly [infer Q, ...infer Others extends Shape]
    ? Agrees<First, Q, I, A> extends true ? AxesAgree<Rest, Others, I, A> : false
  : false
  : S extends readonly [] ? true
  : false;

type Fit<Name extends string, K, P extends Shape, S extends Shape, I extends Signature, A> =
  Unranked<S> extends true ? unknown
    : Unranked<P> extends true ? unknown
    : AxesAgree<P, S, I, A> extends true ? unknown
    : `customKernel(${Name}): ${K & string} is ${Show<S>}, and its signature says ${Show<P>}`;

/** Whether each operand fits the signature, or a message where one does not. */
export type Fitting<Name extends string, I extends Signature, A> = {
  readonly [K in keyof I]: K extends keyof A ? Fit<Name, K, I[K]["shape"], ShapeOf<A[K]>, I, A> : unknown;
};
