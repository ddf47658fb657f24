import assert from "node:assert/strict";
import { classOf } from "../../runtime/adapter_class.ts";
import { cacheKey, recallProfile, rememberProfile } from "../../runtime/quirk_cache.ts";
import type { QuirkProfile } from "../../runtime/self_test.ts";
import { rewriteSuite, servesSuite, urisOfferingSuite } from "../../runtime/setup/apt_sources.ts";
import { candidateVersion, suiteForMesa } from "../../runtime/setup/mesa.ts";
import { parseOsRelease } from "../../runtime/setup/os_release.ts";

const TO_BACKPORTS = { from: "bookworm", to: "bookworm-backports" };

const STANZAS = `Types: deb deb-src
# a snapshot: http://snapshot.example/debian
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
`;

Deno.test("rewriteSuite() keeps Signed-By when it copies a stanza, and drops comments and source packages", () => {
  assert.equal(
    rewriteSuite(STANZAS, "deb822", TO_BACKPORTS),
    `Types: deb
URIs: http://mirror.example/debian
Suites: bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
`,
  );
});

Deno.test("rewriteSuite() keeps a key that is embedded over several lines", () => {
  const key =
    "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEZ\n -----END PGP PUBLIC KEY BLOCK-----\n";
  const stanza = `types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n${key}`;
  const copy = rewriteSuite(stanza, "deb822", TO_BACKPORTS);
  assert.ok(copy.endsWith(key), copy);
  assert.match(copy, /^Types: deb\n/);
});

Deno.test("rewriteSuite() leaves out a stanza that is disabled, for sources only, or of another suite", () => {
  const rest = "URIs: http://mirror.example/debian\nSuites: bookworm\nComponents: main\n";
  assert.equal(rewriteSuite(`Types: deb\nEnabled: no\n${rest}`, "deb822", TO_BACKPORTS), "");
  assert.equal(rewriteSuite(`Types: deb-src\n${rest}`, "deb822", TO_BACKPORTS), "");
  assert.equal(rewriteSuite(`Types: deb\n${rest}`, "deb822", { from: "trixie", to: "trixie-backports" }), "");
});

Deno.test("rewriteSuite() keeps the options of one-line entries and drops comments and other suites", () => {
  const lines = `# deb http://old.example/debian bookworm main
deb [signed-by=/usr/share/keyrings/a.gpg arch=amd64] http://mirror.example/debian bookworm main contrib # ours
deb-src http://mirror.example/debian bookworm main
deb http://mirror.example/debian-security bookworm-security main
`;
  assert.equal(
    rewriteSuite(lines, "one-line", TO_BACKPORTS),
    "deb [signed-by=/usr/share/keyrings/a.gpg arch=amd64] http://mirror.example/debian bookworm-backports main\n",
  );
});

Deno.test("rewriteSuite() copies only the wanted mirrors when a third party uses the release's name too", () => {
  const lines =
    "deb http://mirror.example/debian/ bookworm main\ndeb http://tools.example/apt bookworm main\n";
  const copy = rewriteSuite(lines, "one-line", { ...TO_BACKPORTS, uris: ["http://mirror.example/debian"] });
  assert.equal(copy, "deb http://mirror.example/debian/ bookworm-backports main\n");
  const none = rewriteSuite(STANZAS, "deb822", { ...TO_BACKPORTS, uris: ["http://tools.example/apt"] });
  assert.equal(none, "");
});

Deno.test("servesSuite() is true only for a suite that an entry names", () => {
  assert.ok(servesSuite(STANZAS, "deb822", "bookworm-updates"));
  assert.ok(!servesSuite(STANZAS, "deb822", "bookworm-backports"));
});

const POLICY = `mesa-vulkan-drivers:
  Installed: (none)
  Candidate: 22.3.6-1+deb12u2
  Version table:
     25.0.7-2~bpo12+1 100
        100 http://mirror.example/debian bookworm-backports/main amd64 Packages
     22.3.6-1+deb12u2 500
        500 http://mirror.example/debian bookworm/main amd64 Packages
        100 /var/lib/dpkg/status
`;

Deno.test("urisOfferingSuite() reads the mirrors of exactly one suite from apt's policy", () => {
  assert.deepEqual(urisOfferingSuite(POLICY, "bookworm"), ["http://mirror.example/debian"]);
  assert.deepEqual(urisOfferingSuite(POLICY, "trixie"), []);
});

Deno.test("candidateVersion() reads the version that apt would install, and null when there is none", () => {
  assert.equal(candidateVersion(POLICY), "22.3.6-1+deb12u2");
  assert.equal(candidateVersion("mesa-vulkan-drivers:\n  Installed: (none)\n  Candidate: (none)\n"), null);
  assert.equal(candidateVersion(""), null);
});

Deno.test("suiteForMesa() takes backports only when Debian's own Mesa is too old", () => {
  const bookworm = { id: "debian", codename: "bookworm" };
  assert.equal(suiteForMesa(bookworm, "22.3.6-1+deb12u2"), "bookworm-backports");
  assert.equal(suiteForMesa(bookworm, "25.0.7-2~bpo12+1"), null);
  assert.equal(suiteForMesa({ id: "debian", codename: "trixie" }, "1:25.0.7-2"), null);
  assert.equal(suiteForMesa({ id: "ubuntu", codename: "jammy" }, "23.2.1-1ubuntu3"), null);
});

Deno.test("parseOsRelease() reads quoted and bare values, and is empty when a field is missing", () => {
  const text = 'NAME="Debian GNU/Linux"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID="debian"\n';
  assert.deepEqual(parseOsRelease(text), { id: "debian", codename: "bookworm" });
  assert.deepEqual(parseOsRelease("NAME=Unknown\n"), { id: "", codename: "" });
});

Deno.test("classOf() reads an adapter's class off what runs at once", () => {
  const finding = (ok: boolean) => ({ ok, means: "", saw: "" });
  const of = (lanes: boolean, workgroups: boolean) =>
    classOf({
      lanesTogether: { name: "lanesTogether", ...finding(lanes) },
      workgroupsTogether: { name: "workgroupsTogether", ...finding(workgroups) },
    });
  assert.equal(of(false, false), "software");
  // Many cores run many workgroups, and are no GPU for it.
  assert.equal(of(false, true), "software");
  assert.equal(of(true, false), "integrated");
  assert.equal(of(true, true), "discrete");
});

Deno.test("recallProfile() finds what rememberProfile() kept under the same key, and nothing under another", () => {
  const folder = Deno.makeTempDirSync();
  const profile = {
    longLoops: { name: "longLoops", means: "", ok: true, saw: "" },
  } as unknown as QuirkProfile;
  const key = cacheKey({ vendor: "1", device: "2", description: "an adapter" });
  assert.equal(recallProfile(key, folder), null);
  rememberProfile(key, profile, folder);
  assert.deepEqual(recallProfile(key, folder), profile);
  assert.equal(recallProfile(cacheKey({ vendor: "1", device: "2", description: "another" }), folder), null);
  Deno.removeSync(folder, { recursive: true });
});
