/**
 * Kernels and addresses become a program: arenas, bindings, dispatches.
 *
 * WebGPU refuses a buffer that one dispatch binds both for reading and for writing, even in disjoint ranges. So a kernel
 * that writes into an arena binds everything it has in that arena `read_write` (PLATFORM, rule 1); the plan keeps the
 * ranges disjoint.
 */

import { CompileError, InternalError } from "../errors.ts";
import type { Graph } from "../graph/graph.ts";
import { inputName, resultsOf } from "../graph/graph.ts";
import type { Tensor } from "../graph/node.ts";
import { concrete } from "../fuse/lower_group.ts";
import { isLargeConstant } from "../fuse/group.ts";
import { type AnyKernel, type AnyScheduled, isRaw, type RawReference } from "../kernel/raw.ts";
import { printKernel } from "../kernel/print.ts";
import { type Addresses, aligned, assignAddresses, type Cluster, type Lifetime } from "../memory/plan.ts";
import { type BufferInfo, bytesOf, type Placement } from "../memory/placement.ts";
import type { NamedAccess } from "../memory/verify.ts";
import type { Slab } from "../memory/pack.ts";
import type { Target } from "../target.ts";
import type { Arena, Binding, Dispatch, Program, Region, Slot, Step } from "./program.ts";
import { deviceForm } from "./device_form.ts";
import { laidOut, type StateLayout } from "./state_layout.ts";

/** Runs for which a small output stays valid, and what counts as small (SEMANTICS §3). */
const ring = { runs: 8, bytes: 64 * 1024 };

export interface Assembly {
  readonly graph: Graph;
  readonly placement: Placement;
  readonly slabs: readonly Slab[];
  readonly kernels: readonly AnyScheduled[];
  readonly target: Target;
  /** Where states lie already. */
  readonly layout?: StateLayout | undefined;
  /** Every temporary gets memory of its own, so that all can be looked at after a run. */
  readonly keep?: boolean | undefined;
}

export interface Assembled {
  readonly program: Program;
  readonly lifetimes: readonly Lifetime[];
  readonly addresses: Addresses;
  /** What each step reads and writes, by the planner's names: what the verifier replays. */
  readonly accesses: readonly NamedAccess[];
  /** Where each buffer lies, by its name; those without elements lie nowhere. */
  readonly regions: ReadonlyMap<string, Region>;
}

export function assemble({ graph, placement, slabs, kernels, target, layout, keep }: Assembly): Assembled {
  const buffers = new Map(placement.buffers);
  for (const kernel of kernels) {
    for (const ref of kernel.scratch) buffers.set(ref.name, { ...ref, role: "temporary" });
  }
  /** Buffers that lie inside a slab, and where. */
  const inSlab = new Map<string, { slab: Slab; offset: number }>();
  for (const slab of slabs) for (const m of slab.members) inSlab.set(m.buffer, { slab, offset: m.offset });
  for (const slab of slabs) buffers.set(slab.name, slab);

  const touched = lifetimesOf(kernels, buffers, slabs, placement);
  const lifetimes = keep ? touched.map((life) => ({ ...life, begin: 0, end: kernels.length + 1 })) : touched;
  const addresses = assignAddresses(clustersOf(lifetimes, slabs));
  if (addresses.peak > target.limits.bufferBytes) {
    throw new CompileError(
      `memory: the temporaries need ${addresses.peak} bytes, and the adapter's largest buffer is ` +
        `${target.limits.bufferBytes}; use a smaller batch, or checkpoint(…) around layers`,
    );
  }

  // One arena per role; states, inputs, outputs and constants are laid one after the other.
  const arenas: { -readonly [K in keyof Arena]: Arena[K] }[] = [];
  const where = new Map<string, { arena: number; offset: number }>();
  for (const arena of layout?.arenas ?? []) arenas.push({ ...arena });
  for (const name of buffers.keys()) {
    const slab = slabs.find((s) => s.name === name);
    const region = laidOut(layout, slab ? slab.members[0]!.buffer : name);
    if (region && region.bytes > 0) where.set(name, { arena: region.arena, offset: region.offset });
  }
  const lay = (role: Arena["role"], names: readonly string[]) => {
    let arena = -1;
    for (const name of names) {
      const bytes = aligned(bytesOf(buffers.get(name)!));
      if (bytes === 0) continue;
      if (bytes > target.limits.bufferBytes) {
        throw new CompileError(
          `memory: "${name}" has ${bytes} bytes, and the adapter's largest buffer is ${target.limits.bufferBytes}`,
        );
      }
      if (arena < 0 || arenas[arena]!.bytes + bytes > target.limits.bufferBytes) {
        arena = arenas.push({ name: `${role}${arena < 0 ? "" : arenas.length}`, bytes: 0, role }) - 1;
      }
      where.set(name, { arena, offset: arenas[arena]!.bytes });
      arenas[arena]!.bytes += bytes;
    }
  };
  for (const role of ["input", "constant", "state", "output"] as const) {
    const own = [...buffers.values()].filter((b) =>
      b.role === role && !inSlab.has(b.name) && !where.has(b.name)
    );
    lay(role, own.map((b) => b.name));
  }
  if (addresses.peak > 0) {
    const arena = arenas.push({ name: "temporary", bytes: addresses.peak, role: "temporary" }) - 1;
    for (const [name, offset] of addresses.offsets) where.set(name, { arena, offset });
  }
  for (const [name, { slab, offset }] of inSlab) {
    const base = where.get(slab.name);
    if (base) where.set(name, { arena: base.arena, offset: base.offset + offset });
  }

  const bind = (name: string): Binding => {
    const at = where.get(name);
    const info = buffers.get(name);
    if (!at || !info) throw new InternalError("assemble", `buffer "${name}" has no address`);
    return { ...at, bytes: aligned(bytesOf(info)) };
  };
  /** By their reference, which no text shows, and by their text. */
  const distinct = new Map<RawReference | undefined, Map<string, number>>();
  const list: AnyKernel[] = [];
  /** By kernel and how its buffers are bound: equal groups share kernels, and printing one takes as long as making it. */
  const numbers = new Map<AnyKernel, Map<string, number>>();
  const numberOf = (made: AnyKernel, bindings: readonly Binding[]): number => {
    const kernel = withArenaAccess(made, bindings);
    const access = kernel.buffers.map((b) => b.access).join();
    let known = numbers.get(made);
    if (!known) numbers.set(made, known = new Map());
    let number = known.get(access);
    if (number === undefined) {
      const reference = isRaw(kernel) ? kernel.reference : undefined;
      const byText = distinct.get(reference) ?? new Map<string, number>();
      distinct.set(reference, byText);
      const text = printKernel(kernel);
      number = byText.get(text);
      if (number === undefined) byText.set(text, number = list.push(kernel) - 1);
      known.set(access, number);
    }
    return number;
  };
  const steps: Step[] = kernels.map((scheduled) => {
    const bindings = scheduled.buffers.map((ref) => bind(ref.name));
    const dispatch: Dispatch = {
      kernel: numberOf(scheduled.kernel, bindings),
      groups: scheduled.groups,
      bindings,
      params: scheduled.params,
      label: scheduled.label,
      split: scheduled.split,
    };
    return { kind: "dispatch", dispatch };
  });
  for (const { from, to } of placement.copies) {
    if (bytesOf(buffers.get(from)!) > 0) {
      steps.push({ kind: "copy", copy: { from: bind(from), to: bind(to) } });
    }
  }

  /** A slab is the sum of its members: each was written by its own name. */
  const named = (name: string): NamedAccess["reads"] => {
    const slab = slabs.find((s) => s.name === name);
    return slab ? slab.members.flatMap((m) => named(m.buffer)) : [{ name, binding: bind(name) }];
  };
  const accesses: NamedAccess[] = kernels.map(({ kernel, buffers: refs }) => {
    const touched = kernel.buffers.map((b, i) => ({ access: b.access, names: named(refs[i]!.name) }));
    return {
      // A temporary bound for both is a sum that the kernel itself began.
      reads: touched.filter((t) => t.access === "read").flatMap((t) => t.names),
      writes: touched.filter((t) => t.access !== "read").flatMap((t) => t.names),
    };
  });
  for (const { from, to } of placement.copies) {
    if (bytesOf(buffers.get(from)!) > 0) accesses.push({ reads: named(from), writes: named(to) });
  }

  const slot = (name: string, tensor: Tensor): Slot => {
    const type = concrete(tensor);
    const info = buffers.get(placement.storage(tensor).buffer.name)!;
    const bytes = bytesOf(info);
    const region: Region = bytes === 0
      ? { arena: 0, offset: 0, bytes: 0 }
      : { ...where.get(info.name)!, bytes };
    return { name, ...type, region };
  };
  const states = graph.nodes.filter((n) => n.op.name === "state");
  const program: Program = {
    version: 1,
    arenas,
    kernels: list,
    steps,
    inputs: graph.inputs.map((t) => slot(inputName(t), t)),
    outputs: Object.entries(graph.outputs).map(([name, t]) => {
      const s = slot(name, t);
      return { ...s, ring: s.region.bytes <= ring.bytes ? ring.runs : 1 };
    }),
    state: states.map((n) => ({ ...slot(n.attrs.path, resultsOf(n)[0]!), role: n.attrs.role })),
    constants: graph.nodes.filter((n) =>
      isLargeConstant(n) && where.has(placement.storage(resultsOf(n)[0]!).buffer.name)
    )
      .map((n) => {
        const s = slot("", resultsOf(n)[0]!);
        return { region: s.region, data: deviceForm(s.dtype, n.attrs.data.values) };
      }),
    memory: { peak: addresses.peak, bound: addresses.bound },
  };
  const regions = new Map<string, Region>();
  for (const [name, at] of where) regions.set(name, { ...at, bytes: bytesOf(buffers.get(name)!) });
  return { program, lifetimes, addresses, accesses, regions };
}

/** First and last position that touches each temporary; who touches a slab touches all of its members. */
function lifetimesOf(
  kernels: readonly AnyScheduled[],
  buffers: ReadonlyMap<string, BufferInfo>,
  slabs: readonly Slab[],
  placement: Placement,
): Lifetime[] {
  const members = new Map(slabs.map((s) => [s.name, s.members]));
  const spans = new Map<string, { begin: number; end: number }>();
  const touch = (name: string, position: number): void => {
    const parts = members.get(name);
    if (parts) return parts.forEach((m) => touch(m.buffer, position));
    if (buffers.get(name)?.role !== "temporary") return;
    const span = spans.get(name);
    if (!span) spans.set(name, { begin: position, end: position + 1 });
    else span.end = position + 1;
  };
  kernels.forEach((kernel, position) => kernel.buffers.forEach((ref) => touch(ref.name, position)));
  for (const { from } of placement.copies) touch(from, kernels.length);
  return [...spans].map(([name, span]) => ({ name, bytes: bytesOf(buffers.get(name)!), ...span }));
}

/** Temporaries as they may be moved: members of a slab together, all others alone. */
function clustersOf(lifetimes: readonly Lifetime[], slabs: readonly Slab[]): Cluster[] {
  const byName = new Map(lifetimes.map((life) => [life.name, life]));
  const clusters: Cluster[] = [];
  for (const { name, members, role } of slabs) {
    if (role !== "temporary") continue;
    clusters.push({ name, members: members.map((m) => ({ life: byName.get(m.buffer)!, offset: m.offset })) });
    for (const m of members) byName.delete(m.buffer);
  }
  return [
    ...clusters,
    ...[...byName.values()].map((life) => ({ name: life.name, members: [{ life, offset: 0 }] })),
  ];
}

/** What shares an arena with something the kernel writes is bound for writing too. */
export function withArenaAccess(kernel: AnyKernel, bindings: readonly Pick<Binding, "arena">[]): AnyKernel {
  const written = new Set<number>();
  kernel.buffers.forEach((b, i) => {
    if (b.access !== "read") written.add(bindings[i]!.arena);
  });
  return {
    ...kernel,
    buffers: kernel.buffers.map((b, i) =>
      written.has(bindings[i]!.arena) ? { ...b, access: "read_write" as const } : b
    ),
  };
}
