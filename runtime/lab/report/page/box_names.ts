/** Names of the boxes that hold others: as large at any magnification, where there is room, outer boxes first. */

import type { PictureBox } from "../data.ts";
import { escapeText } from "./elements.ts";
import { isFrame, meets, type View } from "./graph_picture.ts";

/** Widths of a letter, and height of a line, in pixels. */
const [letterWidth, lineHeight] = [7.5, 14];

/** @param k Pixels per unit. */
export function namesIn(boxes: readonly PictureBox[], view: View, k: number): string {
  const size = 12 * Math.max(1, 1 / k);
  const taken: { readonly left: number; readonly end: number; readonly y: number }[] = [];
  const texts: string[] = [];
  for (const box of boxes) {
    if (!isFrame(box) || !meets(box, view) || k * box.h < lineHeight) continue;
    const most = Math.floor((k * box.w - 10) / (letterWidth * size * k / 12));
    const [left, y] = [k * box.x, k * box.y];
    const found = namesOf(box, most).find((name) => {
      const end = left + 8 + letterWidth * name.length;
      return !taken.some((t) => Math.abs(t.y - y) < lineHeight && t.left < end && left < t.end);
    });
    if (found === undefined) continue;
    taken.push({ left, y, end: left + 8 + letterWidth * found.length });
    texts.push(
      `<text x="${box.x + 8 * Math.min(1, size / 12)}" y="${box.y + size * 1.15}">${
        escapeText(found)
      }</text>`,
    );
  }
  return `<g class="names" style="font-size: ${size}px; stroke-width: ${size / 4}px">${texts.join("")}</g>`;
}

/** What a box may be called, the best first: a short name may stand out of its box, and a group's be its number. */
function namesOf({ label, id }: PictureBox, most: number): readonly string[] {
  if (label.length <= most) return [label];
  const cut = most >= 8 ? [`${label.slice(0, most - 1)}…`] : [];
  if (id.startsWith("g")) return [...cut, ...most >= 2 ? [/^\d+/.exec(label)![0]] : []];
  return label.length <= 8 ? [label, ...cut] : cut;
}
