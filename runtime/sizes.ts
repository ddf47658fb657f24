/**
 * Sizes told from what a run is fed: an array of 256 × 784 elements for an input ["batch", 784] makes the batch 256.
 * @module
 */

import { counted } from "../compiler/counted.ts";
import { RunError } from "../compiler/errors.ts";
import { type Shape, showShape, type Sizes } from "../compiler/graph/dim.ts";
import type { Inputs } from "../compiler/model/input.ts";
import { assertFeeds, described } from "./host_form.ts";

/**
 * A number for every named size in the inputs.
 *
 * @param known Sizes that are bound already.
 * @throws RunError when the feeds don't tell a size, or contradict each other.
 */
export function sizesOfFeeds(
  inputs: Inputs,
  feeds: Readonly<Record<string, unknown>>,
  known: Sizes = {},
): Sizes {
  assertFeeds(feeds);
  const sizes: Record<string, number> = { ...known };
  const from = new Map<string, string>();
  const bind = (name: string, size: number, input: string) => {
    sizes[name] = size;
    from.set(name, input);
  };
  // A tensor says its sizes, an array only their product: tensors first, then arrays as long as they tell something new.
  for (const [input, { shape }] of Object.entries(inputs)) {
    const told = shapeOf(feeds[input]);
    if (told?.length !== shape.length) continue;
    shape.forEach((dim, axis) => {
      if (typeof dim === "string" && !Object.hasOwn(sizes, dim)) bind(dim, told[axis]!, input);
    });
  }
  for (let before = -1; before !== from.size;) {
    before = from.size;
    for (const [input, { shape }] of Object.entries(inputs)) {
      const { rest, open } = split(shape, sizes);
      const name = open[0];
      const length = lengthOf(feeds[input]);
      if (name === undefined || length === undefined || rest === 0 || open.some((other) => other !== name)) {
        continue;
      }
      const size = Math.round((length / rest) ** (1 / open.length));
      if (size ** open.length * rest !== length) {
        throw new RunError(
          `run(): the input "${input}" of shape ${showShape(shape)} was fed ${
            described(feeds[input])
          }, and no size ` +
            `"${name}" makes that fit${showSizes(sizes)}.`,
        );
      }
      bind(name, size, input);
    }
  }
  for (const [input, { shape }] of Object.entries(inputs)) checkFits(input, shape, feeds[input], sizes, from);
  return sizes;
}

/** Product of the sizes that are known, and the names that are not, as often as they occur. */
function split(shape: Shape, sizes: Sizes): { rest: number; open: string[] } {
  let rest = 1;
  const open: string[] = [];
  for (const dim of shape) {
    const size = typeof dim === "number" ? dim : Object.hasOwn(sizes, dim) ? sizes[dim] : undefined;
    if (size === undefined) open.push(String(dim));
    else rest *= size;
  }
  return { rest, open };
}

/** Feeds that contradict each other are refused before anything is compiled for them. */
function checkFits(
  input: string,
  shape: Shape,
  feed: unknown,
  sizes: Sizes,
  from: ReadonlyMap<string, string>,
): void {
  const { rest, open } = split(shape, sizes);
  if (open.length > 0) {
    throw new RunError(
      `run(): the length of the feeds doesn't tell the size "${open[0]}" of the input "${input}", ${
        showShape(shape)
      }` +
        `${feed === undefined ? ", which is not fed" : ""}; give it: compile(model, { device, sizes: { ${
          open[0]
        }: … } }).`,
    );
  }
  const length = lengthOf(feed);
  if (length === undefined || length === rest) return;
  const told = shape.flatMap((dim) => {
    const by = typeof dim === "string" ? from.get(dim) : undefined;
    return by === undefined ? [] : [`"${dim}" is ${sizes[dim]} by the input "${by}"`];
  });
  throw new RunError(
    `run(): the input "${input}" of shape ${showShape(shape)} wants ${counted(rest, "element")}` +
      `${told.length > 0 ? ` (${told.join(", ")})` : ""}, and was fed ${described(feed)}.`,
  );
}

const showSizes = (sizes: Sizes): string => {
  const entries = Object.entries(sizes);
  return entries.length === 0 ? "" : ` with ${entries.map(([name, size]) => `${name} = ${size}`).join(", ")}`;
};

/** The shape of a device tensor; undefined for anything else. */
function shapeOf(feed: unknown): readonly number[] | undefined {
  if (typeof feed !== "object" || feed === null || ArrayBuffer.isView(feed) || !("shape" in feed)) {
    return undefined;
  }
  return Array.isArray(feed.shape) ? feed.shape : undefined;
}

function lengthOf(feed: unknown): number | undefined {
  if (ArrayBuffer.isView(feed) && "length" in feed) return Number(feed.length);
  return shapeOf(feed)?.reduce((n, size) => n * size, 1);
}
