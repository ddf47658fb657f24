/** Chromium with WebGPU, where the machine has one: pages are served from memory on 127.0.0.1. */

import { existsSync } from "node:fs";
import { extname } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";

const places = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Where Chromium is; undefined where it is not. `CHROMIUM` names another place. */
export const chromiumPath = (): string | undefined =>
  Deno.env.get("CHROMIUM") ?? places.find((path) => existsSync(path));

/** SwiftShader computes on any machine, so that what a test sees does not depend on its GPU. */
const flags = [
  "--no-sandbox",
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--disable-dev-shm-usage",
];

const types: Readonly<Record<string, string>> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

/** Files by their path below the root. */
export type Served = ReadonlyMap<string, readonly Uint8Array[] | string>;

export interface TestPage extends AsyncDisposable {
  readonly page: Page;
  /** What the page complained of. */
  readonly complaints: readonly string[];
}

/** Opens `path` of what is served in a fresh Chromium. */
export async function openPage(served: Served, path: string): Promise<TestPage> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const name = decodeURIComponent(new URL(request.url).pathname.slice(1));
    const file = served.get(name);
    if (file === undefined) return new Response(null, { status: name === "favicon.ico" ? 204 : 404 });
    const body = typeof file === "string" ? file : new Blob(file as Uint8Array<ArrayBuffer>[]);
    return new Response(body, {
      headers: { "content-type": types[extname(name)] ?? "application/octet-stream" },
    });
  });
  let browser: Browser | undefined;
  const close = async () => {
    await browser?.close();
    await server.shutdown();
  };
  try {
    browser = await chromium.launch({ executablePath: chromiumPath()!, args: flags });
    const page = await browser.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    await page.goto(`http://127.0.0.1:${server.addr.port}/${path}`);
    return { page, complaints, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A bundle's files below a folder. */
export const below = (folder: string, files: Served): Map<string, readonly Uint8Array[] | string> =>
  new Map([...files].map(([name, file]) => [`${folder}/${name}`, file]));
