/**
 * What the milliseconds of single dispatches are, on each clock, as part of a sentence.
 * @module
 */

import type { Clock } from "./engine.ts";

export const clockText: Readonly<Record<Clock, string>> = {
  timestamps: "by the device's own timestamps around it",
  fences:
    "from submitting it to having waited for it, less what submitting nothing takes: the device has no timestamps, " +
    "so times are upper bounds",
  calls: "by the host's clock around the JavaScript function that it is",
};
