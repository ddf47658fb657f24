/** All dispatches in the order in which they run, or by what they take. */

import { h, percent, showBytes, showCount, showMs } from "./elements.ts";
import type { Model, Selection } from "./model.ts";

interface Column {
  readonly title: string;
  readonly text: (d: number) => string;
  readonly key: (d: number) => number | string;
}

export function dispatchTable(model: Model, select: (selection: Selection) => void): HTMLElement {
  const { dispatches, measured } = model.view;
  const at = (d: number) => dispatches[d]!;
  const moved = (d: number) => at(d).work ? at(d).work!.reads + at(d).work!.writes : 0;
  const columns: readonly Column[] = [
    { title: "#", text: String, key: (d) => d },
    ...measured
      ? [
        {
          title: "time",
          text: (d: number) => at(d).time ? showMs(at(d).time!.ms) : "",
          key: (d: number) => -(at(d).time?.ms ?? 0),
        },
        {
          title: "part",
          text: (d: number) => at(d).time ? percent(at(d).time!.share) : "",
          key: (d: number) => -(at(d).time?.ms ?? 0),
        },
        {
          title: "of roof",
          text: (d: number) =>
            at(d).time?.ofRoof === undefined ? "" : `${percent(at(d).time!.ofRoof!)} ${at(d).time!.binds}`,
          key: (d: number) => at(d).time?.ofRoof ?? 2,
        },
      ]
      : [],
    { title: "moves", text: (d) => at(d).work ? showBytes(moved(d)) : "?", key: (d) => -moved(d) },
    {
      title: "operations",
      text: (d) => at(d).work ? showCount(at(d).work!.flops) : "?",
      key: (d) => -(at(d).work?.flops ?? 0),
    },
    { title: "kernel", text: (d) => String(at(d).kernel), key: (d) => at(d).kernel },
    { title: "schedule", text: (d) => at(d).schedule, key: (d) => at(d).schedule },
    {
      title: "workgroups",
      text: (d) => `${at(d).workgroups} × ${at(d).lanes}`,
      key: (d) => -at(d).workgroups,
    },
    { title: "what", text: (d) => at(d).label, key: (d) => at(d).label },
  ];
  const body = h("tbody");
  const fill = ({ key }: Column) => {
    const order = dispatches.map((_, d) => d).sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      return x < y ? -1 : x > y ? 1 : a - b;
    });
    body.replaceChildren(...order.map((d) => {
      const row = h(
        "tr",
        { "data-id": `d${d}`, tabindex: 0 },
        ...columns.map(({ text }) => h("td", {}, text(d))),
      );
      return row;
    }));
  };
  fill(columns[0]!);
  const choose = (event: Event) => {
    const id = (event.target as Element).closest<HTMLElement>("tr")?.dataset.id;
    if (id) select({ id, stage: model.final });
  };
  body.addEventListener("click", choose);
  body.addEventListener("keydown", (event) => {
    if (event.key === "Enter") choose(event);
  });
  return h(
    "section",
    { class: "table" },
    h(
      "table",
      { class: "dispatches" },
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          ...columns.map((column) =>
            h(
              "th",
              {},
              h("button", {
                type: "button",
                class: "link",
                title: "Sort by this",
                onclick: () => fill(column),
              }, column.title),
            )
          ),
        ),
      ),
      body,
    ),
  );
}
