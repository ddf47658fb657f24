/**
 * The part of a picture that is in view, as SVG: what is far away is drawn as one path per color, what is near as boxes
 * with names. So there are never more than a few hundred elements, however large the graph.
 */

import type { Picture, PictureBox } from "../data.ts";
import { escapeText } from "./elements.ts";

/** A rectangle of the picture. */
export interface View {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** How much of boxes can be read at a magnification. */
export const detailAt = (k: number): "far" | "mid" | "near" => k < 0.18 ? "far" : k < 0.42 ? "mid" : "near";

/** What a box looks like. */
export interface Look {
  readonly classes: string;
  readonly fill?: string | undefined;
}

export const isFrame = ({ id }: Pick<PictureBox, "id">): boolean => id.startsWith("s") || id.startsWith("g");

export const meets = ({ x, y, w, h }: PictureBox, { left, top, right, bottom }: View): boolean =>
  x < right && x + w > left && y < bottom && y + h > top;

/** @param k Pixels per unit. */
export function pictureIn(
  { boxes, lines }: Picture,
  view: View,
  k: number,
  lookOf: (box: PictureBox, index: number) => Look,
): string {
  const frames: string[] = [];
  const leaves: string[] = [];
  const far = new Map<string, string[]>();
  const detail = detailAt(k);
  boxes.forEach((box, i) => {
    if (!meets(box, view) || k * box.w < 1) return;
    const look = lookOf(box, i);
    if (isFrame(box)) {
      frames.push(frame(box, look));
      return;
    }
    if (detail !== "far") {
      leaves.push(leaf(box, look, detail === "near"));
      return;
    }
    const key = `class="box ${look.classes}"${style(look)}`;
    const paths = far.get(key);
    const path = `M${box.x} ${box.y}h${box.w}v${box.h}h${-box.w}z`;
    if (paths) paths.push(path);
    else far.set(key, [path]);
  });
  const shown = lines.filter((line) => {
    let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (let i = 0; i < line.length; i += 2) {
      left = Math.min(left, line[i]!);
      right = Math.max(right, line[i]!);
      top = Math.min(top, line[i + 1]!);
      bottom = Math.max(bottom, line[i + 1]!);
    }
    return left <= view.right && right >= view.left && top <= view.bottom && bottom >= view.top;
  });
  const path = shown.map((line) => `M${line.join(" ")}`).join("");
  const paths = [...far].map(([key, parts]) => `<path ${key} d="${parts.join("")}"/>`);
  return `<g>${frames.join("")}</g><path class="lines" d="${path}"/><g>${paths.join("")}${
    leaves.join("")
  }</g>`;
}

const style = ({ fill }: Look): string => fill === undefined ? "" : ` style="fill: ${fill}"`;

const rectOf = ({ w, h }: PictureBox, look: Look, radius: number): string =>
  `<rect width="${w}" height="${h}" rx="${radius}"${style(look)}/>`;

const frame = (box: PictureBox, look: Look): string =>
  `<g class="box ${look.classes}" transform="translate(${box.x} ${box.y})" data-id="${escapeText(box.id)}">${
    rectOf(box, look, 6)
  }</g>`;

function leaf(box: PictureBox, look: Look, withTypes: boolean): string {
  const { id, label, x, y, w, h } = box;
  const [name = "", type = ""] = label.split("\n");
  const fits = (text: string, size: number) => {
    const most = Math.floor((w - 10) / size);
    return escapeText(text.length > most ? `${text.slice(0, most - 1)}…` : text);
  };
  const text = h < 24
    ? `<text x="5" y="${h - 5}" class="small">${fits(name, 5.6)}</text>`
    : `<text x="5" y="13">${fits(name, 6.2)}</text>${
      withTypes ? `<text x="5" y="26" class="small">${fits(type, 5.2)}</text>` : ""
    }`;
  return `<g class="box ${look.classes}" transform="translate(${x} ${y})" data-id="${id}">${
    rectOf(box, look, 4)
  }${text}</g>`;
}
