/** What there is to say about what is selected. */

import type { DispatchView, PairView } from "../data.ts";
import { codeView } from "./code_view.ts";
import { h, percent, plural, showBytes, showCount, showMs } from "./elements.ts";
import type { Model, Selection } from "./model.ts";

type Select = (selection: Selection) => void;

/** Which text of a kernel is open; stays so from one selection to the next. */
const open = { text: "wgsl" as "wgsl" | "ir" };

/** Everything about a selection of one compile. */
export function details(model: Model, selection: Selection | undefined, select: Select): HTMLElement {
  if (selection === undefined) return overview(model);
  const number = Number(selection.id.slice(1));
  if (selection.id.startsWith("d")) return dispatchDetails(model, number, select);
  if (selection.id.startsWith("g")) return groupDetails(model, number, select);
  return opDetails(model, selection, select);
}

function overview({ view, final }: Model): HTMLElement {
  const { memory, measured, dispatches, groups, kernels } = view;
  const flops = dispatches.reduce((sum, { work }) => sum + (work?.flops ?? 0), 0);
  const bytes = dispatches.reduce((sum, { work }) => sum + (work ? work.reads + work.writes : 0), 0);
  const fused = view.pairs.filter((pair) => pair.fused).length;
  return h(
    "div",
    { class: "details" },
    h("h2", {}, view.name),
    facts([
      ["ops", view.stages[final]!.nodes.length.toLocaleString("en")],
      ["groups", String(groups.length)],
      ["dispatches", `${dispatches.length}, of ${plural(kernels.length, "different kernel")}`],
      ["neighbors", `${fused} of ${plural(view.pairs.length, "pair")} share a kernel`],
      ["temporaries", `${showBytes(memory.peak)}, of which ${showBytes(memory.bound)} live at once`],
      ["has to move", showBytes(bytes)],
      ["has to compute", `${showCount(flops)} operations`],
      ...measured
        ? [
          ["device", measured.device],
          ["one run", `${showMs(measured.runMs)}; its dispatches one by one ${showMs(measured.ms)}`],
        ] as const
        : [],
    ]),
    measured === undefined && h("p", { class: "note" }, `There are no times: ${view.unmeasured}`),
    h(
      "p",
      { class: "hint" },
      "Click an op, a group or a dispatch. Search with ",
      h("kbd", {}, "/"),
      ", walk with the arrow keys, ",
      h("kbd", {}, "f"),
      " shows all, ",
      h("kbd", {}, "Esc"),
      " lets go.",
    ),
  );
}

function opDetails(model: Model, { id, stage }: Selection, select: Select): HTMLElement {
  const number = Number(id.slice(1));
  const { op, type, attrs, scope, phase, at } = model.op(stage, number);
  const final = model.inStage(number, stage, model.final);
  const toOp = (n: number, in_ = stage) =>
    link(model.name(n, in_), () => select({ id: `n${n}`, stage: in_ }), model.op(in_, n).type);
  const users = model.users(stage, number);
  const results = model.stage(stage).results.filter(({ node }) => node === number).map(({ name }) => name);
  const groups = final < 0 ? [] : model.groupsOf.get(final) ?? [];
  return h(
    "div",
    { class: "details" },
    h("h2", {}, h("span", { class: `tag in-${phase}` }, phase), ` %${number} ${op}`),
    facts([
      ["type", type],
      ...attrs === "" ? [] : [["attributes", attrs]] as const,
      ...scope === "" ? [] : [["scope", scope]] as const,
      ...results.length === 0 ? [] : [["result", results.join(", ")]] as const,
    ]),
    ...at.map((place) => sourceLine(model, place)),
    h(
      "p",
      {},
      h("span", { class: "way to" }, "reads "),
      listed([...new Set(model.inputs(stage, number))].map((n) => toOp(n))),
    ),
    h(
      "p",
      {},
      h("span", { class: "way from" }, "read by "),
      listed(users.slice(0, 12).map((n) => toOp(n)), users.length - 12),
    ),
    stage !== model.final && model.stage(stage).nodes !== model.stage(model.final).nodes && h(
      "p",
      { class: "note" },
      final < 0
        ? "It is not in the graph that was fused: a later stage has rewritten it."
        : "In the graph that was fused it is ",
      final >= 0 && toOp(final, model.final),
    ),
    final >= 0 && groups.length === 0 &&
      h(
        "p",
        { class: "note" },
        "No kernel computes it: it is in memory already, or a number in the kernels' text.",
      ),
    groups.length > 1 &&
      h(
        "p",
        { class: "note" },
        `Computed in ${groups.length} kernels: doing it again was cheaper than keeping it.`,
      ),
    ...groups.slice(0, 6).flatMap((group) => groupSection(model, group, select)),
    final >= 0 && reasons(model, final, select),
    ...groups.slice(0, 1).flatMap((group) =>
      kernelSection(model, model.view.groups[group]!.dispatches, new Set([final]), select)
    ),
  );
}

function groupDetails(model: Model, number: number, select: Select): HTMLElement {
  const { nodes, phase, label, dispatches } = model.view.groups[number]!;
  const inside = new Set(nodes);
  const pairs = [...new Set(nodes.flatMap((n) => model.pairsOf.get(n) ?? []))];
  const [within, across] = [
    pairs.filter((p) => inside.has(p.a) && inside.has(p.b)),
    pairs.filter((p) => !inside.has(p.a) || !inside.has(p.b)),
  ];
  return h(
    "div",
    { class: "details" },
    h("h2", {}, h("span", { class: `tag in-${phase}` }, phase), ` group ${number}`),
    h("p", {}, label),
    ...groupSection(model, number, select),
    pairList(model, `Why it ends where it ends (${across.length})`, across, select, true),
    pairList(model, `Why these are together (${within.length})`, within, select, false),
    ...kernelSection(model, dispatches, new Set(), select),
  );
}

function dispatchDetails(model: Model, number: number, select: Select): HTMLElement {
  const { label, groups, phase } = model.dispatch(number);
  return h(
    "div",
    { class: "details" },
    h("h2", {}, h("span", { class: `tag in-${phase}` }, phase), ` dispatch ${number}`),
    h("p", {}, label),
    groups.length > 1 &&
      h(
        "p",
        { class: "note" },
        `${groups.length} groups do the same to different tensors, and run as one kernel.`,
      ),
    ...groups.slice(0, 3).flatMap((group) => groupSection(model, group, select)),
    ...kernelSection(model, [number], new Set(), select),
  );
}

function groupSection(model: Model, number: number, select: Select): HTMLElement[] {
  const { label, nodes, stores, loads, dispatches, schedule } = model.view.groups[number]!;
  const toOp = (n: number) =>
    link(model.name(n), () => select({ id: `n${n}`, stage: model.final }), model.op(model.final, n).type);
  const computed = nodes.filter((n) => model.op(model.final, n).kind !== "free");
  const ms = model.msOfGroup(number);
  return [
    h(
      "h3",
      {},
      link(`group ${number}`, () => select({ id: `g${number}`, stage: model.final })),
      ` ${label}`,
    ),
    h(
      "p",
      {},
      `${schedule}; `,
      listed(dispatches.map((d) => link(`dispatch ${d}`, () => select({ id: `d${d}`, stage: model.final })))),
      ms === undefined ? "" : `, ${showMs(ms)}`,
    ),
    h(
      "details",
      { open: computed.length <= 24 },
      h("summary", {}, `computes ${plural(computed.length, "op")}`),
      listed(computed.map(toOp)),
    ),
    h("p", {}, "stores ", listed(stores.map(toOp))),
    h("p", {}, "loads ", listed(loads.slice(0, 12).map(toOp), loads.length - 12)),
  ];
}

function reasons(model: Model, op: number, select: Select): HTMLElement {
  const pairs = model.pairsOf.get(op) ?? [];
  return pairList(model, `Why with its neighbors, or not (${pairs.length})`, pairs, select, true);
}

function pairList(
  model: Model,
  title: string,
  pairs: readonly PairView[],
  select: Select,
  isOpen: boolean,
): HTMLElement {
  const toOp = (n: number) => link(model.name(n), () => select({ id: `n${n}`, stage: model.final }));
  const sorted = [...pairs].sort((a, b) => Number(a.fused) - Number(b.fused));
  const most = 60;
  return h(
    "details",
    { open: isOpen, class: "why" },
    h("summary", {}, title),
    ...sorted.slice(0, most).map((pair) =>
      h(
        "div",
        { class: pair.fused ? "pair fused" : "pair" },
        h(
          "div",
          {},
          toOp(pair.a),
          pair.relation === "feeds" ? " → " : " beside ",
          toOp(pair.b),
          ": ",
          h("b", {}, pair.fused ? "fused" : "apart"),
          `, ${pair.rule}`,
        ),
        h("div", {}, pair.because, pair.decided ? "" : " (asked afterwards)"),
        ...pair.numbers.map((line) => h("div", { class: "numbers" }, line)),
      )
    ),
    sorted.length > most &&
      h("p", { class: "note" }, `and ${sorted.length - most} more; select one of the ops to see its own`),
  );
}

function kernelSection(
  model: Model,
  dispatches: readonly number[],
  marked: ReadonlySet<number>,
  select: Select,
): HTMLElement[] {
  if (dispatches.length === 0) return [];
  const section = h("div", { class: "kernel" });
  const show = (number: number) => {
    const dispatch = model.dispatch(number);
    const { ir, wgsl } = model.view.kernels[dispatch.kernel]!;
    const tab = (text: "wgsl" | "ir", title: string) =>
      h("button", {
        type: "button",
        role: "tab",
        "aria-selected": String(open.text === text),
        onclick: () => {
          open.text = text;
          show(number);
        },
      }, title);
    const toOp = (op: number) => select({ id: `n${op}`, stage: model.final });
    section.replaceChildren(
      h(
        "h3",
        {},
        `kernel ${dispatch.kernel} `,
        dispatches.length > 1 && h(
          "select",
          {
            "aria-label": "Which dispatch",
            onchange: (event: Event) => show(Number((event.target as HTMLSelectElement).value)),
          },
          ...dispatches.map((d) =>
            h("option", { value: d, selected: d === number }, `dispatch ${d}: ${model.dispatch(d).label}`)
          ),
        ),
      ),
      facts(kernelFacts(dispatch)),
      h("div", { class: "tabs", role: "tablist" }, tab("wgsl", "WGSL"), tab("ir", "Kernel IR")),
      open.text === "wgsl"
        ? codeView(model, wgsl, dispatch.wgslOps, marked, toOp)
        : codeView(model, ir, dispatch.irOps, marked, toOp),
    );
  };
  show(dispatches[0]!);
  return [section];
}

function kernelFacts(
  { schedule, workgroups, lanes, bindings, work, time, split }: DispatchView,
): readonly (readonly [string, string])[] {
  return [
    ["schedule", `${schedule}${split ? ", because a reduction is split over workgroups" : ""}`],
    ["grid", `${plural(workgroups, "workgroup")} of ${plural(lanes, "lane")}`],
    ["time", time === undefined ? "not measured" : `${showMs(time.ms)}, ${percent(time.share)} of the run`],
    ...time?.binds === undefined
      ? []
      : [["roof", `${time.binds}; ${percent(time.ofRoof!)} of what it allows`]] as const,
    [
      "work",
      work === null
        ? "not known: its text is the user's"
        : `${showBytes(work.reads)} read, ${showBytes(work.writes)} written, ${
          showCount(work.flops)
        } operations`,
    ],
    [
      "binds",
      bindings.map(({ name, access, bytes }) =>
        `${name} (${access === "read_write" ? "read and written" : access === "read" ? "read" : "written"}, ${
          showBytes(bytes)
        })`
      ).join("; "),
    ],
  ];
}

const facts = (list: readonly (readonly [string, string])[]): HTMLElement =>
  h("dl", {}, ...list.flatMap(([term, text]) => [h("dt", {}, term), h("dd", {}, text)]));

function sourceLine({ view }: Model, place: string): HTMLElement {
  const text = view.lines[place.replace(/:\d+$/, "")];
  return h("p", { class: "source" }, h("span", {}, place), text !== undefined && h("code", {}, text));
}

const link = (text: string, act: () => void, title = ""): HTMLElement =>
  h("button", { type: "button", class: "link", title, onclick: act }, text);

function listed(items: readonly HTMLElement[], more = 0): HTMLElement {
  if (items.length === 0) return h("span", { class: "none" }, "nothing");
  return h(
    "span",
    { class: "list" },
    ...items.flatMap((item, i) => i === 0 ? [item] : [", ", item]),
    more > 0 ? ` and ${more} more` : "",
  );
}
