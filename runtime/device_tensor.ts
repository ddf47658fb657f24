/**
 * A tensor on a device, as a run gives it: a handle that costs nothing until it is read.
 *
 * Results are not kept alive one by one. A run writes where an earlier run wrote, so a handle knows until when it is
 * good (SEMANTICS §3: 8 runs for results up to 64 KiB, one run for larger ones) and refuses afterwards, rather than
 * give another run's numbers. `keep()` is the way out: a copy that belongs to the handle.
 * @module
 */

import { counted } from "../compiler/counted.ts";
import { RunError } from "../compiler/errors.ts";
import { type Shape, showShape } from "../compiler/graph/dim.ts";
import type { DType, StoredArray } from "../compiler/graph/dtype.ts";
import { type Engine, type Memory, type Place, wholeWords } from "./engine.ts";
import { deviceSize, fromDevice } from "./host_form.ts";

/** A shape whose names have become numbers. */
export type Sizes<S extends Shape> = { readonly [K in keyof S]: S[K] extends number ? S[K] : number };

/** What `item()` wants of its tensor; its only property is the message that the type checker shows. */
export interface OneElement {
  readonly "item() reads a scalar; this result has axes, so use read()": never;
}

type IfScalar<S extends Shape> = number extends S["length"] ? unknown
  : S extends readonly [] ? unknown
  : OneElement;

/** A tensor in the memory of a device, such as the result of a run. Reading it takes a promise. */
export interface DeviceTensor<S extends Shape = Shape, D extends DType = DType> extends Disposable {
  readonly shape: Sizes<S>;
  readonly dtype: D;
  /** The elements, row-major. Reads asked for in one turn of the event loop share one wait. */
  read(): Promise<StoredArray<D>>;
  /** The only element, as a number (of a bool: 0 or 1). */
  item(this: IfScalar<S>): Promise<number>;
  /** A copy that stays valid until it or the device is disposed. Takes memory: dispose it. */
  keep(): DeviceTensor<S, D>;
  /** Frees a kept tensor; makes the handle of a result unusable, which frees nothing. */
  dispose(): void;
}

/** Why a handle is good no more, or undefined while it is. */
export type Validity = () => string | undefined;

const always: Validity = () => undefined;

/** The runtime's own side of a handle. */
export class TensorHandle<S extends Shape = Shape, D extends DType = DType> implements DeviceTensor<S, D> {
  readonly #engine: Engine;
  readonly #place: Place;
  readonly #validity: Validity;
  /** Set where the memory belongs to this handle. */
  readonly #own: Memory | undefined;
  #disposed = false;

  constructor(
    engine: Engine,
    readonly name: string,
    readonly shape: Sizes<S>,
    readonly dtype: D,
    place: Place,
    validity: Validity,
    own?: Memory,
  ) {
    this.#engine = engine;
    this.#place = place;
    this.#validity = validity;
    this.#own = own;
  }

  get elements(): number {
    return (this.shape as readonly number[]).reduce((n, size) => n * size, 1);
  }

  /** Where the elements lie now, for an engine's copies. Throws where they no longer do. */
  source(engine: Engine, use: string): Place {
    const because = this.#disposed ? "it was disposed" : this.#validity();
    if (because !== undefined) {
      throw new RunError(`${use}: the tensor "${this.name}" can't be used, because ${because}.`);
    }
    if (engine !== this.#engine) {
      throw new RunError(
        `${use}: the tensor "${this.name}" lies on another device. Read it there with \`await tensor.read()\` and feed ` +
          `the array.`,
      );
    }
    this.#engine.assertUsable();
    return this.#place;
  }

  async read(): Promise<StoredArray<D>> {
    const place = this.source(this.#engine, "read()");
    const bytes = wholeWords(deviceSize(this.dtype, this.elements));
    const data = bytes === 0 ? new Uint8Array(0) : await this.#engine.read(place, bytes);
    return fromDevice(this.dtype, data, this.elements);
  }

  async item(): Promise<number> {
    if (this.elements !== 1) {
      throw new RunError(
        `item(): the tensor "${this.name}" of shape ${showShape(this.shape as Shape)} has ${
          counted(this.elements, "element")
        }, not ` +
          `one. Use \`await tensor.read()\`, or reduce it in the graph.`,
      );
    }
    return (await this.read())[0]!;
  }

  keep(): DeviceTensor<S, D> {
    const from = this.source(this.#engine, "keep()");
    const bytes = wholeWords(deviceSize(this.dtype, this.elements));
    const memory = this.#engine.allocate(Math.max(bytes, 4), "result", `kept "${this.name}"`);
    const to = { memory, offset: 0 };
    if (bytes > 0) this.#engine.copy({ from, to, bytes });
    return new TensorHandle<S, D>(this.#engine, this.name, this.shape, this.dtype, to, always, memory);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#own?.destroy();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
