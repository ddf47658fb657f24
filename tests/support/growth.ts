/**
 * Does something hold memory? A leak grows in every round; a garbage collector that comes late does so in one.
 * @module
 */

import assert from "node:assert/strict";

/** Megabytes that a process may grow by, beyond what `alone` grows it by. */
const slack = 10;
const most = 4;

async function grownBy(act: () => Promise<void>): Promise<number> {
  const before = Deno.memoryUsage().rss;
  await act();
  return Math.max(0, Deno.memoryUsage().rss - before) / 1e6;
}

/**
 * Fails where `act` makes the process grow more than `alone` does, round after round.
 *
 * @param act What is tested, after a warm-up.
 * @param alone What may grow: as many empty submits.
 * @returns How often `act` ran.
 */
export async function assertNoGrowth(
  { act, alone }: { act(): Promise<void>; alone(): Promise<void> },
): Promise<number> {
  const rounds: string[] = [];
  while (rounds.length < most) {
    const byNothing = await grownBy(alone);
    const byAct = await grownBy(act);
    rounds.push(`${byAct.toFixed(1)} MB, and empty submits by ${byNothing.toFixed(1)} MB`);
    if (byAct <= byNothing + slack) return rounds.length;
  }
  assert.fail(`Each round grew the process by\n${rounds.join("\n")}`);
}
