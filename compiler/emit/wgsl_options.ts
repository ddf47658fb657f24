/** What the text of a kernel depends on beside the kernel: what was asked of a target. */

import type { Target } from "../target.ts";
import type { WgslOptions } from "./wgsl.ts";

export const wgslOptionsOf = ({ features, broadcast, quirks: { loopBound } }: Target): WgslOptions => ({
  features,
  broadcast,
  loopBound,
});
