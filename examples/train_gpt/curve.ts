/** The losses of a run as a picture. */

import { parse, type Spec, View } from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

/** What is known after a number of steps. */
export interface LossPoint {
  readonly step: number;
  readonly training?: number;
  readonly validation?: number;
}

/** Points of the training's line; more could not be told apart. */
const POINTS = 400;

/** An SVG file: the training loss as a line of means over equal parts of the run, validations as dots. */
export async function lossCurve(losses: readonly LossPoint[], title: string): Promise<string> {
  const part = Math.max(1, Math.ceil(losses.length / POINTS));
  const parts = Array.from(
    { length: Math.ceil(losses.length / part) },
    (_, i) => losses.slice(i * part, (i + 1) * part),
  );
  const values = [
    ...parts.map((points) => ({
      step: mean(points.map((p) => p.step)),
      loss: mean(points.map((p) => p.training)),
      of: "training",
    })),
    ...losses.map(({ step, validation }) => ({ step, loss: validation, of: "validation" })),
  ].filter(({ loss }) => Number.isFinite(loss));
  const spec: TopLevelSpec = {
    width: 640,
    height: 320,
    background: "white",
    title,
    data: { values },
    encoding: {
      x: { field: "step", type: "quantitative" },
      y: { field: "loss", type: "quantitative", scale: { zero: false } },
      color: { field: "of", type: "nominal", title: null },
    },
    layer: [
      { transform: [{ filter: "datum.of === 'training'" }], mark: { type: "line", strokeWidth: 1.2 } },
      {
        transform: [{ filter: "datum.of === 'validation'" }],
        mark: { type: "line", point: true, strokeDash: [4, 3] },
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

function mean(numbers: readonly (number | undefined)[]): number {
  const known = numbers.filter((x) => x !== undefined);
  return known.reduce((sum, x) => sum + x, 0) / known.length;
}
