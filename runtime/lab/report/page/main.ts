/// <reference lib="dom" />
/** Puts the page together, and keeps what is selected the same everywhere on it. */

import type { ReportData } from "../data.ts";
import { compareTable, differingGroups } from "./compare_table.ts";
import { dispatchTable } from "./dispatch_table.ts";
import { h, plural, showBytes, showMs } from "./elements.ts";
import { type Coloring, GraphView } from "./graph_view.ts";
import { memoryPlot } from "./memory_plot.ts";
import { Model, type Selection } from "./model.ts";
import { details } from "./panel.ts";
import { rooflinePlot } from "./roofline_plot.ts";
import { searchBox } from "./search_box.ts";

type Tab = "graph" | "memory" | "roofline" | "dispatches" | "compare";

class App {
  readonly #models: readonly Model[];
  readonly #graphs: readonly GraphView[];
  readonly #search: ReturnType<typeof searchBox>;
  readonly #main = h("main");
  readonly #panel = h("aside", { "aria-label": "Details" });
  readonly #status = h("p", { class: "status", role: "status", "aria-live": "polite" });
  readonly #tabs = h("div", { class: "tabs", role: "tablist", "aria-label": "Views" });
  readonly #stages = h("div", { class: "stages", role: "tablist", "aria-label": "Stages" });
  readonly #differing: readonly ReadonlySet<number>[];
  #tab: Tab = "graph";
  #stage: string;
  #coloring: Coloring = "phase";
  #selections: (Selection | undefined)[];

  constructor(readonly data: ReportData) {
    this.#models = data.compiles.map((view) => new Model(view));
    this.#selections = this.#models.map(() => undefined);
    const [one, other] = this.#models;
    this.#differing = other && data.matches ? differingGroups(one!, other, data.matches) : [new Set()];
    this.#graphs = this.#models.map((model, i) =>
      new GraphView(model, (selection) => this.select(i, selection))
    );
    this.#search = searchBox(one!, (selection) => this.select(0, selection));
    this.#stage = one!.stage(one!.final).name;
  }

  start(root: HTMLElement): void {
    const [one] = this.#models;
    const { memory, measured, dispatches } = one!.view;
    const numbers = [
      plural(dispatches.length, "dispatch", "dispatches"),
      `${showBytes(memory.peak)} of temporaries`,
      ...measured ? [showMs(measured.runMs)] : [],
    ];
    const coloring = h(
      "select",
      {
        onchange: (event: Event) => {
          this.#coloring = (event.target as HTMLSelectElement).value as Coloring;
          this.#drawGraphs();
        },
      },
      h("option", { value: "phase" }, "phase"),
      h("option", { value: "schedule" }, "schedule"),
      ...measured ? [h("option", { value: "time" }, "time")] : [],
      h("option", { value: "change" }, "what a stage changed"),
    );
    root.replaceChildren(
      h(
        "header",
        {},
        h("h1", {}, this.data.title),
        h(
          "p",
          {},
          this.#models.map(({ view }) => view.name).join(" beside "),
          this.#models.length === 1 ? `: ${numbers.join(", ")}` : "",
        ),
        this.#search.element,
      ),
      h("nav", {}, this.#tabs, this.#stages, h("label", { class: "coloring" }, "Colors by ", coloring)),
      this.#main,
      this.#panel,
      this.#status,
    );
    addEventListener("keydown", (event) => this.#key(event));
    addEventListener("hint", (event) => this.#status.textContent = (event as CustomEvent<string>).detail);
    addEventListener("resize", () => this.#tab === "graph" ? undefined : this.#draw());
    const wanted = new URLSearchParams(location.hash.slice(1));
    if (one!.view.stages.some(({ name }) => name === wanted.get("stage"))) this.#stage = wanted.get("stage")!;
    if (this.#tabNames().includes(wanted.get("tab") as Tab)) this.#tab = wanted.get("tab") as Tab;
    this.#draw();
    const id = wanted.get("select");
    if (id !== null && /^[ngd]\d+$/.test(id)) this.select(0, { id, stage: one!.final });
    document.documentElement.dataset.ready = String(Math.round(performance.now()));
  }

  /** Selects in one compile, and what matches it in the other. */
  select(which: number, selection: Selection | undefined): void {
    this.#selections = this.#models.map((_, i) => i === which ? selection : this.#matching(which, selection));
    this.#panel.replaceChildren(
      ...this.#models.map((model, i) => details(model, this.#selections[i], (next) => this.select(i, next))),
    );
    this.#panel.scrollTop = 0;
    this.#graphs.forEach((graph, i) => graph.mark(this.#selections[i]));
    for (const old of this.#main.querySelectorAll(".chosen")) old.classList.remove("chosen");
    if (selection === undefined) return;
    for (const same of this.#main.querySelectorAll(`[data-id="${selection.id}"]:not(.box)`)) {
      same.classList.add("chosen");
    }
    const model = this.#models[which]!;
    const number = Number(selection.id.slice(1));
    this.#status.textContent = selection.id.startsWith("n")
      ? `${model.name(number, selection.stage)}, ${model.op(selection.stage, number).type}`
      : `${selection.id.startsWith("g") ? "group" : "dispatch"} ${number}`;
    history.replaceState(
      null,
      "",
      `#${new URLSearchParams({ tab: this.#tab, stage: this.#stage, select: selection.id })}`,
    );
  }

  #matching(which: number, selection: Selection | undefined): Selection | undefined {
    const { matches } = this.data;
    if (selection === undefined || !matches) return undefined;
    const [from, to] = [this.#models[which]!, this.#models[1 - which]!];
    const match = (n: number) => which === 0 ? matches[n]! : matches.indexOf(n);
    if (selection.id.startsWith("n")) {
      const [own] = from.opsOf(selection);
      const found = own === undefined ? -1 : match(own);
      return found < 0 ? undefined : { id: `n${found}`, stage: to.final };
    }
    // Of a group, the group that computes most of it.
    const counts = new Map<number, number>();
    for (const n of from.opsOf(selection)) {
      for (const g of to.groupsOf.get(match(n)) ?? []) counts.set(g, (counts.get(g) ?? 0) + 1);
    }
    const [best] = [...counts].sort(([, a], [, b]) => b - a);
    if (!best) return undefined;
    if (selection.id.startsWith("g")) return { id: `g${best[0]}`, stage: to.final };
    const [dispatch] = to.view.groups[best[0]]!.dispatches;
    return dispatch === undefined ? undefined : { id: `d${dispatch}`, stage: to.final };
  }

  #tabNames(): readonly Tab[] {
    return [
      "graph",
      "memory",
      "roofline",
      "dispatches",
      ...this.#models.length > 1 ? ["compare" as const] : [],
    ];
  }

  #draw(): void {
    const names = {
      graph: "Graph",
      memory: "Memory",
      roofline: "Roofline",
      dispatches: "Dispatches",
      compare: "Compare",
    };
    const tab = (text: string, selected: boolean, act: () => void) =>
      h("button", { type: "button", role: "tab", "aria-selected": String(selected), onclick: act }, text);
    this.#tabs.replaceChildren(
      ...this.#tabNames().map((name) =>
        tab(names[name], name === this.#tab, () => {
          this.#tab = name;
          this.#draw();
        })
      ),
    );
    const [one] = this.#models;
    this.#stages.replaceChildren(
      ...this.#tab !== "graph" ? [] : one!.view.stages.map(({ name, of, nodes }, i) => {
        const before = one!.view.stages[i - 1];
        const change = of === "ops" && before ? nodes.length - before.nodes.length : 0;
        const note = of === "ops"
          ? ` ${i === 0 ? nodes.length : change > 0 ? `+${change}` : change < 0 ? `−${-change}` : "±0"}`
          : "";
        return tab(`${name}${note}`, name === this.#stage, () => {
          this.#stage = name;
          this.#draw();
        });
      }),
    );
    document.body.dataset.tab = this.#tab;
    const width = Math.max(320, this.#main.clientWidth / this.#models.length - 32);
    const each = (of: (model: Model, i: number) => HTMLElement) =>
      this.#models.map((model, i) =>
        h(
          "div",
          { class: "compile" },
          this.#models.length > 1 && h("h2", { class: "which" }, model.view.name),
          of(model, i),
        )
      );
    const bytes = Math.max(1, ...this.#models.map(({ view }) => view.memory.peak));
    const choose = (i: number) => (selection: Selection) => this.select(i, selection);
    this.#main.replaceChildren(
      ...this.#tab === "graph"
        ? each((_, i) => this.#graphs[i]!.element)
        : this.#tab === "memory"
        ? each((model, i) => memoryPlot(model, 1.06 * bytes, width, choose(i)))
        : this.#tab === "roofline"
        ? each((model, i) => rooflinePlot(model, this.#models, width, choose(i)))
        : this.#tab === "dispatches"
        ? each((model, i) => dispatchTable(model, choose(i)))
        : [compareTable(this.#models as [Model, Model], this.#differing as never, (i, selection) =>
          this.select(i, selection))],
    );
    if (this.#tab === "graph") this.#drawGraphs();
    const selected = this.#selections.findIndex((selection) => selection !== undefined);
    this.select(Math.max(0, selected), this.#selections[Math.max(0, selected)]);
  }

  #drawGraphs(): void {
    this.#graphs.forEach((graph, i) => {
      const stages = this.#models[i]!.view.stages;
      const stage = stages.findIndex(({ name }) => name === this.#stage);
      graph.show(stage < 0 ? stages.length - 1 : stage, this.#coloring, this.#differing[i]);
    });
  }

  #key(event: KeyboardEvent): void {
    if (event.target instanceof HTMLInputElement || event.target instanceof HTMLSelectElement) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") {
      event.preventDefault();
      return this.#search.focus();
    }
    if (event.key === "Escape") return this.select(0, undefined);
    if (event.key === "f" && this.#tab === "graph") return this.#graphs.forEach((graph) => graph.fit());
    const which = this.#selections.findIndex((selection) => selection !== undefined);
    const selection = this.#selections[which];
    if (!selection || !event.key.startsWith("Arrow") || this.#tab !== "graph") return;
    const next = this.#neighbor(this.#models[which]!, selection, event.key);
    if (next === undefined) return;
    event.preventDefault();
    this.select(which, next);
  }

  /** Up to what it reads, down to what reads it, sideways along the order of the graph. */
  #neighbor(model: Model, { id, stage }: Selection, key: string): Selection | undefined {
    const number = Number(id.slice(1));
    const side = key === "ArrowLeft" ? -1 : key === "ArrowRight" ? 1 : 0;
    if (!id.startsWith("n")) {
      const count = id.startsWith("g") ? model.view.groups.length : model.view.dispatches.length;
      const to = number + (side || (key === "ArrowUp" ? -1 : 1));
      return to < 0 || to >= count ? undefined : { id: `${id[0]}${to}`, stage };
    }
    const drawn = (n: number) => model.op(stage, n).kind !== "free";
    if (side === 0) {
      const near = key === "ArrowUp" ? model.inputs(stage, number) : model.users(stage, number);
      const to = near.find(drawn);
      return to === undefined ? undefined : { id: `n${to}`, stage };
    }
    for (let to = number + side; to >= 0 && to < model.stage(stage).nodes.length; to += side) {
      if (drawn(to)) return { id: `n${to}`, stage };
    }
    return undefined;
  }
}

new App(JSON.parse(document.getElementById("data")!.textContent!) as ReportData).start(
  document.getElementById("app")!,
);
