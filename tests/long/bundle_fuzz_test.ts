/** A hundred thousand bundles that somebody has tampered with. */

import fc from "fast-check";
import { cnn, gptStep, mlp } from "../support/bundle_models.ts";
import { fileText, testBundle } from "../support/bundles.ts";
import {
  applyChange,
  assertManifestIsSafe,
  assertWeightsAreSafe,
  change,
  weightChange,
} from "../support/mutate_bundle.ts";

const options = { selfTest: false, format: "json" } as const;

Deno.test("80,000 changed manifests are refused or safe", async () => {
  using small = await testBundle(mlp, { ...options, sizes: [{ batch: 2 }, { batch: 3 }], open: "batch" });
  using middle = await testBundle(cnn, { ...options, sizes: { batch: 1 } });
  using large = await testBundle(gptStep, {
    ...options,
    selfTest: true,
    features: ["subgroups"],
    sizes: { batch: 1 },
  });
  for (const [bundle, numRuns] of [[small, 40_000], [middle, 35_000], [large, 5000]] as const) {
    const text = fileText(bundle.built, "manifest.json");
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        const manifest = JSON.parse(text);
        for (const one of changes) applyChange(manifest, one);
        assertManifestIsSafe(JSON.stringify(manifest));
      }),
      { numRuns },
    );
  }
});

Deno.test("20,000 changed weight files are refused or safe", async () => {
  using bundle = await testBundle(mlp, { ...options, sizes: { batch: 2 } });
  await fc.assert(
    fc.asyncProperty(weightChange, async (one) => void await assertWeightsAreSafe(bundle.built.files, one)),
    { numRuns: 20_000 },
  );
});
