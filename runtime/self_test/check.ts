/**
 * What a check of an adapter is, and what it finds.
 * @module
 */

import type { WantedFeature } from "../adapter.ts";

/** One question to an adapter. Its key in the table of checks is its name. */
export interface Check {
  /** What it means when the answer is yes, as a sentence. */
  readonly means: string;
  /** The answer may be wrong in a way that ends the whole process; such a check is run only where that does no harm. */
  readonly mayAbort?: true;
  ask(subject: Subject): Promise<Finding>;
}

/** What is asked. */
export interface Subject {
  readonly device: GPUDevice;
  readonly features: readonly WantedFeature[];
}

export interface Finding {
  readonly ok: boolean;
  /** What was seen, in a few words. */
  readonly saw: string;
  /** The number behind the answer, where there is a finite one: an error, a size. */
  readonly measured?: number;
}
