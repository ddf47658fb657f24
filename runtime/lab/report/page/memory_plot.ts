/** The memory plan over time: who lives when and where, how much that is, and what the other arenas hold. */

import { escapeText, h, showBytes, svgText } from "./elements.ts";
import type { Model, Selection } from "./model.ts";

/** @param most Bytes of the height of the plan, the same for two compiles side by side. */
export function memoryPlot(
  model: Model,
  most: number,
  width: number,
  select: (selection: Selection) => void,
): HTMLElement {
  const { memory } = model.view;
  const { peak, bound, temporaries, arenas } = memory;
  const states = arenas.filter(({ role }) => role !== "temporary");
  const plan = h("div", { class: "plot" });
  plan.innerHTML = planSvg(model, { bytes: most, steps: memory.live.length }, width);
  plan.addEventListener("click", (event) => {
    const id = (event.target as Element).closest<SVGElement>("[data-id]")?.dataset.id;
    if (id) select({ id, stage: model.final });
  });
  const over = bound === 0 ? 0 : peak / bound - 1;
  return h(
    "section",
    { class: "memory" },
    h(
      "p",
      { class: "caption" },
      h("b", {}, `${showBytes(peak)} for ${temporaries.length} temporaries.`),
      ` No plan for this order of kernels can do with less than ${showBytes(bound)}${
        over === 0 ? ", and this one doesn't need more." : `: it is ${(100 * over).toFixed(1)} % above that.`
      } Without sharing they would take ${
        showBytes(temporaries.reduce((sum, { bytes }) => sum + bytes, 0))
      }.`,
    ),
    temporaries.length === 0 ? h("p", { class: "note" }, "Nothing outlives its kernel.") : plan,
    h("h3", {}, "What stays"),
    ...states.map((arena) => arenaBar(model, arena, Math.max(...states.map(({ bytes }) => bytes)), select)),
  );
}

function planSvg(
  model: Model,
  scale: { readonly bytes: number; readonly steps: number },
  width: number,
): string {
  const { temporaries, peak, bound, live } = model.view.memory;
  const [left, right, top] = [70, 24, 22];
  const [w, tall, liveTall] = [Math.max(300, width - left - right), 420, 110];
  const x = (step: number) => left + step * w / scale.steps;
  const y = (bytes: number) => top + tall * (1 - bytes / scale.bytes);
  const foot = top + tall + 34;
  const yLive = (bytes: number) => foot + liveTall * (1 - bytes / scale.bytes);
  const rects = temporaries.map(({ name, node, offset, bytes, begin, end }) => {
    const [rw, rh] = [Math.max(1, x(end) - x(begin) - 0.5), Math.max(0.75, y(offset) - y(offset + bytes))];
    const op = node < 0 ? undefined : model.op(model.final, node);
    const title = op
      ? `%${node} ${op.op} ${op.type}, ${showBytes(bytes)} at ${offset}, steps ${begin} to ${end - 1}${
        op.scope && `, ${op.scope}`
      }`
      : `${name}, ${showBytes(bytes)} at ${offset}, steps ${begin} to ${end - 1}`;
    const label = op && rh > 11 && rw > 46
      ? svgText(x(begin) + 4, y(offset + bytes) + 11, fitting(`%${node} ${op.op}`, rw), "start")
      : "";
    const id = node < 0 ? `d${Math.min(begin, model.view.dispatches.length - 1)}` : `n${node}`;
    return `<g data-id="${id}" class="life ${op ? `in-${op.phase}` : "plain"}"><title>${
      escapeText(title)
    }</title><rect x="${x(begin)}" y="${y(offset + bytes)}" width="${rw}" height="${rh}"/>${label}</g>`;
  });
  const curve = live.map((bytes, i) => `L${x(i)} ${yLive(bytes)}L${x(i + 1)} ${yLive(bytes)}`).join("");
  const at = live.indexOf(Math.max(...live));
  const marks = Array.from({ length: 5 }, (_, i) => scale.bytes * i / 4);
  const steps = Array.from({ length: 11 }, (_, i) => Math.round(scale.steps * i / 10));
  const line = (value: number, label: string, kind: string, below = false) =>
    `<line class="${kind}" x1="${left}" x2="${left + w}" y1="${y(value)}" y2="${y(value)}"/>` +
    svgText(left + w, y(value) + (below ? 12 : -4), label, "end", kind);
  const isTight = Math.abs(y(peak) - y(bound)) < 14;
  return `<svg width="${left + w + right}" height="${
    foot + liveTall + 30
  }" role="img" aria-label="Memory plan: ${
    escapeText(`${temporaries.length} temporaries in ${showBytes(peak)}`)
  }">${marks.map((m) => svgText(left - 6, y(m) + 4, showBytes(Math.round(m)), "end")).join("")}
    <rect class="frame" x="${left}" y="${top}" width="${w}" height="${tall}"/>${rects.join("")}
    ${
    isTight && peak === bound
      ? line(peak, "peak = lower bound", "peak")
      : line(peak, "peak", "peak") + line(bound, "lower bound", "bound", isTight)
  }
    <rect class="frame" x="${left}" y="${foot}" width="${w}" height="${liveTall}"/>
    <path class="live" d="M${x(0)} ${yLive(0)}${curve}L${x(live.length)} ${yLive(0)}Z"/>
    ${svgText(left - 6, foot + 12, "alive", "end")}${
    svgText(left - 6, foot + 26, showBytes(Math.round(scale.bytes)), "end")
  }
    <g data-id="d${
    Math.min(at, model.view.dispatches.length - 1)
  }"><title>Most is alive while step ${at} runs</title><circle class="most" cx="${
    (x(at) + x(at + 1)) / 2
  }" cy="${yLive(live[at] ?? 0)}" r="4"/></g>
    ${steps.map((s) => svgText(x(s), foot + liveTall + 14, String(s), "middle")).join("")}
    ${svgText(left + w / 2, foot + liveTall + 28, "dispatch", "middle")}</svg>`;
}

function arenaBar(
  model: Model,
  { name, role, bytes, slots }: Model["view"]["memory"]["arenas"][number],
  most: number,
  select: (selection: Selection) => void,
): HTMLElement {
  const bar = h("div", { class: "arena-bar", style: `width: ${Math.max(2, 100 * bytes / most)}%` });
  bar.innerHTML = slots.map((slot) =>
    `<span title="${
      escapeText(`${slot.name}, ${slot.type}, ${showBytes(slot.bytes)} at ${slot.offset}`)
    }" data-node="${slot.node}" style="flex: ${slot.bytes} 0 0">${
      escapeText(slot.bytes / most > 0.05 ? slot.name : "")
    }</span>`
  ).join("");
  bar.addEventListener("click", (event) => {
    const node = Number((event.target as HTMLElement).dataset.node ?? -1);
    if (node >= 0) select({ id: `n${node}`, stage: model.final });
  });
  return h(
    "div",
    { class: "arena" },
    h("div", {}, h("b", {}, name), ` ${role}, ${showBytes(bytes)}, ${slots.length} tensors`),
    bar,
  );
}

function fitting(content: string, width: number): string {
  const most = Math.floor((width - 6) / 6);
  return content.length > most ? `${content.slice(0, most - 1)}…` : content;
}
