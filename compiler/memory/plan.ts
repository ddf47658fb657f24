/**
 * Addresses. Lifetimes are half-open intervals over kernel positions: `begin` is the first position that touches a
 * buffer, `end` is one past the last. Two buffers may share bytes iff their intervals do not meet.
 *
 * Greedy (Pisarchyk & Lee 2020): one after the other, each at the lowest offset where nothing that lives at the same time
 * is in the way; the largest first, or the longest-lived, or the largest of bytes times life, or the first to be born,
 * whichever takes the least. Buffers that must lie side by side (a slab) move as one, but each lives for itself: before a
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
  const bound = lowerBound(clusters.flatMap((c) => c.members.map((m) => m.life)));
  const plans = orders.map((order) => place(sorted(clusters, order)));
  return { ...plans.reduce((best, plan) => plan.peak < best.peak ? plan : best), bound };
}

/** What comes first is placed first. No order is the best for all programs; trying them costs a few milliseconds. */
const orders: readonly ((c: Cluster) => number)[] = [
  (c) => -extentOf(c),
  (c) => begin(c) - end(c),
  (c) => -extentOf(c) * (end(c) - begin(c)),
  (c) => begin(c),
];

const begin = ({ members }: Cluster): number => members.reduce((n, m) => Math.min(n, m.life.begin), Infinity);
const end = ({ members }: Cluster): number => members.reduce((n, m) => Math.max(n, m.life.end), 0);

/** Clusters of several before all others: they are hardest to fit in. */
function sorted(clusters: readonly Cluster[], order: (c: Cluster) => number): Cluster[] {
  const keys = clusters.map((c) => ({ c, several: c.members.length > 1, key: order(c), begin: begin(c) }));
  keys.sort((a, b) =>
    Number(b.several) - Number(a.several) || a.key - b.key || a.begin - b.begin ||
    (a.c.name < b.c.name ? -1 : 1)
  );
  return keys.map(({ c }) => c);
}

/** Each at the lowest offset where nothing that lives at the same time is in the way. */
function place(order: readonly Cluster[]): Omit<Addresses, "bound"> {
  const offsets = new Map<string, number>();
  const placed: Placed[] = [];
  let peak = 0;
  for (const c of order) {
    const offset = lowest(c, placed);
    offsets.set(c.name, offset);
    for (const { life, offset: within } of c.members) {
      offsets.set(life.name, offset + within);
      placed.push({ life, offset: offset + within, end: offset + within + aligned(life.bytes) });
    }
    peak = Math.max(peak, offset + extentOf(c));
  }
  return { offsets, peak };
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
