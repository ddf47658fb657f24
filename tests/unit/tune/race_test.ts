import assert from "node:assert/strict";
import { compareTimes, median, race, roundsFor } from "../../../runtime/tune/race.ts";
import { randomOf } from "../../support/random.ts";

/** Contenders of known times on a machine whose speed drifts, each measurement off by up to a tenth. */
function machine(times: readonly number[], seed: number) {
  const random = randomOf(seed);
  const measured = times.map(() => 0);
  let speed = 1;
  return {
    measured,
    measure: (contenders: readonly number[], rounds: number): Promise<number[][]> => {
      const out: number[][] = contenders.map(() => []);
      for (let round = 0; round < rounds; round++) {
        speed = Math.max(0.5, Math.min(2, speed * (0.9 + 0.2 * random())));
        contenders.forEach((contender, i) => {
          measured[contender]!++;
          out[i]!.push(times[contender]! * speed * (0.95 + 0.1 * random()));
        });
      }
      return Promise.resolve(out);
    },
  };
}

Deno.test("race() finds the fastest though the machine drifts by more than they differ", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const { measure } = machine([1.3, 1.2, 1, 1.15, 9], seed);
    const ratios = await race(5, measure);
    assert.equal(ratios.indexOf(1), 2, `seed ${seed}`);
    assert(ratios[4]! > 5 && ratios[1]! < 1.5, `${ratios}`);
  }
});

Deno.test("race() stops measuring what is slow", async () => {
  const { measure, measured } = machine([1, 50, 1.1, 2], 3);
  await race(4, measure);
  assert.equal(measured[1], 1);
  assert(measured[3]! < measured[0]!);
});

Deno.test("compareTimes() takes the faster by more than the noise, and no other", async () => {
  const verdict = async (times: readonly number[], seed: number) => {
    const [base, other] = await machine(times, seed).measure([0, 1], 31);
    return compareTimes(base!, other!);
  };
  let wrong = 0;
  for (let seed = 1; seed <= 50; seed++) {
    if ((await verdict([1, 1], seed)).faster) wrong++;
    assert((await verdict([1, 0.8], seed)).faster, `seed ${seed}`);
    assert(!(await verdict([1, 1.1], seed)).faster);
  }
  assert.equal(wrong, 0, `${wrong} of 50 equal ones were told apart`);
});

Deno.test("roundsFor() fills the time within bounds", () => {
  assert.equal(roundsFor(100, 10, 3), 10);
  assert.equal(roundsFor(100, 90, 3), 3);
  assert.equal(roundsFor(100, 0.001, 3), 50);
  assert.equal(roundsFor(100, 0, 3), 3);
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
});
