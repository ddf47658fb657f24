/**
 * A case as a file of its own: a model, its inputs, what must come out, and the comparison. It needs nothing but Weft.
 * @module
 */

import { policies } from "../../compiler/fuse/policies.ts";
import type { FusionPolicy } from "../../compiler/fuse/policy.ts";
import { type DType, isFloat, type StoredArray } from "../../compiler/graph/dtype.ts";
import type { Expected } from "../../compiler/reference/tolerance.ts";
import type { Target } from "../../compiler/target.ts";
import type { Case } from "./case.ts";
import { type Expectations, expectationsOf, type Failure, type Setting } from "./judge.ts";
import { arrayText, DECODE, isIdentifier, keyText, literal } from "./literal.ts";
import { printModel } from "./print_model.ts";

export interface ReproductionOptions {
  /** What is wrong, as sentences: the comment at the head of the file. */
  readonly about: readonly string[];
  /** The device that it runs on, and its own target. */
  readonly device: { readonly kind: "webgpu" | "cpu"; readonly target: Target };
  /** What the file imports Weft from. Default: this copy's `mod.ts`. */
  readonly weft?: string;
}

/** Whose bug it is to be, wherever the file lies. */
const thisCopy = new URL("../../mod.ts", import.meta.url).href;

/**
 * The text of a file that runs a case and compares: it prints `still differs` and ends with 1, or `agrees` and 0.
 *
 * @param setting How the case is compiled; its policy must be one that ships.
 */
export function reproductionText(
  c: Case,
  setting: Setting,
  failure: Failure,
  { about, device, weft = thisCopy }: ReproductionOptions,
): string {
  const model = printModel(c.graph, setting.together);
  const expected = expectationsOf(c, setting.target.builtins.exp);
  const own = targetText(setting.target, device.target);
  const options = [
    "device",
    `policy: ${policyText(setting.policy)}`,
    ...own === undefined ? [] : [`target: ${own}`],
    ...setting.arithmetic ? [`arithmetic: ${literal(setting.arithmetic)}`] : [],
    ...c.graph.states.length > 0 ? ["state: (path: string) => states[path]"] : [],
  ];
  const imports = [...model.imports, "compile", "openDevice", "policies"].sort();
  const states = recordText("states", c.states, ": Record<string, any>");
  const body = [
    ...c.graph.states.length > 0 ? [states, ""] : [],
    model.text,
    "",
    recordText("feeds", c.feeds),
    "",
    "/** What the references of the ops say, how far rounding may take it, and what else it may jump to. */",
    `const expected: Record<string, { values: any; tolerance: any; others: any[] }> = {`,
    ...expectedLines(expected),
    "};",
    "",
    `using device = await openDevice({ device: ${literal(device.kind)} });`,
    "const wrong: string[] = [];",
    "try {",
    `  using run = await compile(net, { ${options.join(", ")} });`,
    "  const results: Record<string, any> = run.run(feeds);",
    "  for (const [name, { values, tolerance, others }] of Object.entries(expected)) {",
    `    const got = await (name.startsWith("state:") ? run.state.read(name.slice(6)) : results[name].read());`,
    "    const fits = (x: number, want: number, i: number) =>",
    "      x === want || (Number.isNaN(x) && Number.isNaN(want)) || Math.abs(x - want) <= tolerance[i];",
    "    for (const [i, x] of got.entries()) {",
    "      if (fits(x, values[i], i) || others.some((other) => fits(x, other[i], i))) continue;",
    "      wrong.push(`${name}[${i}] is ${x} and should be ${values[i]} ± ${tolerance[i]}`);",
    "    }",
    "  }",
    "} catch (error) {",
    "  wrong.push(String(error));",
    "}",
    `console.log(wrong.length === 0 ? "agrees" : \`still differs: \${wrong.slice(0, 8).join("; ")}\`);`,
    "Deno.exitCode = wrong.length === 0 ? 0 : 1;",
    "",
  ];
  const lines = body.join("\n");
  return [
    "/**",
    ...[
      ...about,
      `What it gave: ${failure.message}.`,
      "",
      "deno run -A with this file's name prints " +
      "`still differs` and ends with 1, or `agrees` and 0.",
    ].map((line) => ` * ${line.replaceAll("*/", "* /")}`.trimEnd()),
    " */",
    "// deno-lint-ignore-file no-explicit-any",
    "",
    `import { ${imports.join(", ")} } from ${literal(weft)};`,
    "",
    ...lines.includes("decode(") ? [DECODE, ""] : [],
    lines,
  ].join("\n");
}

/** `policies.greedy` for one that ships. */
export function policyText(policy: FusionPolicy): string {
  const name = shippedName(policy) ?? "greedy";
  return isIdentifier(name) ? `policies.${name}` : `policies[${literal(name)}]`;
}

/** What a policy that ships is called; undefined for a user's own. */
export const shippedName = (policy: FusionPolicy): string | undefined =>
  Object.entries(policies).find(([, shipped]) => shipped === policy)?.[0];

/** What a target has that the device's own has not. */
function targetText(target: Target, own: Target): string | undefined {
  const keys = (Object.keys(own) as (keyof Target)[]).filter((key) =>
    literal(target[key]) !== literal(own[key])
  );
  if (keys.length === 0) return undefined;
  return `{ ...device.target, ${keys.map((key) => `${key}: ${literal(target[key])}`).join(", ")} }`;
}

function recordText(name: string, arrays: Readonly<Record<string, StoredArray>>, type = ""): string {
  const fields = Object.entries(arrays).map(([key, array]) => `  ${keyText(key)}: ${arrayText(array)},`);
  return fields.length === 0
    ? `const ${name}${type} = {};`
    : [`const ${name}${type} = {`, ...fields, "};"].join("\n");
}

function expectedLines(expected: Expectations): string[] {
  return [...expected].filter(([, { dropped }]) => dropped === undefined).flatMap(([name, want]) => [
    `  ${keyText(name)}: {`,
    `    values: ${arrayText(asNumbers(want))},`,
    `    tolerance: ${arrayText(Float64Array.from(want.tolerance, roundUp))},`,
    `    others: [${othersOf(want).map((other) => arrayText(other)).join(", ")}],`,
    "  },",
  ]);
}

const asNumbers = ({ values, dtype }: Expected): Float64Array | StoredArray =>
  isFloat(dtype) ? Float64Array.from(values) : values as StoredArray<Exclude<DType, "f32" | "f16">>;

/** Three digits are enough for a tolerance. */
const roundUp = (x: number): number => {
  const short = Number(x.toPrecision(3));
  return short < x ? Number((x * 1.005).toPrecision(3)) : short;
};

/** The results of free runs that are not within the tolerance anyway. */
function othersOf({ values, tolerance, others }: Expected): Float64Array[] {
  const different = others.filter((other) =>
    other.some((x, i) => !(Object.is(x, values[i]) || Math.abs(x - values[i]!) <= tolerance[i]!))
  );
  const texts = new Map(different.map((other) => [other.join(), Float64Array.from(other)]));
  return [...texts.values()];
}
