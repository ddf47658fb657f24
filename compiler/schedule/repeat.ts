/**
 * Equal groups have equal kernels: the second of forty equal layers takes the kernels of the first, on its own buffers.
 */

import type { Group } from "../fuse/group.ts";
import type { Storage } from "../fuse/lower_group.ts";
import { signatureOf } from "../fuse/signature.ts";
import type { Node, Tensor } from "../graph/node.ts";
import type { Statement } from "../kernel/ir.ts";
import type { BufferRef } from "../kernel/value.ts";
import type { ScheduledKernel } from "./group.ts";

interface Known {
  readonly kernels: readonly ScheduledKernel[];
  readonly buffers: readonly BufferRef[];
  readonly group: Group;
}

export class ScheduleMemory {
  readonly #known = new Map<string, Known>();
  #repeats = 0;

  constructor(readonly storage: (tensor: Tensor) => Storage) {}

  /** The kernels of a group: of an equal one met before, or made by `schedule`. */
  kernels(
    group: Group,
    label: string,
    schedule: () => readonly ScheduledKernel[],
  ): readonly ScheduledKernel[] {
    // A random op's stream is a parameter's value, which belongs to this group alone.
    if ([...group.nodes].some((n) => n.attrs.stream !== undefined)) return schedule();
    const { text, operands } = signatureOf(group, this.storage);
    const buffers = operands.map((t) => this.storage(t).buffer);
    const known = this.#known.get(text);
    if (!known) {
      const kernels = schedule();
      this.#known.set(text, { kernels, buffers, group });
      return kernels;
    }
    const renamed = new Map(known.buffers.map((b, i) => [b.name, buffers[i]!]));
    const number = ++this.#repeats;
    const own = (ref: BufferRef): BufferRef =>
      renamed.get(ref.name) ?? { ...ref, name: `${ref.name}/${number}` };
    return known.kernels.map((k) => ({
      ...k,
      label,
      buffers: k.buffers.map(own),
      scratch: k.scratch.map(own),
      ...k.serves && { serves: servedBy(group, known.group, k.serves) },
    }));
  }
}

/** What a kernel's statements serve in another group of the same signature, which has equal ops in equal places. */
function servedBy(
  group: Group,
  known: Group,
  serves: ReadonlyMap<Statement, Node>,
): ReadonlyMap<Statement, Node> {
  const inOrder = ({ nodes }: Group) => [...nodes].sort((a, b) => a.id - b.id);
  const own = inOrder(group);
  const ops = new Map(inOrder(known).map((node, i) => [node, own[i]!]));
  return new Map([...serves].map(([statement, op]) => [statement, ops.get(op)!]));
}
