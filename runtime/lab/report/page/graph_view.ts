/** The picture of one stage: boxes in boxes, moved and magnified; names appear where there is room for them. */

import type { PictureBox } from "../data.ts";
import { escapeText, h, plural } from "./elements.ts";
import type { Model, Selection } from "./model.ts";
import { PanZoom } from "./pan_zoom.ts";

/** What boxes are colored by. */
export type Coloring = "phase" | "schedule" | "time" | "change";

/** Widths of a letter in a name, at 12 pixels. */
const letter = 7.5;

/** What a box may be called, the best first: a scope's name may stand out of its box, a group's may be its number. */
function namesOf(label: string, id: string, most: number): readonly string[] {
  if (label.length <= most) return [label];
  const cut = most >= 8 ? [`${label.slice(0, most - 1)}…`] : [];
  if (id.startsWith("g")) return [...cut, ...most >= 2 ? [/^\d+/.exec(label)![0]] : []];
  return label.length <= 8 ? [label, ...cut] : cut;
}

export class GraphView {
  readonly element: HTMLElement;
  readonly #svg: SVGSVGElement;
  readonly #caption = h("p", { class: "caption" });
  readonly #panZoom: PanZoom;
  #stage = -1;
  #coloring: Coloring = "phase";
  #selection: Selection | undefined;
  #differing: ReadonlySet<number> = new Set();
  #shown: ReadonlyMap<string, SVGGElement[]> = new Map();

  constructor(readonly model: Model, readonly select: (selection: Selection | undefined) => void) {
    this.#svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.#svg.setAttribute("class", "graph");
    this.#svg.setAttribute("tabindex", "0");
    this.#svg.setAttribute("role", "application");
    this.#svg.setAttribute(
      "aria-label",
      `Graph of ${model.view.name}: arrow keys walk along it once an op is selected`,
    );
    const button = (text: string, label: string, act: () => void) =>
      h("button", { type: "button", title: label, "aria-label": label, onclick: act }, text);
    this.#panZoom = new PanZoom(
      this.#svg,
      () => this.model.stage(this.#stage).picture,
      ({ x, y, k }) => this.#place(x, y, k),
      (event) => this.#click(event),
    );
    this.element = h(
      "section",
      { class: "graph-view" },
      this.#caption,
      h(
        "div",
        { class: "graph-frame" },
        this.#svg as unknown as Node,
        h(
          "div",
          { class: "zoom" },
          button("+", "Magnify", () => this.#panZoom.zoom(1.5)),
          button("−", "Make smaller", () => this.#panZoom.zoom(1 / 1.5)),
          button("Fit", "Show all of it (f)", () => this.fit()),
        ),
      ),
    );
    this.#svg.addEventListener("pointermove", (event) => this.#hover(event.target as Element));
  }

  /** Draws a stage; the selection stays. */
  show(stage: number, coloring: Coloring, differing: ReadonlySet<number> = new Set()): void {
    const isNew = stage !== this.#stage;
    if (!isNew && coloring === this.#coloring) return;
    [this.#stage, this.#coloring, this.#differing] = [stage, coloring, differing];
    const { picture } = this.model.stage(stage);
    const frames: string[] = [];
    const leaves: string[] = [];
    const names: string[] = [];
    picture.boxes.forEach((box, i) => {
      const isLeaf = /^[nd]\d/.test(box.id);
      (isLeaf ? leaves : frames).push(this.#box(box, i));
      if (!isLeaf) names.push(`<text class="name" data-index="${i}" x="${box.x + 8}"></text>`);
    });
    const lines = picture.lines.map((line) => `<polyline points="${line.join(" ")}"/>`).join("");
    this.#svg.innerHTML =
      `<defs><marker id="tip" viewBox="0 0 6 6" refX="5.5" refY="3" markerWidth="5" markerHeight="5"
      orient="auto"><path d="M0 0L6 3L0 6z"/></marker></defs><g class="world"><g>${frames.join("")}</g>
      <g class="lines">${lines}</g><g>${leaves.join("")}</g><g class="overlay"></g>
      <g class="names">${names.join("")}</g></g>`;
    const shown = new Map<string, SVGGElement[]>();
    for (const element of this.#svg.querySelectorAll<SVGGElement>("[data-id]")) {
      const list = shown.get(element.dataset.id!);
      if (list) list.push(element);
      else shown.set(element.dataset.id!, [element]);
    }
    this.#shown = shown;
    const { nodes, about, of } = this.model.stage(stage);
    const boxes = new Set(picture.boxes.filter(({ id }) => /^[gd]\d/.test(id)).map(({ id }) => id)).size;
    const count = of === "ops"
      ? plural(nodes.length, "op")
      : plural(boxes, of === "groups" ? "group" : "dispatch", of);
    this.#caption.replaceChildren(h("b", {}, count), ` ${about}`);
    if (isNew) this.fit();
    else this.#place(this.#panZoom.at.x, this.#panZoom.at.y, this.#panZoom.at.k);
    this.#highlight(false);
  }

  fit(): void {
    this.#panZoom.fit();
  }

  focus(): void {
    this.#svg.focus();
  }

  /** Marks a selection, and brings it into view. */
  mark(selection: Selection | undefined, reveal = true): void {
    this.#selection = selection;
    this.#highlight(reveal);
  }

  #box({ id, label, x, y, w, h: height, depth, phase }: PictureBox, index: number): string {
    const [name = "", type = ""] = label.split("\n");
    const kind = /^[ngd]\d/.test(id) ? id[0]! : "s";
    const classes = ["box", `is-${kind}`, ...this.#classes(id, phase)];
    const style = this.#style(id);
    const rect = `<rect width="${w}" height="${height}" rx="${kind === "s" ? 6 : 4}"${style}/>`;
    const at = `class="${classes.join(" ")}" transform="translate(${x} ${y})" data-index="${index}"`;
    if (kind === "s" || kind === "g") {
      return `<g ${at} data-id="${escapeText(id)}" data-depth="${depth}">${rect}</g>`;
    }
    const fits = (text: string, size: number) => {
      const most = Math.floor((w - 10) / size);
      return escapeText(text.length > most ? `${text.slice(0, most - 1)}…` : text);
    };
    const text = height < 24
      ? `<text x="5" y="${height - 5}" class="small">${fits(name, 5.6)}</text>`
      : `<text x="5" y="13">${fits(name, 6.2)}</text><text x="5" y="26" class="small">${
        fits(type, 5.2)
      }</text>`;
    return `<g ${at} data-id="${id}">${rect}${text}</g>`;
  }

  #classes(id: string, phase: string): string[] {
    const number = Number(id.slice(1));
    const differs = id.startsWith("g") && this.#differing.has(number) ? ["differs"] : [];
    if (id.startsWith("n")) {
      const { kind } = this.model.op(this.#stage, number);
      const change = this.#coloring === "change" ? this.#changeOf(number) : phase;
      return [
        `op-${kind}`,
        this.#coloring === "time" || this.#coloring === "schedule" ? "plain" : `in-${change}`,
      ];
    }
    if (this.#coloring === "schedule" && !id.startsWith("s")) {
      return [`by-${this.#scheduleOf(id)}`, ...differs];
    }
    return [this.#coloring === "phase" || id.startsWith("s") ? `in-${phase}` : "plain", ...differs];
  }

  /** Of an op: new in this stage, gone in the next, or neither. */
  #changeOf(number: number): string {
    const { model } = this;
    const stage = this.#stage;
    if (stage > 0 && model.inStage(number, stage, stage - 1) < 0) return "new";
    return stage < model.final && model.inStage(number, stage, stage + 1) < 0 ? "gone" : "kept";
  }

  #scheduleOf(id: string): string {
    const number = Number(id.slice(1));
    const schedule = id.startsWith("d")
      ? this.model.dispatch(number).schedule
      : this.model.view.groups[number]!.schedule;
    return /^\w+/.exec(schedule)?.[0] ?? "none";
  }

  /** A share of the run's time as a shade. */
  #style(id: string): string {
    if (this.#coloring !== "time" || !/^[gd]\d/.test(id)) return "";
    const number = Number(id.slice(1));
    const ms = id.startsWith("d") ? this.model.dispatch(number).time?.ms : this.model.msOfGroup(number);
    const total = this.model.view.measured?.ms;
    if (ms === undefined || total === undefined) return "";
    // A twentieth of the run is as hot as it gets: no step has one kernel only.
    return ` style="fill: color-mix(in oklab, var(--hot) ${
      Math.round(100 * Math.min(1, 20 * ms / total))
    }%, var(--paper))"`;
  }

  #place(x: number, y: number, k: number): void {
    const world = this.#svg.querySelector<SVGGElement>(".world");
    if (!world) return;
    world.setAttribute("transform", `translate(${x} ${y}) scale(${k})`);
    this.#svg.dataset.zoom = k < 0.18 ? "far" : k < 0.42 ? "mid" : "near";
    const size = Math.max(1, 1 / k) * 12;
    this.#svg.style.setProperty("--size", `${size}px`);
    const { boxes } = this.model.stage(this.#stage).picture;
    const [width, height] = [this.#svg.clientWidth, this.#svg.clientHeight];
    // Names are as large at any magnification, and only where there is room: outer ones first.
    const taken: { readonly left: number; readonly end: number; readonly y: number }[] = [];
    for (const text of this.#svg.querySelectorAll<SVGTextElement>(".name")) {
      const box = boxes[Number(text.dataset.index)]!;
      const [left, y1] = [x + k * box.x, y + k * box.y];
      const isSeen = left < width && y1 < height && left + k * box.w > 0 && y1 + k * box.h > 0;
      const most = Math.floor((k * box.w - 10) / (letter * size * k / 12));
      const candidates = isSeen && k * box.h >= 14 ? namesOf(box.label, box.id, most) : [];
      const found = candidates.find((name) => {
        const end = left + 8 + letter * name.length;
        return !taken.some((t) => Math.abs(t.y - y1) < 14 && t.left < end && left < t.end);
      }) ?? "";
      if (found !== "") taken.push({ left, y: y1, end: left + 8 + letter * found.length });
      if (text.textContent !== found) text.textContent = found;
      text.setAttribute("y", String(box.y + size * 1.15));
    }
  }

  #click(event: PointerEvent): void {
    const found = (event.target as Element).closest<SVGGElement>("[data-id]");
    this.#svg.focus();
    const id = found?.dataset.id;
    this.select(id !== undefined && /^[ngd]\d/.test(id) ? { id, stage: this.#stage } : undefined);
  }

  #hover(target: Element): void {
    const found = target.closest<SVGGElement>("[data-id]");
    const box = found && this.model.stage(this.#stage).picture.boxes[Number(found.dataset.index)];
    this.#svg.dispatchEvent(
      new CustomEvent("hint", { bubbles: true, detail: box ? box.label.replace("\n", "  ") : "" }),
    );
  }

  #highlight(reveal: boolean): void {
    for (const old of this.#svg.querySelectorAll(".selected, .around")) {
      old.classList.remove("selected", "around");
    }
    const overlay = this.#svg.querySelector(".overlay");
    if (!overlay) return;
    overlay.innerHTML = "";
    this.#svg.classList.toggle("has-selection", this.#selection !== undefined);
    if (this.#selection === undefined) return;
    const elements = [...this.model.boxesOf(this.#selection, this.#stage)].flatMap((id) =>
      this.#shown.get(id) ?? []
    );
    for (const element of elements) element.classList.add("selected");
    const stage = this.model.stage(this.#stage);
    const boxAt = (element: Element) => stage.picture.boxes[Number((element as SVGGElement).dataset.index)]!;
    if (stage.of !== "dispatches" && this.#selection.id.startsWith("n")) {
      overlay.innerHTML = elements.slice(0, 8).map((element) => this.#curves(boxAt(element))).join("");
    }
    const [first] = elements;
    if (!first || !reveal) return;
    const { x, y, w, h } = boxAt(first);
    this.#panZoom.reveal(x, y, w, h);
  }

  /** From what an op reads and to what reads it, wherever that is. */
  #curves(box: PictureBox): string {
    const number = Number(box.id.slice(1));
    const { boxes } = this.model.stage(this.#stage).picture;
    const up = box.phase === "backward";
    const ends = (id: string) => {
      const found = this.#shown.get(id) ?? [];
      for (const element of found) element.classList.add("around");
      return found.slice(0, 6).map((element) => boxes[Number(element.dataset.index)]!);
    };
    const curve = (from: PictureBox, to: PictureBox, kind: string) => {
      const [x1, x2] = [from.x + from.w / 2, to.x + to.w / 2];
      const [y1, y2] = from.y < to.y
        ? [from.y + from.h, to.y]
        : up || from.y > to.y
        ? [from.y, to.y + to.h]
        : [from.y, to.y];
      const bend = Math.max(20, Math.abs(y2 - y1) / 2) * (y1 < y2 ? 1 : -1);
      return `<path class="${kind}" marker-end="url(#tip)" d="M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${
        y2 - bend
      } ${x2} ${y2}"/>`;
    };
    const { model } = this;
    const inputs = [...new Set(model.inputs(this.#stage, number))].flatMap((n) => ends(`n${n}`));
    const users = model.users(this.#stage, number).flatMap((n) => ends(`n${n}`));
    return inputs.map((from) => curve(from, box, "reads")).join("") +
      users.map((to) => curve(box, to, "read-by")).join("");
  }
}
