/** The policies that ship, by name. A user may pass one of their own: `policy.ts` says what that is. */

import { greedy } from "./greedy.ts";
import { epilogueOnly } from "./policies/epilogue_only.ts";
import { exhaustive } from "./policies/exhaustive.ts";
import { max } from "./policies/max.ts";
import { search } from "./policies/search.ts";
import { type FusionPolicy, unfused } from "./policy.ts";

export type PolicyName = "none" | "epilogue-only" | "greedy" | "search" | "max" | "exhaustive";

/**
 *     none            every op a kernel of its own
 *     epilogue-only   elementwise ops join the kernel whose result they read
 *     greedy          the default: two sweeps, each decision weighed by itself
 *     search          steps from greedy's cover towards what the cost model likes better
 *     max             whatever is legal, at any price
 *     exhaustive      the best partition by the cost model; graphs of 12 ops at most
 */
export const policies: Readonly<Record<PolicyName, FusionPolicy>> = {
  none: { name: "none", cover: unfused, takesHints: false },
  "epilogue-only": { name: "epilogue-only", cover: epilogueOnly },
  greedy: { name: "greedy", cover: greedy },
  search: { name: "search", cover: search },
  max: { name: "max", cover: max },
  exhaustive: { name: "exhaustive", cover: exhaustive },
};
