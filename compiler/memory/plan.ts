/**
 * Addresses. Lifetimes are half-open intervals over kernel positions: `begin` is the first position that touches a
 * buffer, `end` is one past the last. Two buffers may share bytes iff their intervals do not meet.
 *
 * Greedy by size (Pisarchyk & Lee 2020): the largest buffer first, each at the lowest offset where nothing that lives at
 * the same time is in the way. The lower bound for an order is the largest sum of bytes alive at one position; the plan
 * says how close it came.
 */

/** Every offset is a multiple of this: WebGPU's alignment of bindings. */
export const alignment = 256;

export const aligned = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

export interface Lifetime {
  readonly name: string;
  readonly bytes: number;
  readonly begin: number;
  readonly end: number;
}

export interface Addresses {
  readonly offsets: ReadonlyMap<string, number>;
  /** Bytes of the arena. */
  readonly peak: number;
  /** Largest sum of bytes alive at one position: no plan for this order needs less. */
  readonly bound: number;
}

const meet = (a: Lifetime, b: Lifetime): boolean => a.begin < b.end && b.begin < a.end;

export function assignAddresses(lifetimes: readonly Lifetime[]): Addresses {
  const offsets = new Map<string, number>();
  const placed: { life: Lifetime; offset: number; bytes: number }[] = [];
  let peak = 0;
  const bySize = [...lifetimes].sort((a, b) =>
    b.bytes - a.bytes || a.begin - b.begin || (a.name < b.name ? -1 : 1)
  );
  for (const life of bySize) {
    const bytes = aligned(life.bytes);
    const busy = placed.filter((p) => meet(p.life, life)).sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const p of busy) {
      if (offset + bytes <= p.offset) break;
      offset = Math.max(offset, p.offset + p.bytes);
    }
    placed.push({ life, offset, bytes });
    offsets.set(life.name, offset);
    peak = Math.max(peak, offset + bytes);
  }
  return { offsets, peak, bound: lowerBound(lifetimes) };
}

/** The largest sum of aligned bytes alive at one position. */
export function lowerBound(lifetimes: readonly Lifetime[]): number {
  const change = new Map<number, number>();
  for (const { begin, end, bytes } of lifetimes) {
    change.set(begin, (change.get(begin) ?? 0) + aligned(bytes));
    change.set(end, (change.get(end) ?? 0) - aligned(bytes));
  }
  let live = 0;
  let bound = 0;
  for (const [, delta] of [...change].sort(([a], [b]) => a - b)) bound = Math.max(bound, live += delta);
  return bound;
}
