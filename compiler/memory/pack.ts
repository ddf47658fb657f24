import type { BufferInfo } from "./placement.ts";

/** Buffers laid side by side, so that one kernel can bind them as one. */
export interface Slab extends BufferInfo {
  /** Offsets in bytes, multiples of 256; the gaps are zero and stay zero. */
  readonly members: readonly { readonly buffer: string; readonly offset: number }[];
}
