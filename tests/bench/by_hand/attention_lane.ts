/**
 * What the attention kernels share: a lane has some rows of its own in a private array, streams the other side's rows past
 * them (all lanes load the same), and adds up rows in memory that only this lane touches.
 */

export interface AttentionSizes {
  readonly heads: number;
  /** Queries, and as many keys. */
  readonly positions: number;
  readonly size: number;
  /** Rows of a lane, a multiple of 4. */
  readonly perLane: number;
  /** Rows of the other side between two accesses to the sums. */
  readonly block: number;
}

export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
export const lines = (n: number, f: (i: number) => string): string => range(n).map(f).join("\n");

/** exp(x · size^−½) is 2^(x · this). */
export const scaleOf = (size: number): number => Math.LOG2E / Math.sqrt(size);

/** Loads a row of vec4s into `<name>0`, `<name>1`, … */
export const loadRow = (name: string, buffer: string, at: string, quads: number): string =>
  lines(quads, (d) => `let ${name}${d} = ${buffer}[${at} + ${d}u];`);

/** `result` = the product of a loaded row with row p of a panel. */
export const dot = (result: string, row: string, panel: string, p: number, quads: number): string =>
  `var ${result}v = ${row}0 * ${panel}[${p * quads}];
${lines(quads - 1, (d) => `${result}v += ${row}${d + 1} * ${panel}[${p * quads + d + 1}];`)}
let ${result} = (${result}v.x + ${result}v.y) + (${result}v.z + ${result}v.w);`;

/** Sums for the rows of eight lanes, those of adjacent lanes side by side. */
export const sumsOf = (name: string, { perLane, size }: Pick<AttentionSizes, "perLane" | "size">): string =>
  `var<workgroup> ${name}: array<vec4f, ${8 * perLane * size / 4}>;`;

/** Where vec4 `d` of the lane's row p is. */
export const sumAt = (p: number, perLane: number): string => `d * ${8 * perLane}u + ${8 * p}u + lane`;

/**
 * Adds to a lane's rows of `sums`, four columns at a time: the rows of `rows` from `first` on, weighted by `weights`, which
 * holds a block of them for each four of the lane's rows.
 */
export function addRows(
  { sums, rows, first, weights, perLane, block, quads, factor }: {
    /** Workgroup memory, as `sumsOf` declares it. */
    readonly sums: string;
    readonly rows: string;
    readonly first: string;
    readonly weights: string;
    readonly perLane: number;
    readonly block: number;
    readonly quads: number;
    /** What sums so far are multiplied by. */
    readonly factor?: (p: number) => string;
  },
): string {
  return `for (var d = 0u; d < ${quads}u + hidden; d++) {
    ${lines(block, (j) => `let r${j} = ${rows}[${first} + ${j * quads}u + d];`)}
    ${
    lines(perLane, (p) =>
      `{
      var s = ${sums}[${sumAt(p, perLane)}]${factor ? ` * ${factor(p)}` : ""};
      ${lines(block, (j) => `s += ${weights}[${j * perLane / 4 + (p >> 2)}].${"xyzw"[p & 3]} * r${j};`)}
      ${sums}[${sumAt(p, perLane)}] = s;
    }`)
  }
  }`;
}
