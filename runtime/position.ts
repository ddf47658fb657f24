/** The index along each axis of an element that is counted row-major. */
export function position(index: number, shape: readonly number[]): number[] {
  const at: number[] = [];
  let rest = index;
  for (const size of shape.toReversed()) {
    at.unshift(rest % size);
    rest = Math.floor(rest / size);
  }
  return at;
}
