/** Elements by name, attributes and children; and numbers as people read them. */

type Child = Node | string | undefined | false;

/** An HTML element. Attributes that begin with `on` are listeners. */
export function h<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Readonly<Record<string, string | number | boolean | ((event: never) => void)>> = {},
  ...children: readonly (Child | readonly Child[])[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key.slice(2), value as EventListener);
    else if (value === true) element.setAttribute(key, "");
    else if (value !== false) element.setAttribute(key, String(value));
  }
  for (const child of children.flat()) if (child !== undefined && child !== false) element.append(child);
  return element;
}

/** Text in markup. */
export const escapeText = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => c === "&" ? "&amp;" : c === "<" ? "&lt;" : c === ">" ? "&gt;" : "&quot;");

/** A line of text in a picture. */
export const svgText = (x: number, y: number, content: string, anchor: string, kind = ""): string =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}" class="${kind}">${escapeText(content)}</text>`;

export function showBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  let [size, unit] = [bytes, 0];
  while (size >= 1024 && unit < 3) [size, unit] = [size / 1024, unit + 1];
  return `${unit === 0 ? size : size.toPrecision(size >= 1000 ? 4 : 3)} ${units[unit]}`;
}

export function showCount(count: number): string {
  const units = ["", " k", " M", " G", " T"];
  let [size, unit] = [count, 0];
  while (size >= 1000 && unit < 4) [size, unit] = [size / 1000, unit + 1];
  return `${unit === 0 ? Math.round(size) : size.toPrecision(3)}${units[unit]}`;
}

export const showMs = (ms: number): string =>
  ms >= 100
    ? `${ms.toFixed(0)} ms`
    : ms >= 0.0995
    ? `${ms.toPrecision(3)} ms`
    : `${(1000 * ms).toPrecision(3)} µs`;

export const percent = (part: number): string =>
  part > 0 && part < 0.0005 ? "< 0.1 %" : `${(100 * part).toFixed(part < 0.0995 ? 1 : 0)} %`;

/** `3 kernels`, `1 kernel` */
export const plural = (n: number, one: string, many = `${one}s`): string =>
  `${n.toLocaleString("en")} ${n === 1 ? one : many}`;
