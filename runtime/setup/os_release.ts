/**
 * Which distribution this is, from the text of `/etc/os-release`.
 * @module
 */

export interface Distribution {
  /** `debian`, `ubuntu`, …; empty where the file does not say. */
  readonly id: string;
  /** The release's name as apt's suites spell it, such as `bookworm`. */
  readonly codename: string;
}

/** Reads `NAME=value` lines, where a shell's quotes around the value are allowed. */
export function parseOsRelease(text: string): Distribution {
  const field = (name: string) =>
    text.match(new RegExp(`^${name}=(["']?)(.*)\\1\\s*$`, "m"))?.[2]?.toLowerCase() ?? "";
  return { id: field("ID"), codename: field("VERSION_CODENAME") };
}
