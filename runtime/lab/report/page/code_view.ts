/** A kernel's text, with the op that each line serves beside it. */

import { escapeText, h } from "./elements.ts";
import type { Model } from "./model.ts";

/** Colors that tell ops apart, and lines that are laid out together. */
const [hues, chunk] = [12, 40];

/**
 * @param ops For each line the number of its op, or -1.
 * @param marked Ops whose lines stand out.
 */
export function codeView(
  model: Model,
  text: string,
  ops: readonly number[],
  marked: ReadonlySet<number>,
  select: (op: number) => void,
): HTMLElement {
  const lines = text.replace(/\n$/, "").split("\n");
  let before = -2;
  const rows = lines.map((line, i) => {
    const op = ops[i] ?? -1;
    const isFirst = op !== before;
    before = op;
    const { op: name = "", at: [place = ""] = [] } = op < 0 ? {} : model.op(model.final, op);
    const source = place.replace(/:\d+$/, "");
    const title = op < 0
      ? ""
      : ` title="${escapeText(`%${op} ${name}, ${source}: ${model.view.lines[source] ?? ""}`)}"`;
    const gutter = op < 0 || !isFirst ? "" : `%${op} ${name} <i>${escapeText(shortPlace(source))}</i>`;
    const classes = ["line", ...op < 0 ? [] : [`hue${op % hues}`], ...marked.has(op) ? ["marked"] : []];
    return `<div class="${
      classes.join(" ")
    }" data-op="${op}"><span class="from"${title}>${gutter}</span><code>${
      escapeText(line) || " "
    }</code></div>`;
  });
  const view = h("div", { class: "code", tabindex: 0, role: "region", "aria-label": "Kernel text" });
  // What is not in sight is not laid out.
  const chunks = Array.from(
    { length: Math.ceil(rows.length / chunk) },
    (_, i) => rows.slice(i * chunk, (i + 1) * chunk),
  );
  view.innerHTML = chunks.map((part) =>
    `<div class="chunk" style="--lines: ${part.length}">${part.join("")}</div>`
  ).join("");
  view.addEventListener("click", (event) => {
    const line = (event.target as Element).closest<HTMLElement>(".from")?.parentElement;
    const op = Number(line?.dataset.op ?? -1);
    if (op >= 0 && getSelection()?.isCollapsed) select(op);
  });
  // A long kernel opens at the lines that were asked for.
  requestAnimationFrame(() => {
    const first = view.querySelector<HTMLElement>(".marked");
    if (first) view.scrollTop += first.getBoundingClientRect().top - view.getBoundingClientRect().top - 40;
  });
  return view;
}

/** `gpt.ts:82` of `examples/gpt.ts:82` */
const shortPlace = (place: string): string => place.slice(place.lastIndexOf("/") + 1);
