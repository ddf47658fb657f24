/**
 * The roofline of a profile as a picture: kernels by their intensity and by what they reach, under the roofs
 * of the device.
 * @module
 */

import { parse, type Spec, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";
import type { KernelProfile, ProgramProfile } from "./profile_program.ts";

/** A kernel that computes nothing has no place on a scale of logarithms, and stands at its left end. */
const LEAST_INTENSITY = 1 / 64;

/** An SVG file. Areas of points are the kernels' parts of the time; equal dispatches are one point. */
export async function rooflineSvg(profile: ProgramProfile): Promise<string> {
  const { peaks, device, name } = profile;
  const points = pointsOf(profile.kernels);
  const most = Math.max(...points.map(({ intensity }) => intensity), 4 * ridge(profile));
  const roofs = [peaks.bandwidth[0]!, peaks.bandwidth.at(-1)!].flatMap(({ bytes, gbPerS }, i, all) => {
    if (i > 0 && all[0] === all[1]) return [];
    const roof = `${gbPerS.toFixed(gbPerS < 10 ? 1 : 0)} GB/s of ${(bytes / 2 ** 20).toFixed(2)} MiB`;
    const corner = Math.max(LEAST_INTENSITY, Math.min(most, peaks.gflops / gbPerS));
    return [LEAST_INTENSITY, corner, most].map((intensity) => ({
      roof,
      intensity,
      gflops: Math.min(peaks.gflops, intensity * gbPerS),
    }));
  });
  const least = Math.min(...points.map(({ gflops }) => gflops), ...roofs.map(({ gflops }) => gflops)) / 2;
  const log = (domain: readonly [number, number]) => ({
    type: "log" as const,
    domain: [...domain],
    nice: false,
  });
  const spec: TopLevelSpec = {
    width: 720,
    height: 420,
    background: "white",
    title: `${name} on ${device.name}: ${peaks.gflops.toFixed(1)} GFLOP/s at most`,
    encoding: {
      x: {
        field: "intensity",
        type: "quantitative",
        title: "floating-point operations for each byte that has to move",
        scale: log([LEAST_INTENSITY / 1.5, most * 1.2]),
      },
      y: {
        field: "gflops",
        type: "quantitative",
        title: "10⁹ floating-point operations a second",
        scale: log([least, peaks.gflops * 2]),
      },
    },
    layer: [
      {
        data: { values: roofs },
        mark: { type: "line", strokeWidth: 1.2, color: "#555" },
        encoding: {
          strokeDash: { field: "roof", type: "nominal", title: "roof", legend: { labelLimit: 240 } },
        },
      },
      {
        data: { values: points },
        mark: { type: "point", filled: true, opacity: 0.6, tooltip: true },
        encoding: {
          color: { field: "schedule", type: "nominal" },
          size: {
            field: "share",
            type: "quantitative",
            title: "part of the time",
            legend: { format: ".0%" },
            scale: { range: [12, 900] },
          },
          description: { field: "label", type: "nominal" },
        },
      },
    ],
  };
  const view = new View(parse(compile(spec).spec as Spec), { renderer: "none" });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}

/** Operations for each byte from which on arithmetic binds. */
const ridge = ({ peaks }: ProgramProfile): number => peaks.gflops / peaks.bandwidth.at(-1)!.gbPerS;

function pointsOf(kernels: readonly KernelProfile[]) {
  const same = Map.groupBy(
    kernels.filter(({ roof }) => roof !== null),
    ({ kernel, groups }) => `${kernel} ${groups}`,
  );
  return [...same.values()].map((list) => {
    const sum = (of: (kernel: KernelProfile) => number) => list.reduce((n, kernel) => n + of(kernel), 0);
    const { label, schedule } = list[0]!;
    const flops = sum(({ work }) => work!.flops);
    const bytes = Math.max(1, sum(({ work }) => work!.reads + work!.writes));
    const seconds = Math.max(1e-6, sum(({ ms }) => ms)) / 1e3;
    const intensity = Math.max(LEAST_INTENSITY, flops / bytes);
    // One that computes nothing is shown at the height of its traffic.
    return {
      label,
      schedule,
      intensity,
      gflops: intensity * bytes / seconds / 1e9,
      share: sum(({ share }) => share),
    };
  });
}
