/** Kernels by what they compute for each byte, and by what they reach, under the roofs of their device. */

import { escapeText, h, percent, plural, showBytes, showCount, showMs, svgText } from "./elements.ts";
import type { Model, Selection } from "./model.ts";

/** A kernel that computes nothing has no place on a scale of logarithms, and stands at its left end. */
const leastIntensity = 1 / 64;

/** @param all What is shown side by side: their axes are the same. */
export function rooflinePlot(
  model: Model,
  all: readonly Model[],
  width: number,
  select: (selection: Selection) => void,
): HTMLElement {
  const { measured, unmeasured } = model.view;
  if (measured === undefined) {
    return h(
      "section",
      { class: "roofline" },
      h("p", { class: "note" }, `There is no roofline: ${unmeasured}`),
    );
  }
  const points = pointsOf(model);
  const shown = all.flatMap(pointsOf);
  const { bandwidth, gflops, device } = measured;
  const roofs = [bandwidth[0]!, ...bandwidth.length > 1 ? [bandwidth.at(-1)!] : []];
  const fastest = Math.max(...roofs.map(({ gbPerS }) => gbPerS));
  const [left, right, top, foot] = [64, 16, 16, 44];
  const [w, tall] = [Math.max(300, Math.min(1100, width - left - right)), 480];
  const most = Math.max(4 * gflops / bandwidth.at(-1)!.gbPerS, ...shown.map((p) => p.intensity)) * 1.3;
  const high = 2 * Math.max(gflops, ...shown.map((p) => p.gflops));
  // What is slower than that stands at the foot.
  const low = Math.max(gflops / 1e5, Math.min(gflops / 1e3, ...shown.map((p) => p.gflops)) / 1.5);
  const x = (v: number) =>
    left + w * Math.log(v / (leastIntensity / 1.5)) / Math.log(most / (leastIntensity / 1.5));
  const y = (v: number) => top + tall * (1 - Math.log(v / low) / Math.log(high / low));
  const decades = (from: number, to: number) =>
    Array.from(
      { length: Math.floor(Math.log10(to)) - Math.ceil(Math.log10(from)) + 1 },
      (_, i) => 10 ** (Math.ceil(Math.log10(from)) + i),
    );
  const marks = [
    ...decades(leastIntensity / 1.5, most).map((v) =>
      `<line class="grid" x1="${x(v)}" x2="${x(v)}" y1="${top}" y2="${top + tall}"/>${
        svgText(x(v), top + tall + 16, plain(v), "middle")
      }`
    ),
    ...decades(low, high).map((v) =>
      `<line class="grid" x1="${left}" x2="${left + w}" y1="${y(v)}" y2="${y(v)}"/>${
        svgText(left - 6, y(v) + 4, plain(v), "end")
      }`
    ),
  ];
  const lines = roofs.map(({ bytes, gbPerS }, i) => {
    const corner = Math.max(leastIntensity, gflops / gbPerS);
    const from = Math.max(leastIntensity / 1.5, low / gbPerS);
    const middle = Math.sqrt(from * corner);
    const angle = Math.atan2(y(corner * gbPerS) - y(from * gbPerS), x(corner) - x(from)) * 180 / Math.PI;
    const label = `${gbPerS.toPrecision(3)} GB/s, copying ${showBytes(bytes)}`;
    return `<path class="roof roof${i}" d="M${x(from)} ${y(from * gbPerS)}L${x(corner)} ${y(gflops)}L${
      left + w
    } ${y(gflops)}"/>
      <text class="roof-name" transform="translate(${x(middle)} ${
      y(middle * gbPerS)
    }) rotate(${angle})" dy="${gbPerS === fastest ? -6 : 15}" text-anchor="middle">${label}</text>`;
  });
  const dots = points.map(({ d, label, schedule, time, intensity, gflops: reached }) => {
    const r = Math.max(3.5, Math.min(26, 40 * Math.sqrt(time.share)));
    const title = `dispatch ${d}, ${label}: ${showMs(time.ms)} (${percent(time.share)}), ${
      reached.toPrecision(3)
    } GFLOP/s at ${intensity.toPrecision(3)} operations a byte${
      time.ofRoof === undefined ? "" : `, ${percent(time.ofRoof)} of the roof (${time.binds})`
    }`;
    return `<circle data-id="d${d}" tabindex="-1" class="dot by-${schedule}" cx="${x(intensity)}" cy="${
      y(Math.max(low, reached))
    }" r="${r}"><title>${escapeText(title)}</title></circle>`;
  });
  const plot = h("div", { class: "plot" });
  plot.innerHTML = `<svg width="${left + w + right}" height="${
    top + tall + foot
  }" role="img" aria-label="Roofline of ${points.length} kernels">
    ${marks.join("")}<rect class="frame" x="${left}" y="${top}" width="${w}" height="${tall}"/>${
    lines.join("")
  }
    ${
    svgText(
      x(Math.max(leastIntensity, gflops / fastest)) + 10,
      y(gflops) - 6,
      `${gflops.toPrecision(3)} GFLOP/s`,
      "start",
      "roof-name",
    )
  }${dots.join("")}
    ${svgText(left + w / 2, top + tall + 36, "operations for each byte that has to move", "middle")}
    <text transform="translate(14 ${
    top + tall / 2
  }) rotate(-90)" text-anchor="middle">10⁹ operations a second</text></svg>`;
  plot.addEventListener("click", (event) => {
    const id = (event.target as Element).closest<SVGElement>("[data-id]")?.dataset.id;
    if (id) select({ id, stage: model.final });
  });
  const schedules = [...new Set(points.map(({ schedule }) => schedule))];
  return h(
    "section",
    { class: "roofline" },
    h(
      "p",
      { class: "caption" },
      h("b", {}, device),
      ` A circle is a dispatch, its area its part of ${showMs(measured.ms)}. ${
        showCount(points.length)
      } dispatches, medians of ${
        plural(measured.rounds, "round")
      }; a dispatch that does next to nothing takes ${showMs(measured.dispatchMs)}.`,
    ),
    h(
      "p",
      { class: "legend" },
      ...schedules.map((name) => h("span", {}, h("i", { class: `swatch by-${name}` }), name)),
    ),
    plot,
  );
}

/** The slowest first, so that small circles lie over large ones. */
function pointsOf({ view }: Model) {
  return view.dispatches.flatMap(({ work, time, label, schedule }, d) => {
    if (!work || !time) return [];
    const bytes = Math.max(1, work.reads + work.writes);
    const intensity = Math.max(leastIntensity, work.flops / bytes);
    // One that computes nothing is shown at the height of its traffic.
    return [{
      d,
      label,
      schedule,
      time,
      intensity,
      gflops: intensity * bytes / Math.max(1e-6, time.ms) / 1e6,
    }];
  }).sort((a, b) => b.time.ms - a.time.ms);
}

const plain = (v: number): string =>
  v >= 1e4 || v < 0.01 ? v.toExponential(0) : String(Number(v.toPrecision(2)));
