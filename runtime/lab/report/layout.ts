/**
 * Places for boxes in boxes: by the layered algorithm of ELK, bottom-up, one level of nesting at a time.
 *
 * A line between boxes of two places is drawn between the boxes that hold them side by side, so a picture of a thousand
 * ops is a few pictures of a few dozen boxes each. Parts stand next to each other, the backward pass from the bottom up:
 * what it needs of the forward pass lies about as high. Many boxes that hardly depend on each other (the updates of all
 * parameters) are packed into rows, or their one layer would be as wide as they are many.
 * @module
 */

import elkModule, { type ELK, type ElkNode } from "elkjs/lib/elk.bundled.js";
import type { Picture, PictureBox } from "./data.ts";
import type { Box, Nest } from "./nest.ts";

/** The module is the class, whatever its types say of a default. */
const Elk = elkModule as unknown as new () => ELK;

/** Units between parts. */
const gap = 72;

/** Boxes of two layers that are packed when they are more than this. */
const wideLayer = 8;

/**
 * Lays out pictures, and remembers what it placed: forty equal layers, in all stages of a compile, are placed once.
 *
 * @example
 * ```ts
 * import { Layout } from "./layout.ts";
 *
 * const op = (key: string) => ({ key, id: key, label: key, phase: "forward", size: [80, 30], children: [] }) as const;
 * const part = { key: "all", id: "s", label: "Forward", phase: "forward", children: [op("n0"), op("n1")] } as const;
 * const { boxes, lines } = await new Layout().picture({ parts: [part], edges: [["n0", "n1"]] });
 * console.log(boxes.length, lines.length); // 3 boxes, 1 line
 * ```
 */
export class Layout {
  readonly #elk: ELK = new Elk();
  readonly #known = new Map<string, Promise<Level>>();

  /** Places for all boxes of a nest, and lines for its edges. Equal nests get equal pictures. */
  async picture({ parts, edges }: Nest): Promise<Picture> {
    const boxes: PictureBox[] = [];
    const lines: number[][] = [];
    const lifted = liftEdges(parts, edges);
    let [width, height] = [0, 0];
    for (const part of parts) {
      const placed = await this.#place(part, lifted, true);
      const left = width === 0 ? 0 : width + gap;
      flatten(placed, left, 0, 0, boxes, lines);
      width = left + placed.level.width;
      height = Math.max(height, placed.level.height);
    }
    return { width, height, boxes, lines };
  }

  async #place(box: Box, lifted: Lifted, isPart = false): Promise<Placed> {
    if (box.size) {
      return { box, level: { width: box.size[0], height: box.size[1], at: [], lines: [] }, children: [] };
    }
    const children: Placed[] = [];
    for (const child of box.children) children.push(await this.#place(child, lifted));
    const places = new Map(box.children.map(({ key }, i) => [key, i]));
    const edges = (lifted.get(box.key) ?? []).map(([from, to]) =>
      [places.get(from)!, places.get(to)!] as const
    );
    const sizes = children.map(({ level }) => [level.width, level.height] as const);
    const nested = box.children.some((child) => !child.size);
    const up = box.phase === "backward";
    const question: Question = { sizes, edges, nested, up, wraps: isPart, title: box.label.length };
    const key = JSON.stringify(question);
    let level = this.#known.get(key);
    if (!level) this.#known.set(key, level = this.#level(question));
    return { box, level: await level, children };
  }

  /** One level: boxes of known sizes side by side. */
  async #level({ sizes, edges, nested, up, wraps, title }: Question): Promise<Level> {
    const spacing = nested ? 18 : 12;
    const isFlat = sizes.length > wideLayer && layersOf(sizes.length, edges) <= 2;
    const layoutOptions = {
      "elk.padding": `[top=${wraps ? 64 : nested ? 40 : 26},left=10,bottom=10,right=10]`,
      "elk.aspectRatio": "0.7",
      "elk.spacing.nodeNode": `${spacing}`,
      ...isFlat ? { "elk.algorithm": "rectpacking", "elk.rectpacking.trybox": "true" } : {
        "elk.algorithm": "layered",
        "elk.direction": up ? "UP" : "DOWN",
        "elk.edgeRouting": "POLYLINE",
        "elk.layered.spacing.nodeNodeBetweenLayers": `${spacing + 6}`,
        "elk.layered.spacing.edgeNodeBetweenLayers": "6",
        "elk.spacing.edgeNode": "6",
        "elk.spacing.edgeEdge": "4",
        "elk.spacing.componentComponent": `${spacing}`,
        ...wraps &&
          {
            "elk.layered.wrapping.strategy": "MULTI_EDGE",
            "elk.layered.wrapping.multiEdge.improveCuts": "false",
            "elk.layered.wrapping.additionalEdgeSpacing": "20",
          },
        // Order of declaration is the order in which things run.
        "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
      },
    };
    const placed: ElkNode = await this.#elk.layout({
      id: "level",
      layoutOptions,
      children: sizes.map(([width, height], i) => ({ id: `${i}`, width, height })),
      edges: isFlat ? [] : edges.map(([from, to]) => ({
        id: `${from} ${to}`,
        sources: [`${from}`],
        targets: [`${to}`],
      })),
    });
    return {
      // Room for its name.
      width: round(Math.max(placed.width!, Math.min(200, 6.5 * title + 16))),
      height: round(placed.height!),
      at: placed.children!.map(({ x, y }) => [round(x!), round(y!)]),
      lines: (placed.edges ?? []).flatMap(({ sections = [] }) =>
        sections.map(({ startPoint, bendPoints = [], endPoint }) =>
          [startPoint, ...bendPoints, endPoint].flatMap(({ x, y }) => [round(x), round(y)])
        )
      ),
    };
  }
}

/** What a level is a function of. */
interface Question {
  readonly sizes: readonly (readonly [width: number, height: number])[];
  readonly edges: readonly (readonly [from: number, to: number])[];
  readonly nested: boolean;
  readonly up: boolean;
  /** Whether it may go on beside itself where it is long. */
  readonly wraps: boolean;
  readonly title: number;
}

/** Places of boxes in the box around them, and its size. */
interface Level {
  readonly width: number;
  readonly height: number;
  readonly at: readonly (readonly [x: number, y: number])[];
  readonly lines: readonly (readonly number[])[];
}

interface Placed {
  readonly box: Box;
  readonly level: Level;
  readonly children: readonly Placed[];
}

/** Edges by the key of the box in which they are drawn, each once. */
type Lifted = ReadonlyMap<string, readonly (readonly [string, string])[]>;

function liftEdges(parts: readonly Box[], edges: Nest["edges"]): Lifted {
  /** The boxes that a box lies in, outermost first, itself last. */
  const paths = new Map<string, readonly string[]>();
  const walk = (box: Box, above: readonly string[]): void => {
    const path = [...above, box.key];
    paths.set(box.key, path);
    for (const child of box.children) walk(child, path);
  };
  for (const part of parts) walk(part, []);
  const found = new Map<string, Map<string, readonly [string, string]>>();
  for (const [from, to] of edges) {
    const [a, b] = [paths.get(from), paths.get(to)];
    if (!a || !b) continue;
    let depth = 0;
    while (depth < a.length && depth < b.length && a[depth] === b[depth]) depth++;
    const [one, other, around] = [a[depth], b[depth], a[depth - 1]];
    if (one === undefined || other === undefined || around === undefined) continue;
    const known = found.get(around) ?? new Map<string, readonly [string, string]>();
    found.set(around, known);
    known.set(`${one} ${other}`, [one, other]);
  }
  return new Map([...found].map(([key, pairs]) => [key, [...pairs.values()]]));
}

/** Boxes on the longest way along edges. */
function layersOf(count: number, edges: readonly (readonly [number, number])[]): number {
  const next = Map.groupBy(edges, ([from]) => from);
  const known: number[] = [];
  const layersFrom = (i: number): number => {
    const found = known[i];
    if (found !== undefined) return found;
    known[i] = 1; // boxes of several ops may depend on each other in a circle
    return known[i] = 1 + Math.max(0, ...(next.get(i) ?? []).map(([, to]) => layersFrom(to)));
  };
  let layers = 0;
  for (let i = 0; i < count; i++) layers = Math.max(layers, layersFrom(i));
  return layers;
}

function flatten(
  { box, level, children }: Placed,
  x: number,
  y: number,
  depth: number,
  boxes: PictureBox[],
  lines: number[][],
): void {
  const { id, label, phase } = box;
  boxes.push({ id, label, x, y, w: level.width, h: level.height, depth, phase });
  for (const line of level.lines) lines.push(line.map((at, i) => at + (i % 2 === 0 ? x : y)));
  children.forEach((child, i) => {
    const [dx, dy] = level.at[i]!;
    flatten(child, x + dx, y + dy, depth + 1, boxes, lines);
  });
}

const round = (x: number): number => Math.round(x);
