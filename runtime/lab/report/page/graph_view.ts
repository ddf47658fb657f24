/** The picture of one stage: boxes in boxes, moved and magnified; names appear where there is room for them. */

import type { Picture, PictureBox } from "../data.ts";
import { namesIn } from "./box_names.ts";
import { h, plural } from "./elements.ts";
import { detailAt, type Look, pictureIn, type View } from "./graph_picture.ts";
import type { Model, Selection } from "./model.ts";
import { PanZoom } from "./pan_zoom.ts";

/** What boxes are colored by. */
export type Coloring = "phase" | "schedule" | "time" | "change";

/** Parts of the width and height that are drawn beyond what can be seen, so that moving seldom draws anew. */
const margin = 0.5;

/** Boxes around a selection that curves are drawn to, at most. */
const mostCurves = 40;

export class GraphView {
  readonly element: HTMLElement;
  readonly #svg: SVGSVGElement;
  readonly #caption = h("p", { class: "caption" });
  readonly #panZoom: PanZoom;
  #stage = -1;
  #coloring: Coloring = "phase";
  #selection: Selection | undefined;
  #differing: ReadonlySet<number> = new Set();
  #boxesById: ReadonlyMap<string, readonly PictureBox[]> = new Map();
  #looks: readonly Look[] = [];
  #drawn: (View & { readonly k: number }) | undefined;

  constructor(readonly model: Model, readonly select: (selection: Selection | undefined) => void) {
    this.#svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.#svg.setAttribute("class", "graph");
    this.#svg.setAttribute("tabindex", "0");
    this.#svg.setAttribute("role", "application");
    const label = `Graph of ${model.view.name}: arrow keys walk along it once an op is selected`;
    this.#svg.setAttribute("aria-label", label);
    this.#svg.innerHTML =
      `<defs><marker id="tip" viewBox="0 0 6 6" refX="5.5" refY="3" markerWidth="5" markerHeight="5" orient="auto">
      <path d="M0 0L6 3L0 6z"/></marker></defs><g class="world"><g class="picture"></g><g class="overlay"></g><g></g></g>`;
    const button = (text: string, title: string, act: () => void) =>
      h("button", { type: "button", title, "aria-label": title, onclick: act }, text);
    this.#panZoom = new PanZoom(
      this.#svg,
      () => this.#picture,
      ({ x, y, k }) => this.#place(x, y, k),
      (event) => this.#click(event),
    );
    const buttons = [
      button("+", "Magnify", () => this.#panZoom.zoom(1.5)),
      button("−", "Make smaller", () => this.#panZoom.zoom(1 / 1.5)),
      button("Fit", "Show all of it (f)", () => this.fit()),
    ];
    const frame = h("div", { class: "graph-frame" }, this.#svg, h("div", { class: "zoom" }, ...buttons));
    this.element = h("section", { class: "graph-view" }, this.#caption, frame);
    this.#svg.addEventListener("pointermove", (event) => {
      const text = event.buttons === 0 ? this.#boxAt(event)?.label.replace("\n", "  ") ?? "" : "";
      this.#svg.dispatchEvent(new CustomEvent("hint", { bubbles: true, detail: text }));
    });
    new ResizeObserver(() => this.#stage >= 0 && this.#panZoom.go(this.#panZoom.at)).observe(this.#svg);
  }

  get #picture(): Picture {
    return this.model.stage(this.#stage).picture;
  }

  /** Draws a stage; the selection stays. */
  show(stage: number, coloring: Coloring, differing: ReadonlySet<number> = new Set()): void {
    const isNew = stage !== this.#stage;
    if (!isNew && coloring === this.#coloring) return;
    [this.#stage, this.#coloring, this.#differing] = [stage, coloring, differing];
    const { nodes, about, of, picture: { boxes } } = this.model.stage(stage);
    this.#boxesById = Map.groupBy(boxes, ({ id }) => id);
    this.#looks = boxes.map((box) => this.#lookOf(box));
    this.#drawn = undefined;
    const many = new Set(boxes.filter(({ id }) => /^[gd]\d/.test(id)).map(({ id }) => id)).size;
    const count = of === "ops"
      ? plural(nodes.length, "op")
      : plural(many, of === "groups" ? "group" : "dispatch", of);
    this.#caption.replaceChildren(h("b", {}, count), ` ${about}`);
    if (isNew) this.fit();
    else this.#panZoom.go(this.#panZoom.at);
    this.#highlight(false);
  }

  fit(): void {
    this.#panZoom.fit();
  }

  /** Marks a selection, and brings it into view. */
  mark(selection: Selection | undefined): void {
    this.#selection = selection;
    this.#highlight(true);
  }

  #lookOf({ id, phase }: PictureBox): Look {
    const kind = /^[ngd]\d/.test(id) ? id[0]! : "s";
    const number = Number(id.slice(1));
    const differs = kind === "g" && this.#differing.has(number) ? " differs" : "";
    const base = `is-${kind}${
      kind === "n" ? ` op-${this.model.op(this.#stage, number).kind}` : ""
    }${differs}`;
    const coloring = this.#coloring;
    if (kind === "s" || coloring === "phase") return { classes: `${base} in-${phase}` };
    if (coloring === "change") {
      return { classes: `${base} ${kind === "n" ? `in-${this.#changeOf(number)}` : "plain"}` };
    }
    if (kind === "n") return { classes: `${base} plain` };
    if (coloring === "schedule") return { classes: `${base} by-${this.#scheduleOf(kind, number)}` };
    return { classes: `${base} plain`, fill: this.#heatOf(kind, number) };
  }

  /** Of an op: new in this stage, gone in the next, or neither. */
  #changeOf(number: number): string {
    const { model } = this;
    const stage = this.#stage;
    if (stage > 0 && model.inStage(number, stage, stage - 1) < 0) return "new";
    return stage < model.final && model.inStage(number, stage, stage + 1) < 0 ? "gone" : "kept";
  }

  #scheduleOf(kind: string, number: number): string {
    const { schedule } = kind === "d" ? this.model.dispatch(number) : this.model.view.groups[number]!;
    return /^\w+/.exec(schedule)?.[0] ?? "none";
  }

  /** A share of the run's time as a shade; a twentieth of the run is as hot as it gets. */
  #heatOf(kind: string, number: number): string | undefined {
    const ms = kind === "d" ? this.model.dispatch(number).time?.ms : this.model.msOfGroup(number);
    const total = this.model.view.measured?.ms;
    if (ms === undefined || !total) return undefined;
    return `color-mix(in oklab, var(--hot) ${Math.round(100 * Math.min(1, 20 * ms / total))}%, var(--paper))`;
  }

  #place(x: number, y: number, k: number): void {
    const [width, height] = [this.#svg.clientWidth, this.#svg.clientHeight];
    if (width === 0) return;
    const world = this.#svg.querySelector<SVGGElement>(".world")!;
    world.setAttribute("transform", `translate(${x} ${y}) scale(${k})`);
    this.#svg.dataset.place = `${x} ${y} ${k}`;
    const seen = { left: -x / k, top: -y / k, right: (width - x) / k, bottom: (height - y) / k };
    const drawn = this.#drawn;
    const isDrawn = drawn && drawn.left <= seen.left && drawn.top <= seen.top && drawn.right >= seen.right &&
      drawn.bottom >= seen.bottom && detailAt(k) === detailAt(drawn.k) && k > drawn.k / 1.5;
    if (!isDrawn) {
      const [dx, dy] = [margin * width / k, margin * height / k];
      const view = {
        left: seen.left - dx,
        top: seen.top - dy,
        right: seen.right + dx,
        bottom: seen.bottom + dy,
      };
      this.#drawn = { ...view, k };
      this.#svg.dataset.detail = detailAt(k);
      world.children[0]!.innerHTML = pictureIn(this.#picture, view, k, (_, i) => this.#looks[i]!);
    }
    if (!isDrawn || k !== drawn.k) {
      world.children[2]!.innerHTML = namesIn(this.#picture.boxes, this.#drawn!, k);
    }
  }

  /** The innermost box at a place of the window. */
  #boxAt(
    { clientX, clientY }: { readonly clientX: number; readonly clientY: number },
  ): PictureBox | undefined {
    const { left, top } = this.#svg.getBoundingClientRect();
    const { x, y, k } = this.#panZoom.at;
    const [px, py] = [(clientX - left - x) / k, (clientY - top - y) / k];
    // Boxes come before what lies in them.
    return this.#picture.boxes.findLast((b) => px >= b.x && px < b.x + b.w && py >= b.y && py < b.y + b.h);
  }

  #click(event: PointerEvent): void {
    this.#svg.focus({ preventScroll: true });
    const id = this.#boxAt(event)?.id;
    this.select(id !== undefined && /^[ngd]\d/.test(id) ? { id, stage: this.#stage } : undefined);
  }

  #highlight(reveal: boolean): void {
    if (this.#stage < 0) return;
    const overlay = this.#svg.querySelector(".overlay")!;
    const selection = this.#selection;
    const boxes = selection === undefined
      ? []
      : [...this.model.boxesOf(selection, this.#stage)].flatMap((id) => this.#boxesById.get(id) ?? []);
    const isOp = selection?.id.startsWith("n") && this.model.stage(this.#stage).of !== "dispatches";
    const curves = isOp ? boxes.slice(0, 8).map((box) => this.#curves(box)) : [];
    overlay.innerHTML = boxes.map((box) => outline(box, "selected")).join("") + curves.join("");
    this.#svg.dataset.selected = boxes.map(({ id }) => id).join(" ");
    const [first] = boxes;
    if (first && reveal) this.#panZoom.reveal(first.x, first.y, first.w, first.h);
  }

  /** From what an op reads and to what reads it, wherever that is. */
  #curves(box: PictureBox): string {
    const number = Number(box.id.slice(1));
    const ends = (n: number) => this.#boxesById.get(`n${n}`) ?? [];
    const inputs = [...new Set(this.model.inputs(this.#stage, number))].flatMap(ends);
    const users = this.model.users(this.#stage, number).flatMap(ends);
    const around = [...inputs, ...users].map((other) => outline(other, "around"));
    return [
      ...around.slice(0, mostCurves),
      ...inputs.slice(0, mostCurves).map((from) => curve(from, box, "reads")),
      ...users.slice(0, mostCurves).map((to) => curve(box, to, "read-by")),
    ].join("");
  }
}

const outline = ({ x, y, w, h: height }: PictureBox, kind: string): string =>
  `<rect class="${kind}" x="${x}" y="${y}" width="${w}" height="${height}" rx="4"/>`;

function curve(from: PictureBox, to: PictureBox, kind: string): string {
  const [x1, x2] = [from.x + from.w / 2, to.x + to.w / 2];
  const isDown = from.y + from.h / 2 < to.y + to.h / 2;
  const [y1, y2] = isDown ? [from.y + from.h, to.y] : [from.y, to.y + to.h];
  const bend = Math.max(20, Math.abs(y2 - y1) / 2) * (isDown ? 1 : -1);
  return `<path class="${kind}" marker-end="url(#tip)" d="M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${
    y2 - bend
  } ${x2} ${y2}"/>`;
}
