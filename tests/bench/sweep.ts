/**
 * Weft over families of shapes: each shape's rate, and its share of the best rate of a nearby shape, which does up to
 * eight times as much or as little. The shapes of a family are measured alternately, so that drift counts little.
 * @module
 */

import type { Device } from "../../mod.ts";
import { check, type Contestant, weft } from "./contestants.ts";
import { interleave } from "./interleave.ts";
import { families, type Family } from "./shapes.ts";

/** How many times the work of a shape nearby shapes have at most. */
const near = 8;

export interface ShapeRate {
  readonly family: string;
  readonly shape: string;
  readonly ms: number;
  readonly rate: number;
  readonly unit: Family["unit"];
  /** Of the best rate nearby. */
  readonly fraction: number;
  readonly error: number;
}

/** Measures the families whose names contain one of the given parts, or all, and shows each when it is done. */
export async function sweep(
  device: Device,
  { rounds, only, show }: {
    readonly rounds: number;
    readonly only: readonly string[];
    readonly show: (rates: readonly ShapeRate[]) => void;
  },
): Promise<readonly ShapeRate[]> {
  const all: ShapeRate[] = [];
  for (const family of families) {
    if (only.length > 0 && !only.some((part) => family.name.includes(part))) continue;
    const rates = await measure(family, device, rounds);
    show(rates);
    all.push(...rates);
  }
  return all;
}

async function measure(family: Family, device: Device, rounds: number): Promise<readonly ShapeRate[]> {
  using open = new DisposableStack();
  const shapes: {
    readonly shape: string;
    readonly contestant: Contestant;
    readonly work: number;
    readonly error: number;
  }[] = [];
  for (const [shape, make] of Object.entries(family.shapes)) {
    const workload = make();
    const contestant = open.use(await weft(workload, device));
    const error = await check(`${family.name} ${shape}`, workload, [contestant]);
    const work = family.unit === "GB/s" ? workload.bytes : workload.flop;
    if (work === undefined) throw new Error(`${family.name} ${shape} doesn't say how much it does`);
    shapes.push({ shape, contestant, work, error });
  }
  const times = await interleave(shapes.map((s) => s.contestant), rounds);
  const rates = shapes.map(({ work }, i) => work / times[i]! / 1e6);
  return shapes.map(({ shape, work, error }, i) => {
    const nearby = rates.filter((_, j) => Math.max(work / shapes[j]!.work, shapes[j]!.work / work) <= near);
    return {
      family: family.name,
      shape,
      ms: times[i]!,
      rate: rates[i]!,
      unit: family.unit,
      fraction: rates[i]! / Math.max(...nearby),
      error,
    };
  });
}

/** A family as lines of text. */
export function showRates(rates: readonly ShapeRate[]): string {
  const lines = rates.map(({ shape, ms, rate, unit, fraction }) =>
    `  ${shape.padEnd(32)} ${ms.toFixed(3).padStart(9)} ms ${rate.toFixed(2).padStart(8)} ${unit.padEnd(8)}` +
    fraction.toFixed(2).padStart(6)
  );
  return [rates[0]!.family, ...lines].join("\n");
}

/** The worst shape of each family. */
export function showWorst(rates: readonly ShapeRate[]): string {
  const byFamily = Map.groupBy(rates, (r) => r.family);
  return [...byFamily].map(([family, members]) => {
    const worst = members.reduce((a, b) => b.fraction < a.fraction ? b : a);
    return `${family.padEnd(30)} ${worst.fraction.toFixed(2)}  ${worst.shape}`;
  }).join("\n");
}
