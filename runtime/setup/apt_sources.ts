/**
 * Rewriting a machine's own apt sources so that they name another suite.
 *
 * Debian keeps newer packages for a stable release in a suite beside it, `<codename>-backports`. The machine's own
 * entry for the release already says everything needed to reach it: which mirror, which key signs it, which
 * architectures. So the new entry is a copy of the old one with the suite's name changed, and no mirror's address has
 * to be known here.
 *
 * apt has two formats: one line per source (`*.list`), and stanzas of fields, called deb822 (`*.sources`).
 * @module
 */

/** How a file of apt sources is written: `*.sources` files are deb822, `*.list` files are one-line. */
export type SourceFormat = "deb822" | "one-line";

/** Which entries to copy, and the suite that the copies name. */
export interface SuiteChange {
  /** Only entries of exactly this suite are copied, so `bookworm-security` is not taken for `bookworm`. */
  readonly from: string;
  readonly to: string;
  /**
   * Only these mirrors are copied; all of them when absent. A third party's repository often uses the release's name
   * for its own suite, has no backports, and would make `apt-get update` fail.
   */
  readonly uris?: readonly string[];
}

/** The component that holds Mesa; the others would only make `apt-get update` fetch more. */
const COMPONENT = "main";

/**
 * The entries of `text` that serve the suite `change.from`, as entries of the suite `change.to`. Empty when there are
 * none. Options such as Signed-By stay; comments, source packages and disabled entries go.
 *
 * @example
 * ```ts
 * import { rewriteSuite } from "./apt_sources.ts";
 * import assert from "node:assert/strict";
 *
 * const list = "deb [arch=amd64] https://mirror.example/debian bookworm main contrib\n";
 * assert.equal(
 *   rewriteSuite(list, "one-line", { from: "bookworm", to: "bookworm-backports" }),
 *   "deb [arch=amd64] https://mirror.example/debian bookworm-backports main\n",
 * );
 * ```
 */
export function rewriteSuite(text: string, format: SourceFormat, change: SuiteChange): string {
  return format === "deb822" ? rewriteStanzas(text, change) : rewriteLines(text, change);
}

/** Whether an enabled binary entry of `text` already serves `suite`. */
export function servesSuite(text: string, format: SourceFormat, suite: string): boolean {
  return rewriteSuite(text, format, { from: suite, to: suite }) !== "";
}

/**
 * The mirrors from which apt would install a package at this suite, read from `apt-cache policy <package>`. Asking apt
 * which of the machine's sources offers the package tells Debian's own source from a third party's of the same suite.
 */
export function urisOfferingSuite(policy: string, suite: string): string[] {
  const offers = [...policy.matchAll(/^\s+-?\d+ (\S+) ([^\s/]+)\/\S+ \S+ Packages$/gm)];
  return [...new Set(offers.filter(([, , offered]) => offered === suite).map(([, uri]) => uri!))];
}

function rewriteLines(text: string, change: SuiteChange): string {
  const copies = text.split("\n").flatMap((line) => {
    const entry = /^\s*deb\s+(\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+([^#]*)/.exec(line);
    if (!entry) return [];
    const [, options = "", uri = "", suite = "", components = ""] = entry;
    if (suite !== change.from || !isWanted(uri, change) || !words(components).includes(COMPONENT)) return [];
    return [`deb ${options}${uri} ${change.to} ${COMPONENT}\n`];
  });
  return copies.join("");
}

function rewriteStanzas(text: string, change: SuiteChange): string {
  const withoutComments = text.split(/\r?\n/).filter((line) => !line.startsWith("#")).join("\n");
  const copies = withoutComments.split(/\n\s*\n/).flatMap((stanza) => {
    const fields = parseFields(stanza);
    const listed = (name: string) => words(fields.get(name.toLowerCase())?.value ?? "");
    const uris = listed("URIs").filter((uri) => isWanted(uri, change));
    const applies = listed("Types").includes("deb") && listed("Suites").includes(change.from) &&
      listed("Components").includes(COMPONENT) && uris.length > 0 &&
      !/^(no|false|without|off|disable)$/i.test(listed("Enabled").join(""));
    if (!applies) return [];
    const set = (name: string, value: string) => fields.set(name.toLowerCase(), { name, value: ` ${value}` });
    set("Types", "deb");
    set("URIs", uris.join(" "));
    set("Suites", change.to);
    set("Components", COMPONENT);
    return [[...fields.values()].map(({ name, value }) => `${name}:${value}\n`).join("")];
  });
  return copies.join("\n");
}

/** A stanza's fields by lower-case name, in order. A continued line (an embedded key) keeps its leading space. */
function parseFields(stanza: string): Map<string, { name: string; value: string }> {
  const fields = new Map<string, { name: string; value: string }>();
  let last: { name: string; value: string } | undefined;
  for (const line of stanza.split("\n")) {
    const start = /^([A-Za-z][A-Za-z0-9-]*):(.*)$/.exec(line);
    if (start) {
      last = { name: start[1]!, value: start[2]!.trimEnd() };
      fields.set(last.name.toLowerCase(), last);
    } else if (last && /^\s+\S/.test(line)) {
      last.value += `\n${line}`;
    }
  }
  return fields;
}

function isWanted(uri: string, change: SuiteChange): boolean {
  const plain = (address: string) => address.replace(/\/+$/, "");
  return change.uris === undefined || change.uris.some((wanted) => plain(wanted) === plain(uri));
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== "");
}
