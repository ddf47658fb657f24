/** Chromium with WebGPU, where the machine has one: pages are served from memory on 127.0.0.1. */

import { existsSync } from "node:fs";
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
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

/** Starts Chromium, for files that open several pages: each has a context of its own there. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: chromiumPath()!, args: flags });

/** Opens `path` of what is served, in a fresh Chromium where none is given. */
export async function openPage(served: Served, path: string, browser?: Browser): Promise<TestPage> {
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const name = decodeURIComponent(new URL(request.url).pathname.slice(1));
    const file = served.get(name);
    if (file === undefined) return new Response(null, { status: name === "favicon.ico" ? 204 : 404 });
    const body = typeof file === "string" ? file : new Blob(file as Uint8Array<ArrayBuffer>[]);
    return new Response(body, {
      headers: { "content-type": types[extname(name)] ?? "application/octet-stream" },
    });
  });
  try {
    const opened = await launch(`http://127.0.0.1:${server.addr.port}/${path}`, { browser });
    return {
      ...opened,
      async [Symbol.asyncDispose]() {
        await opened[Symbol.asyncDispose]();
        await server.shutdown();
      },
    };
  } catch (error) {
    await server.shutdown();
    throw error;
  }
}

/** Opens a file in a fresh Chromium that reaches no network; what it asks for besides itself is a complaint. */
export const openFile = (path: string): Promise<TestPage> =>
  launch(pathToFileURL(path).href, { offline: true });

async function launch(
  url: string,
  { browser: given, offline = false }: { readonly browser?: Browser | undefined; readonly offline?: boolean },
): Promise<TestPage> {
  const browser = given ?? await openBrowser();
  const close = () =>
    given === undefined ? browser.close() : Promise.all(given.contexts().map((c) => c.close()));
  try {
    const context = await browser.newContext({ offline, viewport: { width: 1500, height: 900 } });
    const page = await context.newPage();
    const complaints: string[] = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    if (offline) {
      page.on("request", (request) => {
        if (request.url() !== url && !request.url().startsWith("data:")) {
          complaints.push(`asks for ${request.url()}`);
        }
      });
    }
    await page.goto(url);
    return { page, complaints, [Symbol.asyncDispose]: async () => void await close() };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A bundle's files below a folder. */
export const below = (folder: string, files: Served): Map<string, readonly Uint8Array[] | string> =>
  new Map([...files].map(([name, file]) => [`${folder}/${name}`, file]));
