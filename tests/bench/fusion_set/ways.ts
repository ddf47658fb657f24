/** How a program of the set is compiled: by a fusion policy, or as the same program without fusion. */

import { type FusionPolicy, Model, type Pass, passes, policies, withoutPasses } from "../../../mod.ts";
import { library } from "./library.ts";

export interface Way {
  readonly policy: FusionPolicy;
  readonly passes: readonly Pass[];
  /** Whether attention stays the plain ops that it was written in: that it becomes one op is fusion too. */
  readonly plain: boolean;
}

/** The policies that may be asked for by name. */
export const known: Readonly<Record<string, FusionPolicy>> = { ...policies, library };

/** Nothing is computed twice where no kernel takes the copy in: that would only be slower. Equal updates are packed. */
const once = withoutPasses(passes, "rematerialize");

export const fusedBy = (policy: FusionPolicy): Way =>
  policy === library ? { policy, passes: once, plain: true } : { policy, passes, plain: false };

/** Each op a kernel. */
export const unfused: Way = { policy: policies.none, passes: once, plain: true };

/** The model as a way compiles it. */
export const modelFor = (model: Model, { plain }: Way): Model =>
  plain ? new Model(model.inputs, model.traced, model.phase, []) : model;
