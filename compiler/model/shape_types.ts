/**
 * Shapes in the types: what `infer` will say, as far as the type checker can see it.
 *
 * Types are the fast echo of `infer`, which is the truth. Three rules keep them cheap and quiet:
 *
 *  - A literal that meets a literal must fit. A literal that meets a wide `number` (or a shape of unknown rank) passes,
 *    and `infer` decides.
 *  - A check is a type that is `unknown` where all is well and a message where it is not. An operand is intersected with
 *    it (`b: Tensor<B, E> & Fits<…>`), so the checker shows the message at the call. The message is built only then.
 *  - There is no arithmetic. Where a size would have to be computed (convolution, concat, slice) it is `number`.
 */

import type { Dim, Shape } from "../graph/dim.ts";
import type { DType } from "../graph/dtype.ts";
import type { Tensor } from "../graph/node.ts";

/** Whether a shape's rank is unknown. */
export type Unranked<S extends Shape> = number extends S["length"] ? true : false;

type Joined<S extends Shape> = S extends readonly [infer Only extends Dim] ? `${Only}`
  : S extends readonly [infer First extends Dim, ...infer Rest extends Shape] ? `${First}, ${Joined<Rest>}`
  : "";

/** `"[batch, 784]"`, as the run-time messages print it; a size known at run time only is `number`. */
export type Show<S extends Shape> = Unranked<S> extends true ? "[…]" : `[${Joined<S>}]`;

/** Whether two sizes may be equal: literals must be; a size known at run time only may be any number. */
type MayEqual<P, Q> = [P] extends [Q] ? true : [Q] extends [P] ? true : false;

// ── Broadcasting ──────────────────────────────────────────────────────────────────────────────────────────────────

/** The size of one axis after broadcasting: 1 gives way, and so does a size not known here. */
type Stretched<P, Q> = P extends 1 ? Q : Q extends 1 ? P : number extends P ? Q : P;

type StretchedShape<A extends Shape, B extends Shape> = A extends
  readonly [...infer AI extends Shape, infer P]
  ? B extends readonly [...infer BI extends Shape, infer Q]
    ? readonly [...StretchedShape<AI, BI>, Stretched<P, Q>]
  : A
  : B;

/** The shape of an elementwise result: axes aligned at the last. */
export type Broadcast<A extends Shape, B extends Shape> = B extends readonly [] ? A
  : A extends readonly [] ? B
  : Unranked<A> extends true ? Shape
  : Unranked<B> extends true ? Shape
  : StretchedShape<A, B>;

type MayStretch<P, Q> = 1 extends P ? true : 1 extends Q ? true : MayEqual<P, Q>;

type Broadcasts<A extends Shape, B extends Shape> = A extends readonly [...infer AI extends Shape, infer P]
  ? B extends readonly [...infer BI extends Shape, infer Q]
    ? MayStretch<P, Q> extends true ? Broadcasts<AI, BI> : false
  : true
  : true;

type Stretch<Op extends string, A extends Shape, B extends Shape> = Unranked<A> extends true ? unknown
  : Unranked<B> extends true ? unknown
  : Broadcasts<A, B> extends true ? unknown
  : `${Op}: shapes ${Show<A>} and ${Show<B>} do not broadcast`;

/**
 * Whether the second operand of an elementwise op fits the first. Equal shapes are decided at once: that is cheap, and
 * holds in generic code too, where A and B are one type parameter.
 */
export type Fits<Op extends string, A extends Shape, B extends Shape> = [B] extends [A] ? unknown
  : Stretch<Op, A, B>;

/** Whether two operands have one dtype. A number has none (`never`) and takes the other's. */
export type SameDType<Op extends string, D extends DType, E extends DType> = [E] extends [D] ? unknown
  : [D] extends [never] ? unknown
  : [D] extends [E] ? unknown
  : `${Op}: operands are ${D} and ${E}; use cast`;

/** The result of an elementwise op. Its operands decide, never what is expected of it. */
export type Both<A extends Shape, B extends Shape> = Broadcast<NoInfer<A>, NoInfer<B>>;

/** First operand of an elementwise op: a number is a scalar without a dtype. */
export type First<A extends Shape, D extends DType> = Tensor<A, D> | number;

/** Second operand: it fits the first, or the message says why not. */
export type Second<Op extends string, A extends Shape, D extends DType, B extends Shape, E extends DType> =
  | (Tensor<B, E> & Fits<Op, A, B> & SameDType<Op, D, E>)
  | number;

// ── Products ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** Whether the inner dimensions of a product fit. A vector has one axis, which is the inner one. */
export type Inner<A extends Shape, B extends Shape> = Unranked<A> extends true ? unknown
  : Unranked<B> extends true ? unknown
  : A extends readonly [...Shape, infer K]
    ? B extends readonly [...Shape, infer K2, unknown] ? MayEqual<K, K2> extends true ? LeadingFit<A, B>
      : `matmul: inner dimensions of ${Show<A>} and ${Show<B>} differ`
    : B extends readonly [infer K2] ? MayEqual<K, K2> extends true ? unknown
      : `matmul: inner dimensions of ${Show<A>} and ${Show<B>} differ`
    : "matmul: a scalar has no rows; use mul"
  : "matmul: a scalar has no rows; use mul";

type LeadingFit<A extends Shape, B extends Shape> = A extends
  readonly [...infer L extends Shape, infer _M, infer _K]
  ? B extends readonly [...infer L2 extends Shape, infer _K2, infer _N]
    ? Broadcasts<L, L2> extends true ? unknown
    : `matmul: leading axes of ${Show<A>} and ${Show<B>} do not broadcast`
  : unknown
  : unknown;

/** [..., M, K] · [..., K, N] → [..., M, N]; the axis of a vector is gone. */
export type Product<A extends Shape, B extends Shape> = Unranked<A> extends true ? Shape
  : Unranked<B> extends true ? Shape
  : A extends readonly [...infer L extends Shape, infer M, infer _K]
    ? B extends readonly [...infer L2 extends Shape, infer _K2, infer N]
      ? readonly [...Broadcast<L, L2>, M, N]
    : readonly [...L, M]
  : B extends readonly [...infer L2 extends Shape, infer _K2, infer N] ? readonly [...L2, N]
  : readonly [];

// ── Axes ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A literal axis from 0, as text (a tuple's own key); `number` where it is not literal. */
export type Key<S extends Shape, X> = number extends X ? number
  : X extends -1 ? S extends readonly [...infer I, unknown] ? `${I["length"]}` : never
  : X extends -2 ? S extends readonly [...infer I, unknown, unknown] ? `${I["length"]}` : never
  : X extends -3 ? S extends readonly [...infer I, unknown, unknown, unknown] ? `${I["length"]}` : never
  : X extends -4
    ? S extends readonly [...infer I, unknown, unknown, unknown, unknown] ? `${I["length"]}` : never
  : X extends number ? `${X}`
  : never;

/** One axis, or several. */
export type Axes = number | readonly number[] | undefined;

type Keys<S extends Shape, X> = X extends readonly number[] ? { [I in keyof X]: Key<S, X[I]> }[number]
  : Key<S, X>;

type Without<S extends Shape, K, Done extends readonly unknown[] = readonly []> = S extends
  readonly [infer First, ...infer Rest extends Shape]
  ? `${Done["length"]}` extends K ? Without<Rest, K, readonly [...Done, 0]>
  : readonly [First, ...Without<Rest, K, readonly [...Done, 0]>]
  : readonly [];

type WithOnes<S extends Shape, K> = { readonly [I in keyof S]: I extends K ? 1 : S[I] };

/** The shape after a reduction over axes X (undefined: all). */
export type Reduced<S extends Shape, X, Keep> = Unranked<S> extends true
  ? undefined extends X ? Keep extends true ? Shape : readonly [] : Shape
  : boolean extends Keep ? Shape
  : undefined extends X ? Keep extends true ? { readonly [I in keyof S]: 1 } : readonly []
  : number extends Keys<S, X> ? Shape
  : Keep extends true ? WithOnes<S, Keys<S, X>>
  : Without<S, Keys<S, X>>;

/** The shape with its axes in another order. */
export type Permuted<S extends Shape, O extends readonly number[]> = number extends O["length"] ? Shape
  : Unranked<S> extends true ? Shape
  : { readonly [I in keyof O]: Key<S, O[I]> extends infer K ? K extends keyof S ? S[K] : Dim : never };

/** The shape with its last two axes swapped. */
export type Transposed<S extends Shape> = S extends readonly [...infer L extends Shape, infer M, infer N]
  ? readonly [...L, N, M]
  : Shape;

/** The shape with an axis of size 1 more, where X is the first or the last axis of the result. */
export type Expanded<S extends Shape, X> = number extends X ? Shape
  : X extends 0 ? readonly [1, ...S]
  : X extends -1 ? readonly [...S, 1]
  : Shape;

/** Rows of a table T, picked by ids of shape I. */
export type Rows<T extends Shape, I extends Shape> = Unranked<T> extends true ? Shape
  : Unranked<I> extends true ? Shape
  : T extends readonly [unknown, ...infer F extends Shape] ? readonly [...I, ...F]
  : Shape;

/** A target of reshape: -1 is worked out when the graph is made. */
export type Reshaped<T extends Shape> = { readonly [I in keyof T]: T[I] extends -1 ? number : T[I] };

// ── Layers ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Whether the last axis of S is what a layer was made for. */
export type LastIs<Op extends string, S extends Shape, F extends Dim> = Unranked<S> extends true ? unknown
  : S extends readonly [...Shape, infer Last]
    ? MayEqual<Last, F> extends true ? unknown : `${Op}: the last axis of ${Show<S>} is not ${F}`
  : `${Op}: the last axis of ${Show<S>} is not ${F}`;

/** S with another last axis. */
export type WithLast<S extends Shape, F extends Dim> = S extends readonly [...infer L extends Shape, unknown]
  ? readonly [...L, F]
  : Shape;

/** Whether labels [...B] belong to logits [...B, V]. */
export type LabelsFit<Op extends string, S extends Shape, L extends Shape> = Unranked<S> extends true
  ? unknown
  : Unranked<L> extends true ? unknown
  : S extends readonly [...infer B extends Shape, unknown] ? SameAxes<B, L> extends true ? unknown
    : `${Op}: logits ${Show<S>} need labels ${Show<B>}, not ${Show<L>}`
  : `${Op}: logits ${Show<S>} have no axis of classes`;

/** Whether two shapes may be equal, axis by axis. */
export type SameAxes<A extends Shape, B extends Shape> = A extends
  readonly [infer P, ...infer AR extends Shape]
  ? B extends readonly [infer Q, ...infer BR extends Shape]
    ? MayEqual<P, Q> extends true ? SameAxes<AR, BR> : false
  : false
  : B extends readonly [] ? true
  : false;

/** Whether two operands that do not broadcast have one shape. */
export type SameShape<Op extends string, A extends Shape, B extends Shape> = Unranked<A> extends true
  ? unknown
  : Unranked<B> extends true ? unknown
  : SameAxes<A, B> extends true ? unknown
  : `${Op}: shapes ${Show<A>} and ${Show<B>} differ`;

/** Whether a shape that is known here may be the one expected. */
export type MayBe<Op extends string, S extends Shape, T extends Shape> = Unranked<S> extends true ? unknown
  : Unranked<T> extends true ? unknown
  : S["length"] extends T["length"] ? unknown
  : `${Op}: ${Show<S>} has another number of axes than ${Show<T>}`;
