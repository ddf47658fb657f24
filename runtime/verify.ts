/**
 * Fused against unfused: one run computed both ways, compared tensor by tensor in the order of computing, so that the
 * first difference names the kernel that made it.
 *
 * Both programs are compiled to keep every temporary. What may differ by rounding is measured (agreement.ts).
 * @module
 */

import type { Compiled } from "../compiler/compile.ts";
import { RunError } from "../compiler/errors.ts";
import { labelOf } from "../compiler/fuse/group.ts";
import { concrete, denseStorage } from "../compiler/fuse/lower_group.ts";
import { showShape } from "../compiler/graph/dim.ts";
import type { StoredArray } from "../compiler/graph/dtype.ts";
import { showType, type Tensor } from "../compiler/graph/node.ts";
import type { OutputSlot, Program } from "../compiler/program/program.ts";
import { allowedDistance, firstDifference, move } from "./agreement.ts";
import type { Device } from "./device.ts";
import { load } from "./executable.ts";
import { position } from "./position.ts";

/** Host arrays by name: what a run is fed, and the states it begins with. */
export interface RunData {
  readonly feeds: Readonly<Record<string, StoredArray>>;
  readonly states: Readonly<Record<string, StoredArray>>;
}

/** How well two runs agreed. */
export interface Agreement {
  /** Tensors that both stored, and that were compared. */
  readonly results: number;
  /** Where they were farthest apart, as a part of what is allowed; none where they have no floats in common. */
  readonly worst?: {
    readonly label: string;
    readonly result: string;
    readonly distance: number;
    readonly allowed: number;
  };
}

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
  onProgress: (part: number, what: string) => void = () => {},
): Promise<Agreement> {
  const stored = storedTensors(fused, unfused);
  onProgress(0.4, "running with fusion");
  const inFused = await runOnce(device, fused, stored, data);
  onProgress(0.6, "running without");
  const plain = await runOnce(device, unfused, stored, data);
  onProgress(0.8, "running without, on operands moved by what rounding may do");
  const moved = await runOnce(device, unfused, stored, moveAll(data));
  let farthest: Agreement["worst"];
  stored.forEach(({ key, label, result, shape, dtype }, index) => {
    const [found, wanted, other] = [inFused.get(key)!, plain.get(key)!, moved.get(key)!];
    const worst = firstDifference(dtype, found, wanted, other);
    if (worst === undefined) {
      if (dtype !== "f32" && dtype !== "f16") return;
      const { allowed } = allowedDistance(dtype, wanted, other);
      const distance = largestDistance(found, wanted);
      if (distance / allowed > (farthest ? farthest.distance / farthest.allowed : -1)) {
        farthest = { label, result, distance, allowed };
      }
      return;
    }
    throw new RunError(
      `verify: the kernel "${label}" gives ${found[worst]} as element ${
        showShape(position(worst, shape))
      } of ` +
        `${result}; unfused it is ${wanted[worst]}. ${agreeing(index)} This is a bug in Weft; compile with ` +
        "`policy: policies.none` meanwhile.",
    );
  });
  return { results: stored.length, ...farthest && { worst: farthest } };
}

function largestDistance(a: StoredArray, b: StoredArray): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const distance = Math.abs(a[i]! - b[i]!);
    if (distance > largest && Number.isFinite(distance)) largest = distance;
  }
  return largest;
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
