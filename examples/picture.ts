/**
 * Draws what fusion does to one block of a GPT, from what the compiler decides: `deno run -A examples/picture.ts` writes
 * `examples/picture.svg`.
 */

import { type Compiled, compileGraph } from "../compiler/compile.ts";
import { gpuTarget } from "../compiler/target.ts";
import { type FusionPolicy, input, model, policies } from "../mod.ts";
import { block } from "./gpt.ts";

/** A kernel: the layer it belongs to, and the ops that it computes. */
interface Card {
  readonly layer: string;
  readonly ops: readonly string[];
}

interface Panel {
  readonly title: string;
  /** Kernels in the order in which they run, those of one layer below each other. */
  readonly columns: readonly (readonly Card[])[];
}

const CHIP = { width: 84, height: 19, gap: 3 };
const COLUMN = CHIP.width + 18;
const TOP = 64;

/** The picture as SVG: each op a chip, each kernel a frame around its ops. */
export function drawBlock(): string {
  const options = { layers: 4, heads: 4, width: 128, context: 64, symbols: 65, bias: false };
  const net = model({ x: input([12, 64, 128], "f32") }, ({ x }) => ({ y: block(options)(x) }));
  const compiled = (policy: FusionPolicy) => compileGraph(net.graph, { target: gpuTarget, policy });
  const before = panel("without fusion", compiled(policies.none));
  const after = panel("fused", compiled(policies.greedy));
  const heights = [before, after].map(({ columns }) => Math.max(...columns.map(columnHeight)));
  const width = COLUMN * Math.max(before.columns.length, after.columns.length) + 20;
  const height = TOP + heights[0]! + TOP + heights[1]! + 20;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    'font-family="system-ui, sans-serif" font-size="12">',
    `<rect width="${width}" height="${height}" fill="white"/>`,
    ...drawPanel(before, 0),
    ...drawPanel(after, TOP + heights[0]!),
    "</svg>",
  ].join("\n") + "\n";
}

function panel(name: string, compiled: Compiled): Panel {
  const cards = compiled.placement.order.map(({ nodes, roots }): Card => {
    const shown = [...nodes].filter(({ op }) => !op.view && op.name !== "constant").sort((a, b) =>
      a.id - b.id
    );
    const scopes = [...shown, roots[0]!.node].map((node) => compiled.graph.builder.scopes.get(node) ?? "");
    return { layer: scopes.find((scope) => scope !== "") ?? "", ops: shown.map(({ op }) => op.name) };
  });
  const columns: Card[][] = [];
  for (const card of cards) {
    const last = columns.at(-1);
    if (last !== undefined && (card.layer === "" || last[0]!.layer === card.layer)) last.push(card);
    else columns.push([card]);
  }
  return { title: `${name}: ${cards.length} kernels, ${megabytes(compiled)} read and written`, columns };
}

/** What the kernels are bound to, each time they are run. */
function megabytes({ program }: Compiled): string {
  const bytes = program.steps.flatMap((step) => step.kind === "dispatch" ? step.dispatch.bindings : [])
    .reduce((sum, binding) => sum + binding.bytes, 0);
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function drawPanel({ title, columns }: Panel, top: number): string[] {
  const out = [text(10, top + 24, title, 'font-size="16" font-weight="600"')];
  columns.forEach((cards, column) => {
    const x = 10 + column * COLUMN;
    const layer = cards[0]!.layer.replace(/\/layerNorm$/, "");
    out.push(text(x + COLUMN / 2 - 6, top + 48, layer, 'text-anchor="middle" fill="#555" font-size="11"'));
    let y = top + TOP - 8;
    for (const card of cards) {
      out.push(
        `<rect x="${x}" y="${y}" width="${CHIP.width + 8}" height="${
          cardHeight(card) - 5
        }" rx="5" fill="#f4f6fa" ` +
          'stroke="#33415c" stroke-width="1.4"/>',
      );
      card.ops.forEach((op, i) => {
        const at = y + 4 + i * (CHIP.height + CHIP.gap);
        out.push(
          `<rect x="${x + 4}" y="${at}" width="${CHIP.width}" height="${CHIP.height}" rx="3" fill="${
            color(op)
          }"/>`,
          text(x + 4 + CHIP.width / 2, at + 14, op, 'text-anchor="middle"'),
        );
      });
      y += cardHeight(card);
    }
  });
  return out;
}

const cardHeight = ({ ops }: Card): number => ops.length * (CHIP.height + CHIP.gap) + 10;

const columnHeight = (cards: readonly Card[]): number =>
  cards.reduce((sum, card) => sum + cardHeight(card), 0);

function color(op: string): string {
  if (op === "matmul") return "#ffd6a5";
  if (op === "attention") return "#ffadad";
  return op === "sum" ? "#bde0fe" : "#d8f3dc";
}

const text = (x: number, y: number, content: string, attributes: string): string =>
  `<text x="${x}" y="${y}" ${attributes}>${content}</text>`;

if (import.meta.main) await Deno.writeTextFile(new URL("picture.svg", import.meta.url), drawBlock());
