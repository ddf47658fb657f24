/** Two compiles in numbers, and the groups in which they differ. */

import { h, plural, showBytes, showCount, showMs } from "./elements.ts";
import type { Model, Selection } from "./model.ts";

/** Groups of each compile whose ops are no group of the other. */
export function differingGroups(
  one: Model,
  other: Model,
  matches: readonly number[],
): readonly [ReadonlySet<number>, ReadonlySet<number>] {
  const worth = (model: Model, n: number) => model.op(model.final, n).kind === "op";
  const keyOf = (nodes: readonly number[]) => [...nodes].sort((a, b) => a - b).join();
  const own = one.view.groups.map(({ nodes }) =>
    keyOf(nodes.filter((n) => worth(one, n)).map((n) => matches[n]!))
  );
  const theirs = other.view.groups.map(({ nodes }) => keyOf(nodes.filter((n) => worth(other, n))));
  const [ownSet, theirSet] = [new Set(own), new Set(theirs)];
  const missing = (keys: readonly string[], known: ReadonlySet<string>) =>
    new Set(keys.flatMap((key, g) => known.has(key) ? [] : [g]));
  return [missing(own, theirSet), missing(theirs, ownSet)];
}

export function compareTable(
  models: readonly [Model, Model],
  differing: readonly [ReadonlySet<number>, ReadonlySet<number>],
  select: (which: number, selection: Selection) => void,
): HTMLElement {
  const sum = ({ view }: Model, of: (d: Model["view"]["dispatches"][number]) => number) =>
    view.dispatches.reduce((n, d) => n + of(d), 0);
  const rows: readonly (readonly [string, (m: Model) => number | undefined, (n: number) => string])[] = [
    ["ops", (m) => m.stage(m.final).nodes.length, String],
    ["groups", (m) => m.view.groups.length, String],
    ["dispatches", (m) => m.view.dispatches.length, String],
    ["different kernels", (m) => m.view.kernels.length, String],
    ["has to move", (m) => sum(m, ({ work }) => work ? work.reads + work.writes : 0), showBytes],
    ["has to compute", (m) => sum(m, ({ work }) => work?.flops ?? 0), (n) => `${showCount(n)} operations`],
    ["temporaries, peak", (m) => m.view.memory.peak, showBytes],
    ["temporaries, lower bound", (m) => m.view.memory.bound, showBytes],
    ["dispatches one by one", (m) => m.view.measured?.ms, showMs],
    ["one run", (m) => m.view.measured?.runMs, showMs],
  ];
  const ratio = (a: number | undefined, b: number | undefined) =>
    a === undefined || b === undefined || a === 0 ? "" : (b / a).toFixed(2);
  return h(
    "section",
    { class: "table compare" },
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h("tr", {}, h("th"), ...models.map(({ view }) => h("th", {}, view.name)), h("th", {}, "ratio")),
      ),
      h(
        "tbody",
        {},
        ...rows.map(([title, of, show]) => {
          const [a, b] = models.map(of) as [number | undefined, number | undefined];
          const cell = (n: number | undefined) => h("td", {}, n === undefined ? "not measured" : show(n));
          return h("tr", {}, h("th", { scope: "row" }, title), cell(a), cell(b), h("td", {}, ratio(a, b)));
        }),
      ),
    ),
    h(
      "div",
      { class: "columns" },
      ...models.map((model, which) =>
        h(
          "div",
          {},
          h("h3", {}, `${plural(differing[which]!.size, "group")} only of ${model.view.name}`),
          h(
            "ul",
            {},
            ...[...differing[which]!].map((g) => {
              const { label, nodes } = model.view.groups[g]!;
              return h(
                "li",
                {},
                h("button", {
                  type: "button",
                  class: "link",
                  onclick: () => select(which, { id: `g${g}`, stage: model.final }),
                }, `group ${g}`),
                ` ${label} (${nodes.length})`,
              );
            }),
          ),
        )
      ),
    ),
  );
}
