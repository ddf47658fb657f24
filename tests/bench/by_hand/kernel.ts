/**
 * Kernels written by hand for one workload and just its sizes: what Weft's generated ones are measured against.
 *
 * Each is the best shape that we know for a software adapter (8 lanes, long loops, whole rows per lane); none checks an
 * edge, and none works for other sizes.
 * @module
 */

/** One dispatch of one shader; buffers by name, in the order of their bindings. */
export interface HandKernel {
  readonly wgsl: string;
  readonly buffers: readonly string[];
  readonly groups: readonly [number, number?, number?];
}

/** What a workload takes by hand: scratch and result by their number of floats. Inputs are the workload's. */
export interface HandWritten {
  readonly kernels: readonly HandKernel[];
  readonly memory: Readonly<Record<string, number>>;
  /** Small buffers of numbers that kernels are given, by name. */
  readonly constants?: Readonly<Record<string, Uint32Array<ArrayBuffer>>>;
}

/** The text of f(0) … f(n − 1). */
export const each = (n: number, f: (i: number) => string): string =>
  Array.from({ length: n }, (_, i) => f(i)).join("\n");

/** Bindings of arrays; the last ones are written. */
export const bindings = (
  arrays: readonly (readonly [name: string, type: string, length: number])[],
  written = 1,
): string =>
  arrays.map(([name, type, length], i) =>
    `@group(0) @binding(${i}) var<storage, ${
      i < arrays.length - written ? "read" : "read_write"
    }> ${name}: array<${type}, ${length}>;`
  ).join("\n");

/** Eight lanes, each with its number among all lanes, and a zero that the driver cannot know: it would unroll the loops. */
export const eightLanes = (body: string): string => `
@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let hidden = lane >> 20u;
  ${body}
}`;

/** Sum or maximum of the four components. */
export const across = (v: string): string => `(${v}.x + ${v}.y + ${v}.z + ${v}.w)`;
export const largest = (v: string): string => `max(max(${v}.x, ${v}.y), max(${v}.z, ${v}.w))`;
