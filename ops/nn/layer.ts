/**
 * What all layers share: a scope that is theirs, and checks that speak the layer's name.
 *
 * A layer is made once, which declares its parameters, and is called any number of times, which shares them. All its
 * nodes lie in its scope, wherever it is called.
 */

import { ShapeError } from "../../compiler/errors.ts";
import { GraphBuilder } from "../../compiler/graph/build.ts";
import { showShape } from "../../compiler/graph/dim.ts";
import { showType, type Tensor } from "../../compiler/graph/node.ts";

export interface LayerOptions {
  /** Name of its scope. Default: the kind of layer, numbered in order of creation (`linear`, `linear_1`). */
  readonly name?: string;
}

/** The full scope path of a layer made here and now. */
export function layerScope(kind: string, { name }: LayerOptions): string {
  const builder = GraphBuilder.current(kind);
  if (name !== undefined && !/^[A-Za-z0-9_.-]+$/.test(name)) {
    throw new ShapeError(`${kind}: "${name}" is not a name; use letters, digits, "_", "-" and "."`);
  }
  const own = name ?? builder.unique(kind);
  return builder.scope === "" ? own : `${builder.scope}/${own}`;
}

/** Runs `f` in a layer's scope. */
export function inLayer<T>(scope: string, f: () => T): T {
  const builder = GraphBuilder.current(scope);
  return builder.fromHere(() => builder.at(scope, f));
}

export function checkSize(kind: string, what: string, size: number): void {
  if (Number.isSafeInteger(size) && size > 0) return;
  throw new ShapeError(`${kind}: ${what} is ${size}; it must be a whole number from 1 up`);
}

/** The last axis must be what the layer was made for. */
export function checkLast(kind: string, x: Tensor, features: number): void {
  if (x.dtype !== "f32") {
    throw new ShapeError(
      `${kind}: the input is ${showType(x)} and the parameters are f32; use cast(x, "f32")`,
    );
  }
  if (x.shape.at(-1) === features) return;
  throw new ShapeError(
    `${kind}: the last axis of ${showShape(x.shape)} is not ${features}, which the layer was made for; ` +
      "look at the order of the layers, or make this one for the size that comes",
  );
}
