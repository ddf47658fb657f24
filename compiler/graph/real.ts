/**
 * Functions of real numbers in f64, from + − × ÷ and √ alone.
 *
 * These five are exact everywhere (IEEE 754); `Math.exp` and its like are whatever an engine or its C library makes of
 * them, and differ in the last bits. What is folded while compiling, and what a bundle's self-test expects, must be the
 * same on every machine (SEMANTICS §9), so it is computed by these. They are within a few units in the last place of f64
 * (`pow` within 2⁻⁴⁰), and f32 is 2²⁹ times coarser.
 *
 * The reductions and series are classical: Muller, Elementary Functions, 3rd edition, 2016, chapters 3 and 11.
 * @module
 */

const double = new Float64Array(1);
const bits = new BigUint64Array(double.buffer);

/** 2^n for whole n, subnormal results too. */
function powerOfTwo(n: number): number {
  if (n < -1074) return 0;
  if (n > 1023) return Infinity;
  bits[0] = n >= -1022 ? BigInt(n + 1023) << 52n : 1n << BigInt(n + 1074);
  return double[0]!;
}

/** x · 2^n, in two steps, since 2^n alone may be out of range where the product is not. */
function scaled(x: number, n: number): number {
  const half = Math.trunc(n / 2);
  return x * powerOfTwo(half) * powerOfTwo(n - half);
}

/** x = m · 2^e with m in [√½, √2), for x positive and finite. */
function split(x: number): { readonly m: number; readonly e: number } {
  const isSubnormal = x < 2 ** -1022;
  double[0] = isSubnormal ? x * 2 ** 54 : x;
  const e = Number(bits[0]! >> 52n) - 1023 - (isSubnormal ? 54 : 0);
  bits[0] = (bits[0]! & 0xfffffffffffffn) | (1023n << 52n);
  const m = double[0]!;
  return m > Math.SQRT2 ? { m: m / 2, e: e + 1 } : { m, e };
}

const ln2 = 0.6931471805599453;
// Its first 26 bits, whose products with exponents are exact, and the rest.
const ln2High = 0.6931471675634384;
const ln2Low = 1.2996506893889889e-8;
const log2e = 1.4426950408889634;

/** (e^r − 1) / r for |r| ≤ ½. */
function growth(r: number): number {
  let sum = 1;
  for (let n = 17; n >= 2; n--) sum = 1 + sum * r / n;
  return sum;
}

export function exp(x: number): number {
  if (!(x < 710)) return Number.isNaN(x) ? NaN : Infinity;
  if (x < -746) return 0;
  const k = Math.round(x * log2e);
  const r = (x - k * ln2High) - k * ln2Low;
  return scaled(1 + r * growth(r), k);
}

export function exp2(x: number): number {
  if (!(x < 1025)) return Number.isNaN(x) ? NaN : Infinity;
  if (x < -1080) return 0;
  const k = Math.round(x);
  const r = (x - k) * ln2;
  return scaled(1 + r * growth(r), k);
}

export const expm1 = (x: number): number => Math.abs(x) < 0.35 ? x * growth(x) : exp(x) - 1;

/** ln m for m in [√½, √2]: 2·atanh of (m − 1)/(m + 1), whose square is below 0.03. */
function logNearOne(m: number): number {
  const s = (m - 1) / (m + 1);
  const s2 = s * s;
  let sum = 0;
  for (let n = 25; n >= 3; n -= 2) sum = (sum + 1 / n) * s2;
  return 2 * (s + s * sum);
}

export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return x;
  const { m, e } = split(x);
  return e * ln2High + (e * ln2Low + logNearOne(m));
}

export function log2(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return x;
  const { m, e } = split(x);
  return e + logNearOne(m) * log2e;
}

/** ln(1 + x). What rounding 1 + x loses is put back by the quotient (Kahan). */
export function log1p(x: number): number {
  const sum = 1 + x;
  if (sum === 1 || sum === Infinity) return x;
  return sum === 0 ? -Infinity : log(sum) * (x / (sum - 1));
}

// π/2 in three parts; the products of the first two with numbers up to 2²⁰ are exact.
const halfPi = [1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21] as const;
/** π · 2¹²⁴⁰: enough for the largest f64, whose argument is reduced exactly. */
const pi = BigInt(
  "0x3243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89452821e638d01377be5466cf34e90c6cc0ac29b7c97c50dd" +
    "3f84d5b5b54709179216d5d98979fb1bd1310ba698dfb5ac2ffd72dbd01adfb7b8e1afed6a267e96ba7c9045f12c7f9924a19947b3916cf70" +
    "801f2e2858efc16636920d871574e69a458fea3f4933d7e0d95748f728eb658718bcd5882154aee7b54a4",
);

/** x − k·π/2, within ±π/4, and k mod 4. */
function reduced(x: number): { readonly r: number; readonly quadrant: number } {
  if (Math.abs(x) < 2 ** 20) {
    const k = Math.round(x / halfPi[0]);
    return { r: ((x - k * halfPi[0]) - k * halfPi[1]) - k * halfPi[2], quadrant: k & 3 };
  }
  double[0] = Math.abs(x);
  const exponent = Number(bits[0]! >> 52n) - 1075;
  const mantissa = (bits[0]! & 0xfffffffffffffn) | (1n << 52n);
  const turns = mantissa << BigInt(exponent + 1240);
  const half = pi >> 1n;
  const k = (2n * turns + half) / (2n * half);
  const rest = Number((turns - k * half) >> 240n) / 2 ** 1000;
  const quadrant = Number(k & 3n);
  return x < 0 ? { r: -rest, quadrant: -quadrant & 3 } : { r: rest, quadrant };
}

/** cos r and sin r for |r| ≤ π/4. */
function cosSin(r: number): readonly [number, number] {
  const r2 = r * r;
  let c = 1;
  let s = 1;
  for (let n = 18; n >= 4; n -= 2) {
    c = 1 - c * r2 / (n * (n - 1));
    s = 1 - s * r2 / (n * (n + 1));
  }
  return [1 - r2 / 2 * c, r - r * (r2 / 6 * s)];
}

function sinCos(x: number): readonly [number, number] {
  if (!Number.isFinite(x)) return [NaN, NaN];
  const { r, quadrant } = reduced(x);
  const [c, s] = cosSin(r);
  const sines = [s, c, -s, -c];
  return [sines[quadrant]!, sines[(quadrant + 1) & 3]!];
}

export const sin = (x: number): number => x === 0 ? x : sinCos(x)[0];
export const cos = (x: number): number => sinCos(x)[1];
export function tan(x: number): number {
  const [s, c] = sinCos(x);
  return x === 0 ? x : s / c;
}

/** The angle is halved twice, then a series. */
export function atan(x: number): number {
  if (Math.abs(x) > 1) return Math.sign(x) * (Math.PI / 2) - atan(1 / x);
  if (Math.abs(x) < 1e-9) return x;
  const half = x / (1 + Math.sqrt(1 + x * x));
  const t = half / (1 + Math.sqrt(1 + half * half));
  const t2 = t * t;
  let sum = 0;
  for (let n = 27; n >= 3; n -= 2) sum = (1 / n - sum) * t2;
  return 4 * (t - t * sum);
}

export function atan2(y: number, x: number): number {
  if (Number.isNaN(x) || Number.isNaN(y)) return NaN;
  const isLeft = x < 0 || Object.is(x, -0);
  const sign = y < 0 || Object.is(y, -0) ? -1 : 1;
  const angle = acute(Math.abs(y), Math.abs(x));
  return sign * (isLeft ? Math.PI - angle : angle);
}

/** The angle in [0, π/2] of a point whose coordinates are not negative. */
function acute(y: number, x: number): number {
  if (y === 0) return 0;
  if (x === y) return Math.PI / 4;
  return x > y ? atan(y / x) : Math.PI / 2 - atan(x / y);
}

export const asin = (x: number): number => Math.abs(x) < 1e-9 ? x : atan2(x, Math.sqrt((1 - x) * (1 + x)));
export const acos = (x: number): number => atan2(Math.sqrt((1 - x) * (1 + x)), x);

export function sinh(x: number): number {
  const a = Math.abs(x);
  if (a > 700) return Math.sign(x) * (exp(a / 2) / 2) * exp(a / 2);
  const t = expm1(a);
  return x === 0 ? x : Math.sign(x) * (t + t / (t + 1)) / 2;
}

export function cosh(x: number): number {
  const a = Math.abs(x);
  if (a > 700) return (exp(a / 2) / 2) * exp(a / 2);
  const e = exp(a);
  return (e + 1 / e) / 2;
}

export function tanh(x: number): number {
  if (Math.abs(x) > 22) return Math.sign(x);
  const t = expm1(2 * Math.abs(x));
  return x === 0 ? x : Math.sign(x) * t / (t + 2);
}

export function asinh(x: number): number {
  const a = Math.abs(x);
  if (x === 0 || a === Infinity) return x;
  const isLarge = a > 2 ** 28;
  return Math.sign(x) * (isLarge ? log(a) + ln2 : log1p(a + a * a / (1 + Math.sqrt(1 + a * a))));
}

export function acosh(x: number): number {
  if (x > 2 ** 28) return log(x) + ln2;
  const t = x - 1;
  return x >= 1 ? log1p(t + Math.sqrt(2 * t + t * t)) : NaN;
}

export function atanh(x: number): number {
  const a = Math.abs(x);
  if (x === 0) return x;
  return a === 1 ? x * Infinity : Math.sign(x) * log1p(2 * a / (1 - a)) / 2;
}

/** Exponents whose powers are products. */
const mostFactors = 64;

/** As `Math.pow`, special cases too. */
export function pow(x: number, y: number): number {
  if (y === 0) return 1;
  if (Number.isNaN(x) || Number.isNaN(y)) return NaN;
  const isWhole = Number.isInteger(y);
  const size = magnitude(Math.abs(x), y, isWhole);
  if (x < 0 && Number.isFinite(x) && !isWhole && Number.isFinite(y)) return NaN;
  const isNegative = (x < 0 || Object.is(x, -0)) && isWhole && Math.abs(y % 2) === 1;
  return isNegative ? -size : size;
}

function magnitude(a: number, y: number, isWhole: boolean): number {
  if (!Number.isFinite(y)) return a === 1 ? NaN : (a > 1) === (y > 0) ? Infinity : 0;
  if (a === 0 || a === Infinity) return (a === 0) === (y > 0) ? 0 : Infinity;
  if (y === 0.5) return Math.sqrt(a);
  if (!isWhole || Math.abs(y) > mostFactors) return exp(y * log(a));
  let product = 1;
  let square = a;
  for (let n = Math.abs(y); n > 0; n = Math.floor(n / 2)) {
    if (n % 2 === 1) product *= square;
    square *= square;
  }
  if (y > 0) return product;
  // Where the product is out of range its reciprocal need not be.
  return product > 1e-300 && product < 1e300 ? 1 / product : exp(y * log(a));
}
