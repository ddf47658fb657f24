/**
 * What a compile may assume of an adapter: limits, features, measured quirks, and the numbers that schedules ask for.
 *
 * A schedule never asks which target it is (SCHEDULES §9); it asks this record for lanes, tiles and bytes. A target is
 * plain data, so that a compile is a function of it and a report can print it.
 */

export interface TargetLimits {
  readonly storageBuffers: number;
  readonly bindingBytes: number;
  readonly bufferBytes: number;
  readonly workgroupsPerDimension: number;
  readonly lanesPerWorkgroup: number;
  readonly sharedBytes: number;
}

export interface Target {
  readonly name: string;
  readonly limits: TargetLimits;
  readonly features: { readonly f16: boolean; readonly subgroups: boolean };
  /** Functions that were seen to be exact enough to stand for Weft's expansions, and to keep NaN. */
  readonly builtins: { readonly exp: boolean };
  readonly lanes: { readonly map: number; readonly row: number; readonly contraction: number };
  /** vec4 elements that one lane of a map kernel handles, in a loop. */
  readonly mapPerLane: number;
  readonly row: {
    /**
     * Whole rows per lane where rows are plenty, several only where they share what they read (γ and β); 0: the lanes of a
     * workgroup share one row.
     */
    readonly rowsPerLane: number;
    /** Items (vec4s) of a row that each of the lanes sharing it should get: fewer lanes share a short row. */
    readonly perLane: number;
    /** Do dependent reductions in one pass where a rule allows it: fewer reads for more arithmetic. */
    readonly merge: boolean;
    /** Items per lane that are worth a workgroup of their own, and a second kernel to combine: longer rows are split. */
    readonly perChunk: number;
    /** vec4s of a row that a lane may keep in registers between passes. */
    readonly keep: number;
    /** vec4 accesses per turn of a row loop. */
    readonly unroll: number;
    /** vec4 accesses of four whole rows up to which a lane takes them at once, with no loop over their elements. */
    readonly straight: number;
  };
  readonly contraction: {
    /** `panel`: B in a private array, A broadcast, sums in memory; `register`: sums in registers. */
    readonly shape: "panel" | "register";
    /** Rows and columns of a lane's sums in registers; the columns also of a panel. Columns are a multiple of 4. */
    readonly tile: readonly [number, number];
    /** Rows of a workgroup that share a panel, least and most; with fewer the sums lie in registers. */
    readonly panelRows: readonly [number, number];
    /** Rows that pay for filling a panel: where there are fewer, a long sum is split rather, and lanes stay with columns. */
    readonly panelPays: number;
    /** Steps of k per turn where rows slide (contraction/windows.ts), at most: whole windows as far as these allow. */
    readonly windowSteps: number;
    /** Steps of k per turn, and of a panel, which may have more of them and fewer columns (contraction/tiling.ts). */
    readonly depth: number;
    /** Lanes along rows and columns of the output; their product is `lanes.contraction`. */
    readonly grid: readonly [number, number];
    /** Split the sum over workgroups where there are few tiles: steps that are worth a part of their own; 0: never. */
    readonly partSteps: number;
    /** Stage both operands in shared memory. */
    readonly staged: boolean;
    /** What reading a vector of an operand costs, in products of a vector. */
    readonly load: number;
    /** Multiply-adds of a whole product up to which each element is simply a loop: small kernels compile quickly. */
    readonly plain: number;
  };
  /**
   * Workgroups of up to this many lanes hand one another what all of them load, because loads cost much more than
   * that; 0: every lane loads for itself, as where a cache or the processor brings one element to all lanes at once.
   */
  readonly broadcast: number;
  /**
   * Lanes of a workgroup that lie in one subgroup, in their order, from each multiple of this number: what they hand one
   * another needs no memory; 0: none do, or it isn't known.
   */
  readonly subgroup: number;
  /**
   * Elements: lines of memory that are a multiple of so many apart compete for the same places in a cache, which loses
   * them before they are met again; 0: none do.
   */
  readonly competing: number;
  /** Workgroups wanted to fill the machine. */
  readonly parallel: number;
  /** Bytes that its memory moves in a millisecond: a rough number, with which plans are compared before they run. */
  readonly bytesPerMs: number;
  /** Operations on single numbers that all of it does in a millisecond, as rough. */
  readonly stepsPerMs: number;
  /** What a dispatch costs whatever it does, one after the other in one pass. */
  readonly dispatchMs: number;
  /** Statements per kernel that unrolling may reach. */
  readonly statements: number;
  /**
   * What else than arithmetic costs, in operations on a vector of four: what candidates are put in order by before they
   * run (`schedule/cost.ts`).
   */
  readonly steps: {
    /** Reading or writing a number of a buffer, and a vector. */
    readonly buffer: readonly [number, number];
    /** The same of an array that a workgroup shares. */
    readonly shared: readonly [number, number];
    /** A turn of a loop. */
    readonly turn: number;
    /** A phase, for every `lanes.map` lanes of a workgroup: beginning it, and waiting for the others where it ends. */
    readonly phase: number;
  };
  readonly quirks: {
    /** Iterations of all loops of one invocation after which the driver stops them silently; Infinity: none. */
    readonly loopBound: number;
  };
}

/** WebGPU's default limits: what a bundle is planned for, and what tests run on. */
export const defaultLimits: TargetLimits = {
  storageBuffers: 8,
  bindingBytes: 128 * 1024 * 1024,
  bufferBytes: 256 * 1024 * 1024,
  workgroupsPerDimension: 65_535,
  lanesPerWorkgroup: 256,
  sharedBytes: 16 * 1024,
};

/** Small tiles and no unrolling: quick to compile, and every edge case is near. */
export const testTarget: Target = {
  name: "test",
  limits: defaultLimits,
  features: { f16: false, subgroups: false },
  builtins: { exp: false },
  lanes: { map: 4, row: 4, contraction: 4 },
  mapPerLane: 2,
  row: { rowsPerLane: 0, perLane: 1, merge: false, perChunk: 2, keep: 0, unroll: 1, straight: 8 },
  contraction: {
    shape: "register",
    tile: [2, 4],
    panelRows: [1, 4],
    panelPays: 2,
    windowSteps: 12,
    depth: 1,
    grid: [2, 2],
    partSteps: 0,
    staged: false,
    load: 1,
    plain: 0,
  },
  broadcast: 0,
  subgroup: 0,
  competing: 512,
  parallel: 4,
  bytesPerMs: 8e6,
  stepsPerMs: 6.4e7,
  dispatchMs: 0.03,
  statements: 120,
  steps: { buffer: [1, 1], shared: [1, 1], turn: 1, phase: 0 },
  quirks: { loopBound: Infinity },
};

/** A CPU behind Vulkan (lavapipe): lanes are SIMD lanes, long loops per lane, few statements. */
export const softwareTarget: Target = {
  ...testTarget,
  name: "software",
  lanes: { map: 8, row: 8, contraction: 8 },
  mapPerLane: 256,
  row: { rowsPerLane: 2, perLane: 1, merge: true, perChunk: 512, keep: 0, unroll: 4, straight: 16 },
  contraction: {
    shape: "panel",
    tile: [8, 16],
    panelRows: [1, 256],
    panelPays: 64,
    windowSteps: 48,
    depth: 16,
    grid: [1, 8],
    partSteps: 512,
    staged: false,
    load: 16,
    plain: 16_384,
  },
  parallel: 4,
  bytesPerMs: 3.5e7,
  stepsPerMs: 6.4e7,
  dispatchMs: 0.03,
  statements: 600,
  // Fitted to some hundred kernels: lanes are gathered one by one, and a workgroup's vectors of lanes take turns.
  steps: { buffer: [4, 14], shared: [3, 10], turn: 8, phase: 150 },
};

/** A graphics processor: many lanes, short loops. */
export const gpuTarget: Target = {
  ...testTarget,
  name: "gpu",
  lanes: { map: 256, row: 128, contraction: 64 },
  mapPerLane: 1,
  row: { rowsPerLane: 0, perLane: 2, merge: true, perChunk: 16, keep: 8, unroll: 4, straight: 16 },
  contraction: {
    shape: "register",
    tile: [8, 8],
    panelRows: [1, 1],
    panelPays: 64,
    windowSteps: 48,
    depth: 16,
    grid: [8, 8],
    partSteps: 32,
    staged: true,
    load: 2,
    plain: 0,
  },
  competing: 0,
  parallel: 256,
  bytesPerMs: 4e8,
  stepsPerMs: 3.2e9,
  dispatchMs: 0.003,
  statements: 2000,
  steps: { buffer: [2, 2], shared: [1, 1], turn: 1, phase: 0 },
};

/** A graphics processor of few units, such as those that share a chip with a CPU. */
export const integratedTarget: Target = {
  ...gpuTarget,
  name: "integrated",
  parallel: 64,
  bytesPerMs: 5e7,
  stepsPerMs: 4e8,
};
