/**
 * Shapes of which the types know a part: where sizes would have to be computed they are `number`, and the number of axes
 * and the sizes of the others stay known.
 */

import type { Shape } from "../graph/dim.ts";
import type { Tensor } from "../graph/node.ts";
import type { Key, Unranked } from "./shape_types.ts";

/** S with axis X of a size known at run time. */
export type Resized<S extends Shape, X> = Unranked<S> extends true ? Shape
  : number extends Key<S, X> ? { readonly [I in keyof S]: number }
  : { readonly [I in keyof S]: I extends Key<S, X> ? number : S[I] };

/** Tensors joined along axis X, by the shape of the first. */
export type Joined<T extends readonly Tensor[], X> = Resized<T[0] extends Tensor ? T[0]["shape"] : Shape, X>;

/** A slice of S: an axis with an index is gone, one with null or nothing is whole. */
export type Sliced<S extends Shape, R extends readonly unknown[]> = Unranked<S> extends true ? Shape
  : number extends R["length"] ? Shape
  : Cut<S, R>;

type Cut<S extends Shape, R extends readonly unknown[]> = R extends readonly [infer Range, ...infer Ranges]
  ? S extends readonly [infer First, ...infer Rest extends Shape] ? Range extends number ? Cut<Rest, Ranges>
    : readonly [Range extends null ? First : number, ...Cut<Rest, Ranges>]
  : readonly []
  : S;

/** S with elements added around it: what has no widths stays. */
export type Padded<S extends Shape, W extends readonly unknown[]> = Unranked<S> extends true ? Shape
  : number extends W["length"] ? { readonly [I in keyof S]: number }
  : { readonly [I in keyof S]: I extends keyof W ? W[I] extends null ? S[I] : number : S[I] };

/** [N, C, …] convolved with a kernel [O, …]: [N, O, …]. */
export type Convolved<S extends Shape, K extends Shape> = Unranked<S> extends true ? Shape
  : S extends readonly [infer N, unknown, ...infer Space extends Shape]
    ? K extends readonly [infer O, ...Shape] ? readonly [N, O, ...{ [I in keyof Space]: number }] : Shape
  : Shape;

/** [N, C, …] with other sizes behind the channels. */
export type Pooled<S extends Shape> = Unranked<S> extends true ? Shape
  : S extends readonly [infer N, infer C, ...infer Space extends Shape]
    ? readonly [N, C, ...{ [I in keyof Space]: number }]
  : Shape;

/** The batch and the channels of [N, C, …]. */
export type Channels<S extends Shape> = S extends readonly [infer N, infer C, ...Shape] ? readonly [N, C]
  : Shape;

/** What attention finds: the queries' shape with the last axis of the values. */
export type Attended<Q extends Shape, V extends Shape> = Unranked<Q> extends true ? Shape
  : Q extends readonly [...infer L extends Shape, unknown]
    ? V extends readonly [...Shape, infer E] ? readonly [...L, E] : Shape
  : Shape;
