/**
 * Installing a software Vulkan adapter (Mesa's lavapipe) on Debian and Ubuntu.
 *
 * Which Mesa matters: 22.3.6, which Debian 12 ships, ends a shader's loops silently after 65,535 iterations. So the
 * version that apt would install is looked at first, and where it is too old the release's backports suite is added.
 * @module
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { rewriteSuite, servesSuite, type SourceFormat, urisOfferingSuite } from "./apt_sources.ts";
import { run } from "./command.ts";
import { type Distribution, parseOsRelease } from "./os_release.ts";

const DRIVERS = "mesa-vulkan-drivers";
const PACKAGES = [DRIVERS, "libvulkan1"];
const APT = "/etc/apt";

/** The oldest major version of Mesa that is known to run long loops to their end. */
const OLDEST_GOOD_MESA = 25;

/** Where Mesa cannot be installed by us: a sentence that says what to install by hand. Null where it can. */
export function whatToInstallByHand(): string | null {
  if (Deno.build.os !== "linux") return "Update this machine's graphics driver.";
  const version = `version ${OLDEST_GOOD_MESA} or newer`;
  if (!existsSync("/usr/bin/apt-get")) {
    return `Install the Vulkan driver of this machine's GPU, or Mesa's lavapipe, ${version}.`;
  }
  if (Deno.uid() !== 0) {
    return `Run this command once as root, or install the packages ${PACKAGES.join(" and ")}, ${version} ` +
      "(on Debian 12 they are in bookworm-backports).";
  }
  return null;
}

/** Installs Mesa's Vulkan drivers and the Vulkan loader, which takes about a minute. Throws where apt fails. */
export async function installMesa(): Promise<void> {
  const distribution = parseOsRelease(await Deno.readTextFile("/etc/os-release"));
  // The package lists first: a fresh container has none, and then apt knows no version of anything.
  await run("apt-get", ["update"]);
  const policy = await run("apt-cache", ["policy", DRIVERS]);
  const suite = suiteForMesa(distribution, candidateVersion(policy));
  if (suite !== null) {
    await addSuite(distribution.codename, suite, urisOfferingSuite(policy, distribution.codename));
  }
  const fromSuite = suite === null ? [] : ["--target-release", suite];
  await run("apt-get", ["install", "--yes", "--no-install-recommends", ...fromSuite, ...PACKAGES]);
}

/**
 * The suite that has a Mesa new enough, given the version that apt would install by itself; null when that one is new
 * enough, or when the distribution has no newer one to offer and the self-test has to decide.
 */
export function suiteForMesa(distribution: Distribution, candidate: string | null): string | null {
  const major = Number(candidate?.match(/^(?:\d+:)?(\d+)\./)?.[1] ?? 0);
  if (major >= OLDEST_GOOD_MESA || distribution.id !== "debian" || distribution.codename === "") return null;
  return `${distribution.codename}-backports`;
}

/** The version that apt would install, from `apt-cache policy <package>`; null where it knows none. */
export function candidateVersion(policy: string): string | null {
  const version = policy.match(/^\s*Candidate: (\S+)$/m)?.[1];
  return version === undefined || version === "(none)" ? null : version;
}

/** Makes apt know `suite` too: a copy of the machine's own entry for `codename`, in a file of its own. */
async function addSuite(codename: string, suite: string, uris: readonly string[]): Promise<void> {
  const sources = await readSources();
  if (sources.some(({ text, format }) => servesSuite(text, format, suite))) return;
  const change = { from: codename, to: suite, ...(uris.length > 0 ? { uris } : {}) };
  for (const { text, format } of sources) {
    const copy = rewriteSuite(text, format, change);
    if (copy === "") continue;
    const path = join(APT, "sources.list.d", `weft-backports.${format === "deb822" ? "sources" : "list"}`);
    await Deno.writeTextFile(path, copy);
    try {
      await updateFrom(path);
    } catch (error) {
      // A source that cannot be fetched would be in the way of every later `apt-get update` of this machine.
      await Deno.remove(path);
      throw error;
    }
    return;
  }
  throw new Error(`apt's sources have no entry for ${codename} from which to make one for ${suite}.`);
}

/** Fetches the lists of one file's sources, and fails where any can't be: apt by itself only warns of most errors. */
async function updateFrom(path: string): Promise<void> {
  const only = [`Dir::Etc::sourcelist=${path}`, "Dir::Etc::sourceparts=-", "APT::Get::List-Cleanup=0"];
  await run("apt-get", ["update", "--error-on=any", ...only.flatMap((option) => ["-o", option])]);
}

/** The texts of all files of apt sources on this machine, in apt's order. */
async function readSources(): Promise<{ text: string; format: SourceFormat }[]> {
  const folder = join(APT, "sources.list.d");
  const names = existsSync(folder) ? [...Deno.readDirSync(folder)].map(({ name }) => name).sort() : [];
  const paths = [join(APT, "sources.list"), ...names.map((name) => join(folder, name))].filter((path) =>
    /\.(list|sources)$/.test(path) && existsSync(path)
  );
  return await Promise.all(paths.map(async (path) => ({
    text: await Deno.readTextFile(path),
    format: path.endsWith(".sources") ? "deb822" as const : "one-line" as const,
  })));
}
