/** A new fusion policy: the pair that saves most, then the next. `deno run -A examples/extend/policy.ts` */

import { Candidates, comparePlans, crossEntropy, type Device, type FusionPolicy, gelu } from "../../mod.ts";
import { input, layerNorm, linear, model, openDevice, type Part, policies, printPlans } from "../../mod.ts";

export const bestPairFirst: FusionPolicy = {
  name: "best pair first",
  cover(graph, options) {
    // What may be one kernel, what shares memory, what a set of ops costs: all are questions to one object.
    const candidates = new Candidates(graph, options);
    const refused = new Set<string>();
    const meet = (a: Part, b: Part) => a.some((i) => b.some((k) => candidates.neighbors[i]!.has(k)));
    let parts: Part[] = candidates.atoms.map((_, i) => [i]);
    for (;;) {
      let best = { saves: 0, both: [] as Part, parts };
      for (const [i, a] of parts.entries()) {
        for (const b of parts.slice(i + 1).filter((b) => meet(a, b))) {
          const both = [...a, ...b].sort((x, y) => x - y);
          if (refused.has(both.join()) || candidates.refusal(both)) continue;
          const saves = candidates.ms(a) + candidates.ms(b) - candidates.ms(both);
          const others = parts.filter((part) => part !== a && part !== b);
          if (saves > best.saves) best = { saves, both, parts: [...others, both] };
        }
      }
      if (best.saves === 0) return candidates.cover(parts);
      // Two kernels with a third between them cannot be one.
      if (candidates.isRunnable(best.parts)) parts = best.parts;
      else refused.add(best.both.join());
    }
  },
};

const net = model({ x: input(["batch", 64], "f32"), y: input(["batch"], "i32") }, ({ x, y }) => {
  return { loss: crossEntropy(linear(64, 10)(layerNorm(gelu(linear(64, 64)(x)))), y) };
});

/** Compares it with no fusion and with the default. */
export async function example(device: Device): Promise<void> {
  const found = await comparePlans(net, {
    none: { policy: policies.none },
    [bestPairFirst.name]: { policy: bestPairFirst },
    greedy: { policy: policies.greedy },
  }, { device, sizes: { batch: 256 }, rounds: 6 });
  console.log(printPlans(found));
  const [none, own] = found.rows.map(({ plan }) => plan!);
  if (own!.dispatches < none!.dispatches / 2 && own!.bytes < none!.bytes / 2) return;
  throw new Error("the policy fuses next to nothing");
}

if (import.meta.main) {
  using device = await openDevice();
  await example(device);
}
