/**
 * Fused against unfused: one run computed both ways, compared tensor by tensor in the order of computing, so that the
 * first difference names the kernel that made it.
 *
 * Both programs are compiled to keep every temporary. What may differ by rounding is not guessed but measured: the
 * unfused program runs again with its feeds and states moved by a few units in the last place, and a tensor may differ as
 * far as that moved it, some times over.
 * @module
 */

import type { Compiled } from "../compiler/compile.ts";
import { RunError } from "../compiler/errors.ts";
import { labelOf } from "../compiler/fuse/group.ts";
import { concrete, denseStorage } from "../compiler/fuse/lower_group.ts";
import { showShape } from "../compiler/graph/dim.ts";
import { isFloat, type StoredArray } from "../compiler/graph/dtype.ts";
import { showType, type Tensor } from "../compiler/graph/node.ts";
import type { OutputSlot, Program } from "../compiler/program/program.ts";
import type { Device } from "./device.ts";
import { load } from "./executable.ts";

/** Host arrays by name: what a run is fed, and the states it begins with. */
export interface RunData {
  readonly feeds: Readonly<Record<string, StoredArray>>;
  readonly states: Readonly<Record<string, StoredArray>>;
}

/** How far inputs are moved, relatively: 8 units in the last place of f32. */
const MOVED = 2 ** -20;
/** How many times as far as the moved run a result may be off. */
const SLACK = 32;
/** What may be off in any case, relative to the largest element: sums have other orders. */
const ROUNDING = 2e-5;
/** Part of the elements of an integer or bool tensor that may flip where rounding decides. */
const FLIPS = 1e-3;

/**
 * Throws a RunError that names the first kernel of `fused` whose result differs from `unfused`.
 *
 * @param fused Compiled with `keep`, as is `unfused`, from one graph.
 */
export async function compareRuns(
  device: Device,
  fused: Compiled,
  unfused: Compiled,
  data: RunData,
): Promise<void> {
  const stored = storedTensors(fused, unfused);
  const inFused = await runOnce(device, fused, stored, data);
  const plain = await runOnce(device, unfused, stored, data);
  const moved = await runOnce(device, unfused, stored, moveAll(data));
  stored.forEach(({ key, label, result, shape, dtype }, index) => {
    const [found, wanted, other] = [inFused.get(key)!, plain.get(key)!, moved.get(key)!];
    const worst = isFloat(dtype) ? worstElement(found, wanted, other) : flippedElement(found, wanted, other);
    if (worst === undefined) return;
    throw new RunError(
      `verify: the kernel "${label}" gives ${found[worst]} as element ${
        showShape(position(worst, shape))
      } of ` +
        `${result}; unfused it is ${wanted[worst]}. ${agreeing(index)} This is a bug in Weft; compile with ` +
        "`policy: policies.none` meanwhile.",
    );
  });
}

/** A tensor that both programs store whole. */
interface Stored {
  readonly key: string;
  /** The kernel that computes it. */
  readonly label: string;
  /** Itself, for messages. */
  readonly result: string;
  readonly shape: readonly number[];
  readonly dtype: OutputSlot["dtype"];
}

function storedTensors(fused: Compiled, unfused: Compiled): readonly Stored[] {
  const there = new Set(slotsOf(unfused).map(({ name }) => name));
  const mine = new Set(slotsOf(fused).map(({ name }) => name));
  return fused.placement.order.flatMap((group) =>
    group.roots.filter(({ key }) => mine.has(key) && there.has(key)).map((root) => ({
      key: root.key,
      label: labelOf(fused.graph, group),
      result: resultText(fused, root),
      ...concrete(root),
    }))
  );
}

function resultText({ graph }: Compiled, root: Tensor): string {
  const scope = graph.builder.scopes.get(root.node);
  return `its result ${root.node.op.name}${scope ? ` of "${scope}"` : ""}, ${showType(root)}`;
}

function agreeing(count: number): string {
  if (count === 0) return "It is the first result.";
  return count === 1 ? "The result before agrees." : `The ${count} results before agree.`;
}

/** Everything that a program stores whole and in order, as if it were an output. */
function slotsOf({ placement, regions }: Compiled): readonly OutputSlot[] {
  return placement.order.flatMap((group) =>
    group.roots.flatMap((root): OutputSlot[] => {
      const { buffer, offset, strides } = placement.storage(root);
      const region = regions.get(buffer.name);
      const dense = offset === 0 && strides.join() === denseStorage(root).strides.join();
      if (region === undefined || region.bytes === 0 || !dense) return [];
      return [{ name: root.key, ...concrete(root), region, ring: 1 }];
    })
  );
}

async function runOnce(
  device: Device,
  compiled: Compiled,
  stored: readonly Stored[],
  { feeds, states }: RunData,
): Promise<ReadonlyMap<string, StoredArray>> {
  const wanted = new Set(stored.map(({ key }) => key));
  const outputs = slotsOf(compiled).filter(({ name }) => wanted.has(name));
  const program: Program = { ...compiled.program, outputs };
  using executable = await load(program, device, { state: (path) => states[path] });
  const results = executable.run(feeds);
  const read = outputs.map(async ({ name }) => [name, await results[name]!.read()] as const);
  return new Map(await Promise.all(read));
}

const moveAll = ({ feeds, states }: RunData): RunData => ({
  feeds: moveEach(feeds),
  states: moveEach(states),
});

const moveEach = (arrays: Readonly<Record<string, StoredArray>>): Record<string, StoredArray> =>
  Object.fromEntries(Object.entries(arrays).map(([name, array]) => [name, move(array)]));

/** Floats up and down in turn, by a rule without a period that an axis could have. */
function move(array: StoredArray): StoredArray {
  if (!(array instanceof Float32Array)) return array;
  return array.map((x, i) => x * (1 + (Math.imul(i + 1, 0x9e3779b1) < 0 ? MOVED : -MOVED)));
}

function worstElement(found: StoredArray, wanted: StoredArray, other: StoredArray): number | undefined {
  let scale = 0;
  let spread = 0;
  for (let i = 0; i < wanted.length; i++) {
    if (!Number.isFinite(wanted[i]!)) continue;
    scale = Math.max(scale, Math.abs(wanted[i]!));
    if (Number.isFinite(other[i]!)) spread = Math.max(spread, Math.abs(other[i]! - wanted[i]!));
  }
  const allowed = ROUNDING * scale + SLACK * spread;
  let worst: number | undefined;
  let off = allowed;
  for (let i = 0; i < wanted.length; i++) {
    if (Object.is(found[i], wanted[i]) || found[i] === wanted[i]) continue;
    const distance = Math.abs(found[i]! - wanted[i]!);
    // NaN or infinity on one side only is never within a tolerance.
    if (Number.isFinite(distance) ? distance <= off : !Number.isFinite(other[i]! - wanted[i]!)) continue;
    if (!Number.isFinite(distance)) return i;
    worst = i;
    off = distance;
  }
  return worst;
}

function flippedElement(found: StoredArray, wanted: StoredArray, other: StoredArray): number | undefined {
  let flips = 0;
  let moved = 0;
  let first: number | undefined;
  for (let i = 0; i < wanted.length; i++) {
    if (found[i] !== wanted[i]) {
      flips++;
      first ??= i;
    }
    if (other[i] !== wanted[i]) moved++;
  }
  return flips > SLACK * moved + FLIPS * wanted.length ? first : undefined;
}

function position(index: number, shape: readonly number[]): number[] {
  const at: number[] = [];
  let rest = index;
  for (const size of shape.toReversed()) {
    at.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return at;
}
