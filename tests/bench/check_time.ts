/**
 * What shapes in the types cost the type checker: the time to check a model of many layers, all of different sizes,
 * with literal sizes and with plain numbers.
 *
 *     deno run -A tests/bench/check_time.ts [layers] [--json]
 *
 * @module
 */

import { whole } from "../../runtime/cli/numbers.ts";
import { benchmarkInRounds, runBenchmark } from "./command.ts";

const root = new URL("../../", import.meta.url);
const mod = new URL("mod.ts", root).href;

type Kind = "typed" | "untyped" | "empty";

/**
 * Layers whose sizes all differ; `untyped` hides the literals from the checker.
 *
 * The result type is written down: to infer that of one long function, TypeScript walks the chain from its end and runs
 * out of stack after some 300 constants, whatever their types are.
 */
function source(kind: Kind, layers: number): string {
  const size = (i: number) => kind === "typed" ? `${i + 1}` : `size(${i + 1})`;
  const first = kind === "typed" ? "2" : "number";
  const lines = [
    `import { add, linear, matmul, mul, nn, relu, type Tensor, transpose } from ${JSON.stringify(mod)};`,
    "const size = (n: number): number => n;",
    `export function net(x1: Tensor<readonly ["batch", ${first}], "f32">): Tensor {`,
  ];
  for (let i = 1; i <= (kind === "empty" ? 0 : layers); i++) {
    // A layer, a broadcast, products and a norm: each result has a shape of its own.
    lines.push(`  const h${i} = relu(linear(${size(i)}, ${size(i + 1)})(x${i}));`);
    lines.push(`  const n${i} = nn.layerNorm(${size(i + 1)})(add(h${i}, mul(h${i}, 0.5)));`);
    lines.push(`  const x${i + 1} = add(n${i}, matmul(matmul(h${i}, transpose(h${i})), n${i}));`);
  }
  const last = kind === "empty" ? 1 : layers + 1;
  return [
    ...lines,
    "  void [add, linear, matmul, mul, nn, relu, transpose, size];",
    `  return x${last};`,
    "}",
  ].join("\n");
}

async function secondsToCheck(kind: Kind, layers: number): Promise<number> {
  const folder = await Deno.makeTempDir();
  try {
    const file = `${folder}/${kind}.ts`;
    await Deno.writeTextFile(file, source(kind, layers));
    const start = performance.now();
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["check", "--config", new URL("deno.json", root).pathname, file],
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(new TextDecoder().decode(stderr));
    return (performance.now() - start) / 1000;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

interface Flags {
  readonly rounds: number;
  readonly json: boolean;
}

async function show(layers: number, { rounds, json }: Flags): Promise<void> {
  const kinds: readonly Kind[] = ["empty", "untyped", "typed"];
  const best: Record<Kind, number> = { empty: Infinity, untyped: Infinity, typed: Infinity };
  await secondsToCheck("empty", layers); // reads the library from the disk, once
  // Interleaved, since machines drift; the best of each is what the work itself takes.
  for (let round = 0; round < rounds; round++) {
    for (const kind of kinds) best[kind] = Math.min(best[kind], await secondsToCheck(kind, layers));
  }
  if (json) return console.log(JSON.stringify({ layers, ...best }));
  const line = (kind: Kind) => `${kind} ${(best[kind] - best.empty).toFixed(2)} s`;
  console.log(
    `${layers} layers over the ${best.empty.toFixed(2)} s of the library: ${line("untyped")}, ${
      line("typed")
    }`,
  );
}

if (import.meta.main) {
  await runBenchmark(
    benchmarkInRounds({
      call: "deno run -A tests/bench/check_time.ts",
      measures:
        "Times the type checker on a model of many layers of different sizes: what shapes in types cost.",
      takes: "two minutes on two cores; it needs no device.",
    }, 3)
      .argument("[layers]", "how many layers", whole, 800)
      .action(show),
  );
}
