/**
 * Raw kernels: what a user wrote in the device's own language, beside the kernels that schedules write in IR.
 *
 * The compiler sees of a raw kernel what it sees of any other, its grid, its parameters and its buffers, so placing,
 * binding, dispatching and reporting are the same. What it computes stays closed: no pass looks into the text, and only
 * emitters open it. Its meaning for an engine that runs no WGSL is `reference`, where the user gave one.
 *
 *     buffers         inputs in order, then outputs, by the names the text uses; each dense and bound once
 *     declared        inputs are read and outputs written; a binding may allow more (`access`, see assemble.ts)
 *     grid            a linear number of workgroups, as for every kernel; the emitter finds the three coordinates again
 */

import type { Origin } from "../errors.ts";
import type { HostArray } from "../graph/dtype.ts";
import type { BufferDecl, Kernel, ParamDecl } from "./ir.ts";
import type { ScheduledKernel } from "./scheduled.ts";

/** Three sizes, along x, y and z. */
export type Extent = readonly [number, number, number];

export const volume = ([x, y, z]: Extent): number => x * y * z;

/** How the text sees the elements of a buffer. */
export type ElementForm = "scalar" | "vec2" | "vec4" | "atomic";

/** The same computation in plain loops, over arrays by the names of buffers: fills the outputs, which begin as zeros. */
export type RawReference = (
  arrays: Readonly<Record<string, HostArray>>,
  sizes: Readonly<Record<string, number>>,
) => void;

export interface RawKernel {
  /** What the user calls it. */
  readonly name: string;
  /** Invocations of a workgroup. */
  readonly lanes: number;
  /** Workgroups, all three axes together. */
  readonly groups: number;
  /** Sizes that the text reads from the uniform block. */
  readonly params: readonly ParamDecl[];
  readonly buffers: readonly BufferDecl[];
  /** How many of the buffers are inputs. */
  readonly inputs: number;
  /** One per buffer. */
  readonly forms: readonly ElementForm[];
  /** Statements of one invocation. */
  readonly body: string;
  /** What stands at module scope: functions, structures, workgroup variables. */
  readonly declarations: string;
  readonly workgroupSize: Extent;
  readonly workgroups: Extent;
  /** Named sizes, which the text sees as constants. */
  readonly sizes: Readonly<Record<string, number>>;
  /** Not part of what is written to a file: a program from there has none. */
  readonly reference: RawReference | undefined;
  /** Where the user made it, for messages; no part of its text, or a moved line would be another kernel. */
  readonly origin: Origin | undefined;
}

/** What a program is made of. */
export type AnyKernel = Kernel | RawKernel;

export const isRaw = (kernel: AnyKernel): kernel is RawKernel => "declarations" in kernel;

/** As the user declared it: what the text may do, whatever the binding allows. */
export const asDeclared = (kernel: RawKernel): RawKernel => ({
  ...kernel,
  buffers: kernel.buffers.map((b, i) => ({ ...b, access: i < kernel.inputs ? "read" : "read_write" })),
});

/** A kernel of either kind, ready to be placed in memory and dispatched. */
export type AnyScheduled = Omit<ScheduledKernel, "kernel"> & { readonly kernel: AnyKernel };

/** Names that are in the module besides the user's. */
export const rawNames: readonly string[] = [
  "main",
  "sizes",
  "global_invocation_id",
  "local_invocation_id",
  "local_invocation_index",
  "workgroup_id",
  "num_workgroups",
];
