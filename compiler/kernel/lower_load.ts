/**
 * How a load is done where a schedule's cursor stands. Of four neighbors along a variable:
 *
 *     in one vec4                      one vec4 load
 *     a few elements apart             picked from the vec4s that they lie in, where somebody needs what is between them too
 *     across two vec4s, or anywhere    vec4s and single elements, which overlapping windows share
 *     far apart                        four elements
 *
 * Loads whose range reaches outside their buffer are clamped: either a guard makes their value irrelevant there, or the
 * index came from data. So every access is inside its buffer by construction, and the verifier can prove it.
 */

import type { Instr } from "./ir.ts";
import type { Evaluator } from "./lower.ts";
import { isContiguous, placeInBlock, strideOf } from "./stride.ts";
import type { Load, Value, Var } from "./value.ts";

/** The elements of a load at the bound indices: of four neighbors along a variable at width 4. */
export function loadOf(ev: Evaluator, value: Load, width: 1 | 4, along: Var | undefined): Instr {
  const { b, k } = ev;
  const { buffer } = value;
  const index = k.iclamp(value.index, 0, buffer.size - 1);
  if (width === 1) return b.load(buffer, ev.eval(index), 1);
  const ragged = buffer.size % 4;
  // At width 1 the variable stands for the first of the four.
  if (isContiguous(value.index, along!) && (ragged === 0 || isWhole(ev, value))) {
    const inside = index === value.index && ragged === 0;
    return b.load(
      buffer,
      ev.eval(inside ? value.index : k.iclamp(value.index, 0, buffer.size - ragged - 4)),
      4,
    );
  }
  const between = (index === value.index ? spread(ev, value, along!) : undefined) ??
    shifted(ev, value, along!);
  if (between) return between;
  const at = ev.eval(index, 4, along);
  const parts = ([0, 1, 2, 3] as const).map((i) => b.load(buffer, b.component(at, i), 1));
  return b.construct([parts[0]!, parts[1]!, parts[2]!, parts[3]!]);
}

/** Do all four neighbors lie in a buffer that ends in the middle of a vec4? */
function isWhole({ vectors: { inExtent = false, inside } }: Evaluator, { buffer, index }: Load): boolean {
  return inExtent && buffer.size >= 4 &&
    ((index.lo >= 0 && index.hi < buffer.size) || (inside?.has(index) ?? false));
}

/** Neighbors a few elements apart, picked from the vec4s that they lie in: four of them fill `stride` vec4s. */
function spread(ev: Evaluator, { buffer, index }: Load, along: Var): Instr | undefined {
  const { b, k, vectors: { stride: most = 0 } } = ev;
  const place = placeInBlock(index, along, (v) => literalIn(ev, v));
  if (!place || place.stride > most) return undefined;
  const rows = k.affine([[along, place.stride], ...place.blocks]);
  // Where each row's `stride` elements lie in the buffer, so do the vec4s of four rows.
  if (rows.hi + place.stride > buffer.size) return undefined;
  const first = ev.eval(rows);
  const part = (c: number) => {
    const element = place.offset + c * place.stride;
    const vector = b.load(buffer, b.add(first, element - element % 4), 4);
    return b.component(vector, (element % 4) as 0 | 1 | 2 | 3);
  };
  return b.construct([part(0), part(1), part(2), part(3)]);
}

/**
 * Neighbors that lie in a row: across two vec4s, or anywhere. Windows that overlap (a stencil) then share what they load:
 * vec4s, of which a few elements are missing that are loaded one by one.
 */
function shifted(ev: Evaluator, { buffer, index }: Load, along: Var): Instr | undefined {
  const { b, k } = ev;
  if (strideOf(index, along) !== 1 || buffer.size < 4) return undefined;
  const element = (i: number) => b.load(buffer, ev.eval(k.iclamp(k.iadd(index, i), 0, buffer.size - 1)), 1);
  const offset = index.kind === "linear" ? ((index.constant % 4) + 4) % 4 : 0;
  const begin = k.iadd(index, -offset);
  if (buffer.size % 4 !== 0 || !isContiguous(begin, along)) {
    return b.construct([element(0), element(1), element(2), element(3)]);
  }
  const vector = (at: number) => {
    const first = k.iadd(begin, at);
    // A multiple of 4 inside is the first of four inside.
    const isInside = k.iclamp(first, 0, buffer.size - 1) === first;
    return b.load(buffer, ev.eval(isInside ? first : k.iclamp(first, 0, buffer.size - 4)), 4);
  };
  // Of a vec4 with one element that is wanted only that one is loaded.
  const part = (i: number) => {
    const place = offset + i;
    const alone = place < 4 ? offset === 3 : offset === 1;
    return alone ? element(i) : b.component(vector(place - place % 4), (place % 4) as 0 | 1 | 2 | 3);
  };
  return b.construct([part(0), part(1), part(2), part(3)]);
}

function literalIn(ev: Evaluator, value: Value): number | undefined {
  const bound = ev.bindingOf(value);
  return bound?.kind === "literal" ? bound.value : undefined;
}
