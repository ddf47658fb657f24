/**
 * The panel: a lane owns 16 columns. For each 16 steps of k it keeps its part of B in a private array, streams the rows of A
 * past it (all lanes load the same), and adds up C in memory. Per column: load C, sixteen products, store C; any other
 * order spills.
 */

import { bindings, each, eightLanes, type HandWritten } from "./kernel.ts";

export interface MatmulSizes {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly batch?: number;
  /** Rows of A that share a panel. */
  readonly rows: number;
  /** A lies as [K, M]. */
  readonly transposedA?: boolean;
  /** B lies as [N, K]. */
  readonly transposedB?: boolean;
}

const depth = 16;
/** vec4 columns of a lane, eight apart, so that neighboring lanes load neighbors. */
const columns = 4;

export function matmulByHand(
  { m, k, n, batch = 1, rows, transposedA = false, transposedB = false }: MatmulSizes,
): HandWritten {
  const [k4, n4] = [k / 4, n / 4];
  const fill = transposedB
    ? `for (var i = 0u; i < ${depth / 4}u + hidden; i++) {
      ${
      each(columns, (j) =>
        `{
        let at = matrixB + (column + ${8 * j}u) * ${4 * k4}u + k0 / 4u + i;
        let c0 = B[at]; let c1 = B[at + ${k4}u]; let c2 = B[at + ${2 * k4}u]; let c3 = B[at + ${3 * k4}u];
        ${
          each(4, (e) =>
            `panel[i * ${4 * columns}u + ${e * columns + j}u] = vec4f(${
              [0, 1, 2, 3].map((c) => `c${c}.${"xyzw"[e]}`).join(", ")
            });`)
        }
      }`)
    }
    }`
    : `for (var i = 0u; i < ${depth}u + hidden; i++) {
      ${
      each(columns, (j) =>
        `panel[i * ${columns}u + ${j}u] = B[matrixB + (k0 + i) * ${n4}u + column + ${8 * j}u];`)
    }
    }`;
  const loadA = transposedA
    ? each(
      depth / 4,
      (q) =>
        `let a${q} = vec4f(${
          [0, 1, 2, 3].map((e) => `A[matrixA + (k0 + ${4 * q + e}u) * ${m}u + row]`).join(", ")
        });`,
    )
    : each(depth / 4, (q) => `let a${q} = A[matrixA + row * ${k4}u + k0 / 4u + ${q}u];`);
  const columnOf = (j: number) =>
    `{
        let at = matrixC + row * ${n4}u + column + ${8 * j}u;
        var s = select(C[at], vec4f(), k0 == 0u);
        ${each(depth, (i) => `s += a${i >> 2}.${"xyzw"[i & 3]} * panel[${i * columns + j}];`)}
        C[at] = s;
      }`;
  const wgsl = `${
    bindings([
      ["A", transposedA ? "f32" : "vec4f", batch * m * (transposedA ? k : k4)],
      ["B", "vec4f", batch * k * n4],
      ["C", "vec4f", batch * m * n4],
    ])
  }
${
    eightLanes(`let column = group.x * ${8 * columns}u + lane;
  let row0 = group.y * ${rows}u;
  let matrixA = group.z * ${m * (transposedA ? k : k4)}u;
  let matrixB = group.z * ${k * n4}u;
  let matrixC = group.z * ${m * n4}u;
  var panel: array<vec4f, ${depth * columns}>;
  for (var k0 = 0u; k0 < ${k}u + hidden; k0 += ${depth}u) {
    ${fill}
    for (var i = 0u; i < ${rows}u + hidden; i++) {
      let row = row0 + i;
      ${loadA}
      ${each(columns, columnOf)}
    }
  }`)
  }`;
  return {
    kernels: [{ wgsl, buffers: ["a", "b", "y"], groups: [n / (32 * columns), m / rows, batch] }],
    memory: { y: batch * m * n },
  };
}
