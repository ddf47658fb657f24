/**
 * Where barriers go: in front of a phase that touches what a phase since the last barrier wrote, or that writes what one
 * touched. Phases stand in uniform control flow by construction, so each place is legal.
 *
 * A loop's first phase follows the phases before the loop and the last ones of its own body. So the phases pending at
 * the head of a loop are found by walking the body until nothing is added. A barrier once placed stays: the walk
 * only adds barriers, and ends.
 *
 * Shared memory and storage have separate barriers in WGSL. A conflict in storage takes both; one in shared memory alone
 * leaves storage accesses pending.
 */

import { blocksOf, statementsOf, touchOf } from "../kernel/walk.ts";
import type { ArrayDecl, Block, Kernel, Phase } from "../kernel/ir.ts";

export type Barrier = "workgroup" | "storage";

type Place = string | ArrayDecl;
interface Accesses {
  readonly touched: ReadonlySet<Place>;
  readonly written: ReadonlySet<Place>;
}

const nothing: Accesses = { touched: new Set(), written: new Set() };
const isStorage = (place: Place): boolean => typeof place === "string";

const union = (a: Accesses, b: Accesses): Accesses => ({
  touched: a.touched.union(b.touched),
  written: a.written.union(b.written),
});
const covers = (a: Accesses, b: Accesses): boolean =>
  b.touched.isSubsetOf(a.touched) && b.written.isSubsetOf(a.written);
const only = (places: ReadonlySet<Place>, keep: (place: Place) => boolean): ReadonlySet<Place> =>
  new Set([...places].filter(keep));

/** The barrier in front of each phase that needs one. */
export function barriersOf(kernel: Kernel): ReadonlyMap<Phase, Barrier> {
  const placed = new Map<Phase, Barrier>();
  if (kernel.lanes === 1) return placed;
  const accesses = new Map<Phase, Accesses>();
  for (const block of blocksOf(kernel.body)) {
    if (block.kind === "phase") accesses.set(block, accessesOf(block));
  }

  const walk = (blocks: readonly Block[], before: Accesses): Accesses => {
    let pending = before;
    for (const block of blocks) {
      if (block.kind === "phase") {
        const own = accesses.get(block)!;
        const conflicts = [
          ...pending.written.intersection(own.touched),
          ...own.written.intersection(pending.touched),
        ];
        if (conflicts.some(isStorage)) placed.set(block, "storage");
        else if (conflicts.length > 0 && !placed.has(block)) placed.set(block, "workgroup");
        const barrier = placed.get(block);
        if (barrier === "storage") pending = nothing;
        if (barrier === "workgroup") {
          pending = { touched: only(pending.touched, isStorage), written: only(pending.written, isStorage) };
        }
        pending = union(pending, own);
      } else if (block.kind === "loop") {
        for (;;) {
          const after = walk(block.body, pending);
          if (covers(pending, after)) break;
          pending = union(pending, after);
        }
      }
    }
    return pending;
  };
  walk(kernel.body, nothing);
  return placed;
}

/** What lanes can see of each other's doing in a phase: shared arrays and buffers, not a lane's own arrays. */
function accessesOf(phase: Phase): Accesses {
  const touched = new Set<Place>();
  const written = new Set<Place>();
  for (const statement of statementsOf(phase)) {
    const touch = touchOf(statement);
    if (!touch || (typeof touch.place !== "string" && touch.place.space === "lane")) continue;
    touched.add(touch.place);
    if (touch.writes) written.add(touch.place);
  }
  return { touched, written };
}
