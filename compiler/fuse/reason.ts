/**
 * The kinds of reasons that a fusion decision has. The sentence beside it has the numbers; the kind is for counting,
 * filtering and coloring.
 */

/**
 *     dependency        one needs the other's finished result, or they have nothing to do with each other
 *     cycle             a third kernel needs one and is needed by the other
 *     binding limit     the kernel would bind more buffers than a stage may
 *     iteration space   results or reductions that run over different axes
 *     recomputation     work would be repeated inside another loop
 *     registers         more sums or kept numbers per lane than the target wants
 *     workgroup memory  more shared memory than the target has
 *     hint              fuse(…) or noFuse(…) said so
 *     program           an op that brings kernels of its own
 *     demand            it is an output or a state's new contents, and in memory anyway
 *     cost              legal, and judged to be worth it or not
 */
export type Rule =
  | "dependency"
  | "cycle"
  | "binding limit"
  | "iteration space"
  | "recomputation"
  | "registers"
  | "workgroup memory"
  | "hint"
  | "program"
  | "demand"
  | "cost";

/** A no: which rule, and the sentence with the numbers. */
export interface Refused {
  readonly rule: Rule;
  readonly refused: string;
}

export const isRefused = <T extends object>(x: T | Refused): x is Refused => "refused" in x;

/** More buffers than a kernel may bind. */
export const tooManyBuffers = (needed: number, limit: number): Refused => ({
  rule: "binding limit",
  refused: `needs ${needed} storage buffers, and the limit is ${limit}`,
});
