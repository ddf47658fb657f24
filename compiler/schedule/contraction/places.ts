/**
 * Where along one side of the output a lane works: its rows or its columns.
 *
 * A side's variables are walked by one position in units of `width` elements. Place p of lane l in tile t is the unit
 * (t · places + p) · lanes + l: neighboring lanes have neighboring places, so what they load and store is contiguous.
 * Where tiles end with the innermost axis, a place is affine in tile and lane, and its neighbors in the tile differ by a
 * literal; elsewhere each place has a variable of its own, decoded from the position and clamped to the last one, so
 * that loads stay inside their buffers and only stores ask whether the place exists. What is done at every place alike,
 * one body in a loop can do (`only`): compilers of shaders take long over long texts.
 */

import type { IrBuilder } from "../../kernel/build.ts";
import type { Instr } from "../../kernel/ir.ts";
import type { Evaluator } from "../../kernel/lower.ts";
import type { Value, Var } from "../../kernel/value.ts";
import type { Values } from "../../kernel/values.ts";
import { extentOf } from "./extent.ts";

/** Makes variables that occur nowhere yet. */
export class FreshVars {
  readonly #taken: Value[];
  constructor(readonly k: Values, taken: readonly Value[]) {
    this.#taken = [...taken];
  }
  /** A variable of this extent; the constant 0 for an extent of 1. */
  of(extent: number): Value {
    const v = this.k.fresh(extent, this.#taken);
    this.#taken.push(v);
    return v;
  }
}

export type Bindings = (readonly [Value, Value])[];

export interface Places {
  readonly count: number;
  readonly width: 1 | 4;
  /** 0 … width − 1: what a place of width 4 is evaluated along. */
  readonly component: Value;
  /** The side's variables at a place, and at one of its components. */
  at(place: number, component: Value): Bindings;
  /** Whether the place exists; undefined where all do. */
  inside(place: number): Instr | undefined;
  /** The one place that a variable says, which the cursor is in a loop over; undefined where there are no variables. */
  readonly only?: (place: Value) => Places;
}

/** The indices of a position in row-major order. */
export function decode(b: IrBuilder, position: Instr, extents: readonly number[]): Instr[] {
  const indices: Instr[] = [];
  let rest = position;
  for (let i = extents.length - 1; i >= 0; i--) {
    indices[i] = i === 0 ? rest : b.rem(rest, extents[i]!);
    if (i > 0) rest = b.div(rest, extents[i]!);
  }
  return indices;
}

/** The number of tiles of `lanes · count` units that cover a side. */
export const tilesOf = (vars: readonly Var[], width: number, lanes: number, count: number): number =>
  tileExtents(vars, width, lanes * count).reduce((n, d) => n * d, 1);

/**
 * The extents of a side's tile index: per outer variable and along the innermost one where tiles end with it, else one
 * number.
 */
export function tileExtents(vars: readonly Var[], width: number, span: number): number[] {
  const inner = vars.at(-1);
  if (!inner || inner.extent / width % span !== 0) return [Math.ceil(extentOf(vars) / width / span)];
  return [...vars.slice(0, -1).map((v) => v.extent), inner.extent / width / span];
}

/**
 * Lays the places of one side; binds what they need where the cursor stands.
 *
 * @param vars The side's variables, innermost last; the innermost extent is a multiple of `width`.
 * @param tile The tile's index, along `tileExtents`.
 */
export function layPlaces(
  ev: Evaluator,
  fresh: FreshVars,
  vars: readonly Var[],
  width: 1 | 4,
  tile: readonly Instr[],
  lane: Instr,
  lanes: number,
  count: number,
): Places {
  const { b, k } = ev;
  const component = fresh.of(width);
  if (component.kind === "var") ev.bind(component, b.int(0));
  const inner = vars.at(-1);
  const outer = vars.slice(0, -1);
  if (!inner) {
    const first = lanes > 1 ? b.lt(lane, 1) : undefined;
    return { count, width, component, at: () => [], inside: () => first };
  }
  const units = inner.extent / width;
  const span = lanes * count;
  const bind = (extent: number, instr: Instr): Value => {
    const v = fresh.of(extent);
    if (v.kind === "var") ev.bind(v, instr);
    return v;
  };
  if (units % span === 0) {
    const own = outer.map((v, i) => [v, bind(v.extent, tile[i]!)] as const);
    const t = bind(units / span, tile.at(-1)!);
    const l = bind(lanes, lane);
    const only = (place: Value): Places => ({
      count: 1,
      width,
      component,
      at: (
        _,
        c,
      ) => [...own, [inner, k.affine([[t, span * width], [l, width], [c, 1], [place, lanes * width]])]],
      inside: () => undefined,
    });
    const at = (p: number, c: Value): Bindings => only(k.int(p)).at(0, c);
    return { count, width, component, at, inside: () => undefined, only };
  }
  const total = extentOf(vars) / width;
  const ragged = total % span !== 0;
  const placeAt = (position: Instr) => {
    const clamped = ragged ? b.min(position, total - 1) : position;
    const indices = decode(b, clamped, [...outer.map((v) => v.extent), units]);
    const own = outer.map((v, i) => [v, bind(v.extent, indices[i]!)] as const);
    const unit = bind(units, indices.at(-1)!);
    return {
      at: (c: Value): Bindings => [...own, [inner, k.affine([[unit, width], [c, 1]])]],
      inside: ragged ? b.lt(position, total) : undefined,
    };
  };
  const positionOf = (p: Instr | number) =>
    b.add(b.mul(tile[0]!, span), b.add(lane, typeof p === "number" ? p * lanes : b.mul(p, lanes)));
  const places = Array.from({ length: count }, (_, p) => placeAt(positionOf(p)));
  return {
    count,
    width,
    component,
    at: (p, c) => places[p]!.at(c),
    inside: (p) => places[p]!.inside,
    only(place) {
      const here = placeAt(positionOf(ev.eval(place)));
      return { count: 1, width, component, at: (_, c) => here.at(c), inside: () => here.inside };
    },
  };
}
