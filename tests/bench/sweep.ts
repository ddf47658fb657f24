/**
 * Weft over families of shapes: each shape's rate, and its share of what nearby shapes, which do up to eight times as much
 * or as little, let expect: the time that its arithmetic would take at their best rate, or that its bytes would, whichever
 * is longer. The shapes of a family are measured alternately, so that drift counts little.
 * @module
 */

import { type Device, openDevice } from "../../mod.ts";
import { named } from "./command.ts";
import { check, type Contestant, weft } from "./contestants.ts";
import { interleave } from "./interleave.ts";
import { families, type Family } from "./shapes.ts";
import type { Workload } from "./workloads/workload.ts";

/** How many times the work of a shape nearby shapes have at most. */
const near = 8;

interface ShapeRate {
  readonly family: string;
  readonly shape: string;
  readonly ms: number;
  readonly rate: number;
  readonly unit: Family["unit"];
  /** Of the speed that nearby shapes let expect. */
  readonly fraction: number;
  readonly error: number;
}

/**
 * Measures the families whose names contain one of the parts, or all, and prints each when it is done and then the worst
 * shape of each.
 */
export async function overShapes(
  parts: readonly string[],
  { json, rounds }: { readonly json: boolean; readonly rounds: number },
): Promise<void> {
  const chosen = named(parts, families, "family");
  using device = await openDevice({ device: "webgpu" });
  const all: ShapeRate[] = [];
  for (const family of chosen) {
    const rates = await measure(family, device, rounds);
    console.log(json ? rates.map((rate) => JSON.stringify(rate)).join("\n") : `${showRates(rates)}\n`);
    all.push(...rates);
  }
  if (!json) console.log(`The worst of each family, beside the best nearby\n${showWorst(all)}`);
}

async function measure(family: Family, device: Device, rounds: number): Promise<readonly ShapeRate[]> {
  using open = new DisposableStack();
  const shapes: {
    readonly shape: string;
    readonly contestant: Contestant;
    readonly workload: Workload;
    readonly error: number;
  }[] = [];
  for (const [shape, make] of Object.entries(family.shapes)) {
    const workload = make();
    const contestant = open.use(await weft(workload, device));
    const error = await check(`${family.name} ${shape}`, workload, [contestant]);
    if (workload[workOf[family.unit]] === undefined) {
      throw new Error(`${family.name} ${shape} doesn't say how much it does`);
    }
    shapes.push({ shape, contestant, workload, error });
  }
  const times = await interleave(shapes.map((s) => s.contestant), rounds);
  const works = shapes.map(({ workload }) => workload);
  return shapes.map(({ shape, workload, error }, i) => ({
    family: family.name,
    shape,
    ms: times[i]!,
    rate: workload[workOf[family.unit]]! / times[i]! / 1e6,
    unit: family.unit,
    fraction: expectedTime(i, works, times) / times[i]!,
    error,
  }));
}

const workOf = { "GFLOP/s": "flop", "GB/s": "bytes" } as const;

/** Milliseconds that a shape would take at the best rates of those nearby. */
function expectedTime(i: number, works: readonly Workload[], times: readonly number[]): number {
  const bounds = Object.values(workOf).flatMap((kind) => {
    const own = works[i]![kind];
    if (own === undefined) return [];
    const rates = works.flatMap((other, j) => {
      const work = other[kind];
      return work !== undefined && Math.max(work / own, own / work) <= near ? [work / times[j]!] : [];
    });
    return [own / Math.max(...rates)];
  });
  return Math.max(...bounds);
}

/** A family as lines of text. */
function showRates(rates: readonly ShapeRate[]): string {
  const lines = rates.map(({ shape, ms, rate, unit, fraction }) =>
    `  ${shape.padEnd(32)} ${ms.toFixed(3).padStart(9)} ms ${rate.toFixed(2).padStart(8)} ${unit.padEnd(8)}` +
    fraction.toFixed(2).padStart(6)
  );
  return [rates[0]!.family, ...lines].join("\n");
}

/** The worst shape of each family. */
function showWorst(rates: readonly ShapeRate[]): string {
  const byFamily = Map.groupBy(rates, (r) => r.family);
  return [...byFamily].map(([family, members]) => {
    const worst = members.reduce((a, b) => b.fraction < a.fraction ? b : a);
    return `${family.padEnd(30)} ${worst.fraction.toFixed(2)}  ${worst.shape}`;
  }).join("\n");
}
