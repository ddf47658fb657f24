/** What the text of a kernel depends on beside the kernel: what was asked of a target. */

import type { WgslOptions } from "./wgsl.ts";

/** What is read of a target (`compiler/target.ts`), which emitters know nothing of. */
interface Emitting {
  readonly features: WgslOptions["features"];
  readonly broadcast: number;
  readonly subgroup: number;
  readonly quirks: { readonly loopBound: number };
}

export const wgslOptionsOf = (
  { features, broadcast, subgroup, quirks: { loopBound } }: Emitting,
): WgslOptions => ({
  features,
  broadcast,
  subgroup,
  loopBound,
});
