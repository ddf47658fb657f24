/**
 * Conversions of 16-bit floats, for engines without `Float16Array`. A file of its own in a bundle (`halves.js`), fetched
 * where something is f16 or stored so.
 * @module
 */

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** To the nearest half, ties to even. */
function toHalf(x: number): number {
  float[0] = x;
  const sign = bits[0]! >>> 16 & 0x8000;
  const exponent = bits[0]! >>> 23 & 255;
  const mantissa = bits[0]! & 0x7fffff;
  if (exponent === 255) return sign | 0x7c00 | (mantissa && 0x200);
  if (exponent < 113) { // subnormal: a multiple of 2⁻²⁴
    const scaled = Math.abs(x) * 2 ** 24;
    const down = Math.floor(scaled);
    return sign | roundedUp(down, scaled - down, 0.5);
  }
  const down = (exponent - 112 << 10) + (mantissa >> 13);
  return sign | Math.min(0x7c00, roundedUp(down, mantissa & 0x1fff, 0x1000));
}

const roundedUp = (down: number, rest: number, middle: number): number =>
  down + +(rest > middle || (rest === middle && down % 2 === 1));

function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = half >> 10 & 31;
  const mantissa = half & 1023;
  if (exponent === 31) return mantissa ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + mantissa / 1024) * 2 ** (exponent - 15) : mantissa * 2 ** -24);
}

/** Halves in whole 32-bit words. */
export function encodeHalves(array: ArrayLike<number>): Uint16Array {
  const halves = new Uint16Array(Math.ceil(array.length / 2) * 2);
  for (let i = 0; i < array.length; i++) halves[i] = toHalf(array[i]!);
  return halves;
}

export const decodeHalves = (halves: Uint16Array): Float32Array => Float32Array.from(halves, fromHalf);
