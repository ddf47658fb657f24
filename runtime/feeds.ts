/**
 * What a run is given: one array or tensor per input, by name. All of it is checked before any of it is used, so that a
 * refused run leaves everything as it was.
 * @module
 */

import { RunError } from "../compiler/errors.ts";
import { type Shape, showShape } from "../compiler/graph/dim.ts";
import type { DType, StoredArray } from "../compiler/graph/dtype.ts";
import type { Slot } from "../compiler/program/program.ts";
import { type DeviceTensor, TensorHandle } from "./device_tensor.ts";
import { type Engine, type Memory, type Place, type Transfer, wholeWords } from "./engine.ts";
import { arrayText, assertFeeds, described, isStored, toDevice } from "./host_form.ts";

/** The inputs or outputs of a program, as the type checker sees them. */
export type Signature = Readonly<Record<string, { readonly shape: Shape; readonly dtype: DType }>>;

/** An input's values: a typed array, row-major, or a tensor that lies on the program's device. */
export type Feed<D extends DType> = StoredArray<D> | DeviceTensor<Shape, D>;

/** What one run is given: a feed for each input, by name. */
export type Feeds<I extends Signature> = { readonly [K in keyof I]: Feed<I[K]["dtype"]> };

/** One checked feed, on its way to its input's place. */
export type CheckedFeed =
  | { readonly kind: "array"; readonly slot: Slot; readonly array: StoredArray }
  | { readonly kind: "tensor"; readonly slot: Slot; readonly from: Place };

/** Throws for the first feed that doesn't fit its input; inputs in the program's order. */
export function checkFeeds(
  inputs: readonly Slot[],
  feeds: Readonly<Record<string, unknown>>,
  engine: Engine,
): readonly CheckedFeed[] {
  assertFeeds(feeds);
  const checked = inputs.map((slot) => {
    if (Object.hasOwn(feeds, slot.name)) return checkFeed(slot, feeds[slot.name], engine);
    throw new RunError(`run(): the input "${slot.name}" is not fed. It wants ${wanted(slot)}.`);
  });
  if (Object.keys(feeds).length === inputs.length) return checked;
  const known = new Set(inputs.map(({ name }) => name));
  const unknown = Object.keys(feeds).find((name) => !known.has(name));
  const names = inputs.map(({ name }) => `"${name}"`).join(", ");
  throw new RunError(
    `run(): there is no input "${unknown}"; ${
      names === "" ? "this program has none" : `there are ${names}`
    }.`,
  );
}

/** Puts the arrays in their places, and tells which copies a run must begin with. */
export function writeFeeds(
  feeds: readonly CheckedFeed[],
  arenas: readonly Memory[],
  engine: Engine,
): readonly Transfer[] {
  const transfers: Transfer[] = [];
  for (const feed of feeds) {
    const { region, dtype } = feed.slot;
    if (region.bytes === 0) continue;
    const to = { memory: arenas[region.arena]!, offset: region.offset };
    if (feed.kind === "tensor") transfers.push({ from: feed.from, to, bytes: wholeWords(region.bytes) });
    else engine.write(to, toDevice(dtype, feed.array));
  }
  return transfers;
}

function checkFeed(slot: Slot, value: unknown, engine: Engine): CheckedFeed {
  const { name, shape, dtype } = slot;
  if (value instanceof TensorHandle) {
    const from = value.source(engine, `run(), input "${name}"`);
    const fits = value.dtype === dtype && value.shape.length === shape.length &&
      shape.every((size, i) => value.shape[i] === size);
    if (fits) return { kind: "tensor", slot, from };
    throw new RunError(
      `run(): the input "${name}" wants ${
        wanted(slot)
      }, and was fed the tensor "${value.name}" of type ${value.dtype} ` +
        `and shape ${showShape(value.shape)}.`,
    );
  }
  const elements = elementsOf(shape);
  if (isStored(dtype, value) && value.length === elements) return { kind: "array", slot, array: value };
  throw new RunError(`run(): the input "${name}" wants ${wanted(slot)}, and was fed ${described(value)}.`);
}

export const elementsOf = (shape: readonly number[]): number => shape.reduce((n, size) => n * size, 1);

const wanted = ({ shape, dtype }: Slot): string =>
  `${dtype} of shape ${showShape(shape)}: ${arrayText(dtype, elementsOf(shape))}`;
