/** Finds ops by number, name, scope or source line, groups and dispatches by what they are called. */

import { h } from "./elements.ts";
import type { Model, Selection } from "./model.ts";

const mostFound = 40;

interface Entry {
  readonly text: string;
  readonly selection: Selection;
  readonly haystack: string;
}

export function searchBox(
  model: Model,
  select: (selection: Selection) => void,
): { readonly element: HTMLElement; focus(): void } {
  let entries: readonly Entry[] | undefined;
  let found: readonly Entry[] = [];
  let current = 0;
  const input = h("input", {
    type: "search",
    placeholder: "Search: matmul, block0/mlp, gpt.ts:82, %12",
    "aria-label": "Search for an op, a scope, a line, a group or a dispatch",
    role: "combobox",
    "aria-expanded": "false",
    "aria-controls": "found",
    autocomplete: "off",
    spellcheck: "false",
  });
  const list = h("ul", { id: "found", role: "listbox", hidden: true });
  const draw = () => {
    const isAsked = document.activeElement === input && input.value.trim() !== "";
    list.hidden = found.length === 0 && !isAsked;
    input.setAttribute("aria-expanded", String(!list.hidden));
    list.replaceChildren(
      ...found.map((entry, i) =>
        h("li", {
          role: "option",
          "aria-selected": String(i === current),
          onpointerdown: (event: Event) => {
            event.preventDefault();
            choose(entry);
          },
        }, entry.text)
      ),
    );
    if (found.length === 0) list.append(h("li", {}, "Nothing is called that."));
    list.children[current]?.scrollIntoView({ block: "nearest" });
  };
  const choose = (entry: Entry) => {
    input.blur();
    select(entry.selection);
  };
  input.addEventListener("input", () => {
    entries ??= entriesOf(model);
    const words = input.value.toLowerCase().split(/\s+/).filter((word) => word !== "");
    found = words.length === 0
      ? []
      : entries.filter(({ haystack }) => words.every((word) => haystack.includes(word))).slice(0, mostFound);
    current = 0;
    draw();
  });
  input.addEventListener("keydown", (event) => {
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (step !== 0 && found.length > 0) {
      event.preventDefault();
      current = (current + step + found.length) % found.length;
      draw();
    } else if (event.key === "Enter" && found[current]) choose(found[current]!);
    else if (event.key === "Escape") input.blur();
    event.stopPropagation();
  });
  input.addEventListener("blur", () => {
    found = [];
    draw();
  });
  return { element: h("div", { class: "search" }, input, list), focus: () => input.select() };
}

/** In the order in which an exact name comes before what mentions it. */
function entriesOf(model: Model): readonly Entry[] {
  const stage = model.final;
  const ops = model.stage(stage).nodes.map((_, n): Entry => {
    const { op, type, scope, at } = model.op(stage, n);
    const text = `%${n} ${op} ${type}${scope && `, ${scope}`}${at[0] ? `, ${at[0]}` : ""}`;
    return {
      text,
      selection: { id: `n${n}`, stage },
      haystack: `${text} ${scope}/${op} ${at.join(" ")}`.toLowerCase(),
    };
  });
  const groups = model.view.groups.map(({ label }, g): Entry => {
    const text = `group ${g}: ${label}`;
    return { text, selection: { id: `g${g}`, stage }, haystack: text.toLowerCase() };
  });
  const dispatches = model.view.dispatches.map(({ label }, d): Entry => {
    const text = `dispatch ${d}: ${label}`;
    return { text, selection: { id: `d${d}`, stage }, haystack: text.toLowerCase() };
  });
  return [...ops, ...groups, ...dispatches];
}
