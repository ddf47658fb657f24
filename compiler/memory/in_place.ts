/**
 * Which results may be written over what their kernel reads: a state's new value over the old one, and a temporary over
 * one that dies there.
 *
 * Sound iff each lane reads all it needs of an element before it writes it and no other workgroup reads it in that
 * dispatch (SEMANTICS §3): every load of the old contents is at the very index of the store, by the lane that stores.
 * That every other group that reads the old contents runs before is for the caller to see to.
 */

import { type Group, isProgramNode, loadsOf } from "../fuse/group.ts";
import { classify } from "../fuse/legal.ts";
import { isRefused } from "../fuse/reason.ts";
import { denseStorage, lowerGroup } from "../fuse/lower_group.ts";
import type { Tensor } from "../graph/node.ts";
import { type Reduce, type Value, walk } from "../kernel/value.ts";
import type { LoweredGroup } from "../schedule/group.ts";
import { rowInPlaceSafe } from "../schedule/row/in_place.ts";

/** A result, and the tensor whose memory it takes over. */
export interface Overlay {
  readonly value: Tensor;
  readonly old: Tensor;
}

/** A group's values and what legality says of them. */
type Lowered = LoweredGroup & { readonly verdict: ReturnType<typeof classify> };

export class InPlace {
  /** One group writes several states. */
  readonly #lowered = new Map<Group, Lowered>();

  /** Why a group may not write a result over a tensor of the same type; undefined where it may. */
  refusal(group: Group, value: Tensor, old: Tensor): string | undefined {
    if (!loadsOf(group).some((t) => t.key === old.key)) return undefined;
    if (isProgramNode(value.node)) return `${value.node.op.name} may read what it has already overwritten`;
    const { verdict, ...lowered } = this.#lower(group);
    if (isRefused(verdict)) return verdict.refused;
    const root = lowered.roots[group.roots.findIndex((r) => r.key === value.key)]!;
    const name = denseStorage(old).buffer.name;
    const readsIn = (values: readonly Value[]): Value[] => {
      const found: Value[] = [];
      walk(values, (v) => {
        if (v.kind === "load" && v.buffer.name === name) found.push(v.index);
      });
      return found;
    };
    if (readsIn(lowered.roots.map((r) => r.value)).some((index) => index !== root.index)) {
      return "another element of the old contents is read than is written";
    }
    switch (verdict.kind) {
      case "map":
        return undefined; // a lane evaluates all results of its elements before it stores any
      case "row": {
        const safety = rowInPlaceSafe(lowered, root, name);
        return safety.safe ? undefined : safety.because;
      }
      case "scan":
        return "the walk along the row may come back to what it has overwritten";
      case "contraction":
        if (verdict.main && readsIn([verdict.main.body]).length > 0) {
          return "the loop of a contraction reads the old contents again and again";
        }
        // Results of one sum are evaluated before any of them is stored; a sum that rides along has its own time.
        if (lowered.roots.some((r) => ridesAlong(r.value, verdict.main!) && readsIn([r.value]).length > 0)) {
          return "a sum that rides along may be computed after the old contents are gone";
        }
    }
    return undefined;
  }

  /**
   * Results of a group over temporaries that it reads, each at most once.
   *
   * One result of a contraction keeps a buffer of its own: between two chunks of its loop the sums lie there
   * (`schedule/contraction/sums.ts`), and scratch for them would cost as much.
   */
  overlays(group: Group, free: (tensor: Tensor) => boolean): readonly Overlay[] {
    if (isProgramNode(group.roots[0]!.node)) return [];
    const alike = (a: Tensor, b: Tensor) =>
      a.dtype === b.dtype && denseStorage(a).buffer.size === denseStorage(b).buffer.size;
    const olds = loadsOf(group).filter(free);
    const values = group.roots.filter((t) => free(t) && olds.some((old) => alike(old, t)));
    if (values.length === 0) return [];
    const { verdict } = this.#lower(group);
    if (isRefused(verdict)) return [];
    const most = group.roots.length - (verdict.kind === "contraction" ? 1 : 0);
    const found: Overlay[] = [];
    for (const value of values) {
      if (found.length === most) break;
      const old = olds.find((t) =>
        alike(t, value) && found.every((o) => o.old !== t) && this.refusal(group, value, t) === undefined
      );
      if (old) found.push({ value, old });
    }
    return found;
  }

  #lower(group: Group): Lowered {
    let known = this.#lowered.get(group);
    if (!known) {
      const lowered = lowerGroup(group);
      this.#lowered.set(group, known = { ...lowered, verdict: classify(lowered, Infinity) });
    }
    return known;
  }
}

/** Is a result of a contraction's kernel the sum of one side, and not of the products? */
function ridesAlong(value: Value, main: Reduce): boolean {
  let other = false;
  walk([value], (v) => {
    if (v.kind === "reduce" && v !== main) other = true;
  });
  return other;
}
