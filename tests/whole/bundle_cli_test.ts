/** The commands that build and look into bundles, as somebody types them. Running one needs a device: tests/gpu. */

import assert from "node:assert/strict";
import { join } from "node:path";
import { workspace } from "../support/workspace.ts";

const root = new URL("../../", import.meta.url).pathname;
const models = join(root, "tests/support/bundle_models.ts");

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function weft(...args: readonly string[]): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", join(root, "cli.ts"), ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test("build writes a bundle, and inspect prints it", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weft-test-" });
  try {
    const dist = join(folder, "dist");
    const built = await weft(
      "build",
      models,
      "--export",
      "mlp",
      "--size",
      "batch=1",
      "--size",
      "batch=3",
      "--out",
      dist,
      "--no-self-test",
      "--features",
      "f16",
    );
    assert.equal(built.code, 0, built.err);
    assert.match(
      built.out,
      /dist: \d+ kernels, 1 variant, [\d,]+ bytes in \d+ files\nNo kernel of this model is better with shader-f16/,
    );
    assert.match(built.out, /\nThe weights are drawn from the seed 0: --state FILE gives trained ones/);
    assert.equal(built.err, "");
    const unfed = await weft("run", dist);
    assert.equal(unfed.code, 2);
    assert.match(unfed.err, /The input "x", f32 \[batch, 20\], is not given: --input x=FILE\.npy/);
    const shown = await weft("inspect", dist);
    assert.equal(shown.code, 0, shown.err);
    assert.match(shown.out, /^dist: a bundle for inference, made by weft/);
    assert.match(shown.out, /batch = 3: \d+ steps/);
    await Deno.writeTextFile(join(dist, "manifest.json"), "{}");
    const broken = await weft("inspect", dist);
    assert.equal(broken.code, 1);
    assert.match(broken.err, /^weft: manifest\.json: it must have required property '\$schema'\.\n$/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("mistakes on the command line are sentences", async () => {
  const cases: readonly (readonly [args: readonly string[], says: RegExp, code: number])[] = [
    [
      ["build", models, "--out", "/tmp/never"],
      /exports several models; say which with --export\. It exports the models "cnn", "decoder", "gptStep", "halves"/,
      2,
    ],
    [
      ["build", models, "--export", "none", "--out", "/tmp/never"],
      /exports no "none"\. It exports the models/,
      2,
    ],
    [
      ["build", models, "--export", "mlp", "--size", "batch", "--out", "/tmp/never"],
      /--size batch: "batch" is no size; write a name and a whole number, such as batch=8/,
      2,
    ],
    [
      ["build", models, "--export", "mlp", "--size", "batches=1", "--out", "/tmp/never"],
      /"mlp" has no size "batches"; its sizes are "batch"/,
      2,
    ],
    [
      ["build", models, "--export", "mlp", "--size", "batch=1", "--features", "f64", "--out", "/tmp/never"],
      /there is no feature "f64"; there are f16, subgroups/,
      2,
    ],
    [
      ["build", models, "--export", "mlp", "--size", "batch=1", "--seed", "x", "--out", "/tmp/never"],
      /no whole number from 0 up/,
      2,
    ],
    [
      ["build", "/tmp/no-such-file.ts", "--out", "/tmp/never"],
      /there is no file "\/tmp\/no-such-file\.ts"/,
      2,
    ],
    [["build", models], /required option '--out <folder>' not specified/, 2],
    [
      ["build", models, "--export", "mlp", "--size", "batch=..4", "--limits", models, "--out", "/tmp/never"],
      /--limits .*bundle_models\.ts can't be read: it is no JSON\./,
      2,
    ],
    [
      ["build", models, "--export", "mlp", "--size", "batch=1", "--state", models, "--out", "/tmp/never"],
      /--state .*bundle_models\.ts.* is not a safetensors file/,
      2,
    ],
    [
      ["build", models, "--export", "mlp", "--size", "batch=1", "--out", models],
      /--out: .* is there already and is no bundle/,
      2,
    ],
    [
      ["inspect", "/tmp/no-such-folder"],
      /there is no folder "\/tmp\/no-such-folder"; `weft build` makes one/,
      2,
    ],
    [["inspect", root], /is no bundle: there is no manifest\.json in it/, 2],
    [["run", models, "--self-test"], /is a file; name the folder that `weft build` made/, 2],
    [["run", root, "--self-test", "--times", "2"], /'--self-test' cannot be used with option '--times/, 2],
  ];
  using at = workspace("");
  for (const [args, message, expected] of cases) {
    const { code, out } = await at.run(...args);
    assert.equal(code, expected, `${args.join(" ")}: ${out}`);
    assert.match(out, message);
    assert(!/^\s+at /m.test(out), `a stack: ${out}`);
  }
});

Deno.test("the independent host that is called wrongly, or on no bundle, says so and ends with 2", async () => {
  const folder = await Deno.makeTempDir({ prefix: "weft-test-" });
  try {
    const host = async (...args: readonly string[]) => {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", join(root, "examples/bundle_host/host.mjs"), ...args],
        env: { NO_COLOR: "1" },
      }).output();
      return { code, err: new TextDecoder().decode(stderr) };
    };
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [[], /^host\.mjs: name a bundle's folder: node host\.mjs FOLDER \[MANIFEST_SCHEMA\]\.\n$/],
      [[folder], /^host\.mjs: there is no .*manifest\.json; FOLDER is what `weft build` has made\.\n$/],
      [["a", "b", "c"], /name a bundle's folder/],
    ];
    for (const [args, message] of wrong) {
      const { code, err } = await host(...args);
      assert.equal(code, 2, err);
      assert.match(err, message);
    }
    for (const name of ["manifest.json", "manifest.schema.json"]) {
      await Deno.writeTextFile(join(folder, name), "{");
    }
    assert.deepEqual(await host(folder), {
      code: 1,
      err: `host.mjs: ${join(folder, "manifest.schema.json")} is not JSON.\n`,
    });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
