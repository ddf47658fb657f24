/**
 * What a page downloads before it can run a network, and how long a first visitor waits for the first numbers.
 *
 * Chromium with an empty profile is started anew for every visit, libraries in turn; a page's files lie on 127.0.0.1, so
 * the time is that of parsing, compiling and the device, and bytes are what a network would add. Bytes are of the files
 * that the page asked for, as they are and compressed by gzip. All pages must give the same numbers as Weft on the CPU.
 * @module
 */

import { gzipSync } from "node:zlib";
import { chromiumPath, openPage } from "../../support/browser.ts";
import { bytesOf as joined } from "../../support/bundles.ts";
import { UsageError } from "../../../runtime/cli/usage_error.ts";
import { table } from "../../../runtime/table.ts";
import { expected, networks } from "./networks.ts";
import { libraries, type Site } from "./sites.ts";
import { median } from "../interleave.ts";

/** A site that remembers what was asked of it. */
class Counted extends Map<string, readonly Uint8Array[] | string> {
  readonly asked = new Set<string>();

  override get(name: string): readonly Uint8Array[] | string | undefined {
    const file = super.get(name);
    if (file !== undefined) this.asked.add(name);
    return file;
  }
}

interface Visit {
  /** From the navigation to the first result. */
  readonly ms: number;
  readonly asked: ReadonlySet<string>;
}

/** One first visit. @throws where the page gives no numbers, or others than it should. */
async function visit(site: Site, wanted: Float32Array): Promise<Visit> {
  const served = new Counted(site);
  await using opened = await openPage(served, "index.html");
  await opened.page.waitForFunction("globalThis.result !== undefined", undefined, { timeout: 120_000 });
  const { ms, values, error } = await opened.page.evaluate("globalThis.result") as {
    readonly ms: number;
    readonly values: readonly number[];
    readonly error?: string;
  };
  if (error !== undefined) throw new Error(error);
  const largest = wanted.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  const wrong = wanted.findIndex((x, i) => !(Math.abs(x - values[i]!) <= 1e-4 * largest));
  if (wrong >= 0 || values.length !== wanted.length) {
    throw new Error(`it gives ${values[wrong]} at ${wrong}, and Weft on the CPU ${wanted[wrong]}`);
  }
  return { ms, asked: served.asked };
}

/** Bytes of files of a site, as they are and compressed one by one. */
function bytesOf(site: Site, names: Iterable<string>): { readonly raw: number; readonly gzip: number } {
  let [raw, gzip] = [0, 0];
  for (const name of names) {
    if (name === "input.bin") continue; // what a visitor draws or types
    const file = site.get(name)!;
    const bytes = typeof file === "string" ? new TextEncoder().encode(file) : joined(file);
    raw += bytes.length;
    gzip += gzipSync(bytes, { level: 9 }).length;
  }
  return { raw, gzip };
}

interface Row {
  readonly network: string;
  readonly library: string;
  readonly raw: number;
  readonly gzip: number;
  readonly files: number;
  readonly ms?: number;
  readonly error?: string;
}

/**
 * Prints a row for each network and library.
 *
 * @throws UsageError where there is no Chromium.
 */
export async function firstVisits(
  { peers, rounds, json }: {
    readonly peers: string | undefined;
    readonly rounds: number;
    readonly json: boolean;
  },
): Promise<void> {
  if (chromiumPath() === undefined) {
    throw new UsageError(
      "there is no Chromium here; install one (apt-get install chromium), or name it: CHROMIUM=PATH.",
    );
  }
  const rows = await measure(peers, rounds);
  console.log(json ? rows.map((row) => JSON.stringify(row)).join("\n") : show(rows));
}

async function measure(peers: string | undefined, rounds: number): Promise<Row[]> {
  const rows: Row[] = [];
  for (const network of networks()) {
    const wanted = await expected(network);
    const sites = await Promise.all(
      libraries(peers).map(async (library) => ({ library, site: await library.site(network) })),
    );
    const visits = sites.map((): Visit[] => []);
    const errors = sites.map((): string | undefined => undefined);
    for (let round = 0; round < rounds; round++) {
      for (const [i, { site }] of sites.entries()) {
        if (errors[i] !== undefined) continue;
        try {
          visits[i]!.push(await visit(site, wanted));
        } catch (error) {
          errors[i] = error instanceof Error ? error.message.split("\n")[0]! : String(error);
        }
      }
    }
    for (const [i, { library, site }] of sites.entries()) {
      // A page that failed may have asked for less than it needs.
      const asked = visits[i]!.at(-1)?.asked ?? site.keys();
      const names = [...asked];
      rows.push({
        network: network.name,
        library: library.name,
        ...bytesOf(site, names),
        files: names.length - 1,
        ...errors[i] === undefined ? { ms: median(visits[i]!.map(({ ms }) => ms)) } : { error: errors[i] },
      });
    }
  }
  return rows;
}

const kB = (bytes: number): string =>
  `${(bytes / 1000).toLocaleString("en", { maximumFractionDigits: 0 })} kB`;

function show(rows: readonly Row[]): string {
  const shown = rows.map(({ network, library, raw, gzip, files, ms, error }) => [
    network,
    library,
    String(files),
    kB(raw),
    kB(gzip),
    ms === undefined ? `doesn't run: ${error}` : `${ms.toFixed(0)} ms`,
  ]);
  return table([["network", "library", "files", "bytes", "gzip", "first result"], ...shown]).join("\n");
}
