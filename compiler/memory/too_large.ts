/** What a kernel can bind of one tensor: so many bytes, and no more elements than its indices count. */

export const mostElements = 2 ** 31 - 1;

/** Why no kernel can bind a tensor, with both numbers, to go on after "is too large: "; undefined where one can. */
export function whyTooLarge(bytes: number, elements: number, bindingBytes: number): string | undefined {
  if (bytes > bindingBytes) {
    return `it has ${bytes} bytes, and a kernel of this device can bind ${bindingBytes}`;
  }
  if (elements > mostElements) {
    return `it has ${elements} elements, and a kernel counts up to ${mostElements}`;
  }
  return undefined;
}
