/** How a program of the set is compiled: by a fusion policy, or as the same program without fusion. */

import type { CompileModelOptions } from "../../../mod.ts";
import { expandComposites, type FusionPolicy, passes, policies, without } from "../../../mod.ts";

export type Way = Required<Pick<CompileModelOptions, "policy" | "passes">>;

export const fusedBy = (policy: FusionPolicy): Way => ({ policy, passes });

/**
 * Each op a kernel. Attention stays the plain ops that it was written in: that it becomes one op is fusion. Nothing is
 * computed twice: a copy that no kernel takes in would only be slower. Equal updates are packed, as in any compile.
 */
export const unfused: Way = {
  policy: policies.none,
  passes: [expandComposites, ...without(passes, "rematerialize")],
};
