/** Fused against unfused against references, on the device. */

import { compile, type Device } from "../../../mod.ts";
import { complaintOf } from "../../support/compile_samples.ts";
import type { Contestant } from "../contestants.ts";
import type { FusionProgram } from "./program.ts";
import { sampleOf } from "./sample.ts";
import { modelFor, type Way } from "./ways.ts";

/** Errors that sums in f32, in another order, stay below; relative to the largest element of a tensor. */
const tolerance = 1e-4;

/** @throws where a program at its small sizes gives another result than the references of its ops. */
export async function checkSmall(
  program: FusionProgram,
  ways: readonly Way[],
  device: Device,
): Promise<void> {
  const sample = sampleOf(program);
  const model = program.model(program.small);
  for (const way of ways) {
    const { policy, passes } = way;
    using executable = await compile(modelFor(model, way), { device, policy, passes });
    const results = executable.run({});
    const got: Record<string, ArrayLike<number>> = {};
    for (const name of Object.keys(sample.expected)) {
      got[name] = name.startsWith("state:")
        ? await executable.state.read(name.slice("state:".length))
        : await results[name]!.read();
    }
    const complaint = complaintOf(sample, got, "device");
    if (complaint !== undefined) throw new Error(`${complaint}, by the policy ${policy.name}`);
  }
}

/** @throws where the first runs at full size differ by more than rounding. */
export async function checkFull(
  { name, full, model }: FusionProgram,
  unfused: Contestant,
  fused: Contestant,
): Promise<void> {
  const { graph } = model(full);
  const results = [
    ...Object.keys(graph.outputs),
    ...graph.writes.map(({ state }) => state.node.attrs.path as string),
  ];
  for (const result of results) {
    const [want, got] = [await unfused.read(result), await fused.read(result)];
    const largest = want.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    const error = want.reduce((most, x, i) => Math.max(most, Math.abs(x - got[i]!)), 0) / largest;
    // NaN is no error that is small.
    if (!(error <= tolerance)) {
      throw new Error(`${name}: ${result} differs by ${error} of its largest element, fused from unfused`);
    }
  }
}
