/**
 * Addresses. Lifetimes are half-open intervals over kernel positions: `begin` is the first position that touches a
 * buffer, `end` is one past the last. Two buffers may share bytes iff their intervals do not meet.
 *
 * Greedy by size (Pisarchyk & Lee 2020): the largest first, each at the lowest offset where nothing that lives at the
 * same time is in the way. Buffers that must lie side by side (a slab) move as one, but each lives for itself: before a
 * gradient is born, its place in the slab serves others.
 *
 * The lower bound for an order is the largest sum of bytes alive at one position; the plan says how close it came.
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

/** Buffers at fixed distances from each other; most have one member at offset 0. */
export interface Cluster {
  readonly name: string;
  readonly members: readonly { readonly life: Lifetime; readonly offset: number }[];
}

export interface Addresses {
  /** Of clusters and of their members. */
  readonly offsets: ReadonlyMap<string, number>;
  /** Bytes of the arena. */
  readonly peak: number;
  /** Largest sum of bytes alive at one position: no plan for this order needs less. */
  readonly bound: number;
}

interface Placed {
  readonly life: Lifetime;
  readonly offset: number;
  readonly end: number;
}

const meet = (a: Lifetime, b: Lifetime): boolean => a.begin < b.end && b.begin < a.end;

const extentOf = ({ members }: Cluster): number =>
  members.reduce((n, m) => Math.max(n, m.offset + aligned(m.life.bytes)), 0);

export function assignAddresses(clusters: readonly Cluster[]): Addresses {
  const offsets = new Map<string, number>();
  const placed: Placed[] = [];
  let peak = 0;
  const begins = (c: Cluster) => c.members.reduce((n, m) => Math.min(n, m.life.begin), Infinity);
  // Clusters of several first: they are hardest to fit in.
  const order = clusters.map((c) => ({
    c,
    bytes: extentOf(c),
    single: c.members.length === 1,
    begin: begins(c),
  }))
    .sort((a, b) =>
      Number(a.single) - Number(b.single) || b.bytes - a.bytes || a.begin - b.begin ||
      (a.c.name < b.c.name ? -1 : 1)
    );
  for (const { c, bytes } of order) {
    const offset = lowest(c, placed);
    offsets.set(c.name, offset);
    for (const { life, offset: within } of c.members) {
      offsets.set(life.name, offset + within);
      placed.push({ life, offset: offset + within, end: offset + within + aligned(life.bytes) });
    }
    peak = Math.max(peak, offset + bytes);
  }
  return { offsets, peak, bound: lowerBound(clusters.flatMap((c) => c.members.map((m) => m.life))) };
}

/** The lowest offset at which no member meets anything that lives at the same time. */
function lowest({ members }: Cluster, placed: readonly Placed[]): number {
  const rivals = members.map(({ life }) => placed.filter((p) => meet(p.life, life)));
  // An offset can only become free where something ends.
  const candidates = new Set([0]);
  members.forEach(({ offset }, i) => {
    for (const p of rivals[i]!) if (p.end >= offset) candidates.add(p.end - offset);
  });
  const fits = (at: number) =>
    members.every(({ life, offset }, i) => {
      const begin = at + offset;
      const end = begin + aligned(life.bytes);
      return rivals[i]!.every((p) => end <= p.offset || p.end <= begin);
    });
  return [...candidates].sort((a, b) => a - b).find(fits)!;
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
