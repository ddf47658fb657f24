/** What the pages of examples/pages are tested with: their bundles, strokes as a hand draws them, how a page is driven. */

import assert from "node:assert/strict";
import type { Page } from "playwright-core";
import type { Served } from "./browser.ts";
import { workspace } from "./workspace.ts";

/** A file of examples/pages. */
export const pagePath = (name: string): string =>
  new URL(`../../examples/pages/${name}`, import.meta.url).pathname;

/** Files of a page and its bundle, as the command line builds it for adapters that compute on the CPU. */
export async function pageOf(
  html: string,
  model: string,
  ...args: string[]
): Promise<Map<string, string | Uint8Array[]>> {
  using at = workspace("");
  const bundle = `dist/${html.replace(".html", "")}`;
  const build = ["build", pagePath("models.ts"), "--export", model, "--out", `${at.folder}/${bundle}`];
  const { code, out } = await at.run(...build, "--tune", "software", ...args);
  assert.equal(code, 0, out);
  const served = new Map<string, string | Uint8Array[]>();
  const walk = (below: string) => {
    for (const { name, isDirectory } of Deno.readDirSync(`${at.folder}/${below}`)) {
      if (isDirectory) walk(`${below}${name}/`);
      else served.set(below + name, [Deno.readFileSync(`${at.folder}/${below}${name}`)]);
    }
  };
  walk(`${bundle}/`);
  return served.set(html, Deno.readTextFileSync(pagePath(html)));
}

/** Files of examples/pages beside a page. */
export const beside = (...names: readonly string[]): Served =>
  new Map(names.map((name) => [name, Deno.readTextFileSync(pagePath(name))]));

/** Digits as strokes over a paper of 280 × 280. */
export const strokes: Readonly<Record<string, readonly (readonly (readonly [number, number])[])[]>> = {
  "1": [[[140, 40], [140, 140], [140, 240]]],
  "0": [[...circle(140, 140, 60, 95)]],
  "7": [[[80, 50], [140, 50], [205, 50], [170, 140], [135, 240]]],
  "3": [[[85, 60], [140, 40], [190, 75], [175, 120], [130, 135], [180, 150], [200, 195], [150, 240], [
    85,
    220,
  ]]],
};

function circle(x: number, y: number, rx: number, ry: number): [number, number][] {
  return Array.from({ length: 25 }, (_, i) => {
    const angle = -Math.PI / 2 - 2 * Math.PI * i / 24;
    return [x + rx * Math.cos(angle), y + ry * Math.sin(angle)];
  });
}

/** Draws a digit with the mouse on the page's paper, and gives what the page answers. */
export async function draw(page: Page, digit: string): Promise<string> {
  await page.click("#clear");
  await page.evaluate("delete document.getElementById('answer').dataset.digit");
  const paper = (await page.locator("#paper").boundingBox())!;
  for (const stroke of strokes[digit]!) {
    for (const [i, [x, y]] of stroke.entries()) {
      await page.mouse.move(paper.x + x, paper.y + y, { steps: 4 });
      if (i === 0) await page.mouse.down();
    }
    await page.mouse.up();
  }
  await page.waitForFunction("document.getElementById('answer').dataset.digit !== undefined", undefined, {
    timeout: 60_000,
  });
  return (await page.getAttribute("#answer", "data-digit"))!;
}
