/** The functions of real numbers that don't depend on the engine. */

import assert from "node:assert/strict";
import * as real from "../../../compiler/graph/real.ts";
import { randomOf } from "../../support/random.ts";

const own: Readonly<Record<string, (x: number, y: number) => number>> = { ...real };
const engines = Math as unknown as Readonly<Record<string, (x: number, y: number) => number>>;

/** Numbers of every size in [lo, hi], both signs where lo is negative. */
function points(lo: number, hi: number): number[] {
  const random = randomOf(3);
  const evenly = Array.from({ length: 2000 }, () => lo + (hi - lo) * random());
  const small = Array.from(
    { length: 2000 },
    () => (lo < 0 && random() < 0.5 ? lo : hi) * 2 ** (-60 * random()),
  );
  return [...evenly, ...small].filter((x) => x >= lo && x <= hi);
}

const special = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  2,
  -2,
  Infinity,
  -Infinity,
  NaN,
  5e-324,
  -5e-324,
  2 ** -1022,
  1e308,
  -1e308,
  745,
  -745,
  710,
  22,
  1e22,
];
const domains: readonly (readonly [string, number, number])[] = [
  ["exp", -745, 709.7],
  ["expm1", -50, 709],
  ["log", 0, 1e300],
  ["log2", 0, 1e300],
  ["log1p", -1, 1e300],
  ["sin", -1e6, 1e6],
  ["cos", -1e6, 1e6],
  ["tan", -1e6, 1e6],
  ["sin", -1e300, 1e300],
  ["cos", -1e300, 1e300],
  ["asin", -1, 1],
  ["acos", -1, 1],
  ["atan", -1e6, 1e6],
  ["sinh", -709, 709],
  ["cosh", -709, 709],
  ["tanh", -30, 30],
  ["asinh", -1e200, 1e200],
  ["acosh", 1, 1e200],
  ["atanh", -1, 1],
];

function assertNear(got: number, want: number, units: number, what: string): void {
  if (Object.is(got, want)) return;
  const distance = Math.abs(got - want);
  assert(
    distance <= units * 2 ** -52 * Math.abs(want) + 5e-324,
    `${what} is ${got}, and the engine says ${want}`,
  );
}

for (const [name, lo, hi] of domains) {
  Deno.test(`${name} is within 8 units in the last place of f64 on [${lo}, ${hi}]`, () => {
    for (const x of points(lo, hi)) assertNear(own[name]!(x, 0), engines[name]!(x, 0), 8, `${name}(${x})`);
  });
}

Deno.test("special numbers give what the engine's functions give", () => {
  for (const name of new Set(domains.map(([name]) => name))) {
    for (const x of special) assertNear(own[name]!(x, 0), engines[name]!(x, 0), 8, `${name}(${x})`);
  }
  for (const x of special) {
    assertNear(real.exp2(x), 2 ** x, 8, `exp2(${x})`);
    for (const y of special) {
      assertNear(real.atan2(x, y), Math.atan2(x, y), 8, `atan2(${x}, ${y})`);
      if (Math.abs(y) <= 745) assertNear(real.pow(x, y), x ** y, 2 ** 13, `pow(${x}, ${y})`);
    }
  }
});

Deno.test("powers are within 2⁻⁴⁰, whole ones within their products' rounding", () => {
  const random = randomOf(4);
  for (let i = 0; i < 4000; i++) {
    const x = 2 ** (20 * random() - 10);
    const y = 60 * random() - 30;
    assertNear(real.pow(x, y), x ** y, 2 ** 12, `pow(${x}, ${y})`);
    assertNear(real.pow(-x, Math.round(y)), (-x) ** Math.round(y), 128, `pow(${-x}, ${Math.round(y)})`);
    assertNear(real.exp2(y), 2 ** y, 8, `exp2(${y})`);
    assertNear(real.atan2(x - 1, y), Math.atan2(x - 1, y), 8, `atan2(${x - 1}, ${y})`);
  }
});

Deno.test("sines of large numbers are reduced exactly", () => {
  // From 200-digit arithmetic.
  assertNear(real.sin(1e22), -0.8522008497671888, 4, "sin 1e22");
  assertNear(real.cos(2 ** 1023), Math.cos(2 ** 1023), 4, "cos 2^1023");
  assertNear(real.sin(6381956970095103 * 2 ** 797), 1, 4, "the hardest argument of f64");
  assertNear(real.cos(6381956970095103 * 2 ** 797), -4.68716592425462761112e-19, 4, "its cosine");
});
