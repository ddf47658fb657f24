/** The pages of `weft report` in Chromium, from a file and without a network. */

import assert from "node:assert/strict";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { policies } from "../../../compiler/compile.ts";
import { softwareTarget } from "../../../compiler/target.ts";
import { gpt } from "../../../examples/gpt.ts";
import {
  adamW,
  add,
  gelu,
  input,
  layerNorm,
  linear,
  matmul,
  model,
  openDevice,
  softmax,
  trainStep,
} from "../../../mod.ts";
import type { CompileView, PictureBox, ReportData } from "../../../runtime/lab/report/data.ts";
import { reportData, type ReportedCompile } from "../../../runtime/lab/report/report_data.ts";
import { reportPage } from "../../../runtime/lab/report/report_page.ts";
import { median } from "../../../runtime/tune/race.ts";
import { chromiumPath, openFile, type TestPage } from "../../support/browser.ts";

const path = chromiumPath();

const withBrowser = (name: string, fn: () => Promise<void>) =>
  Deno.test({
    name: path === undefined
      ? `not run, since there is no Chromium here (apt-get install chromium): ${name}`
      : name,
    ignore: path === undefined,
    fn,
  });

/** The page of a report, open. */
async function opened(data: ReportData, f: (page: Page) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "weft-report-" });
  try {
    const file = join(folder, "report.html");
    Deno.writeTextFileSync(file, await reportPage(data));
    await using shown: TestPage = await openFile(file);
    await shown.page.waitForSelector("html[data-ready]", { timeout: 60_000 });
    await f(shown.page);
    assert.deepEqual(shown.complaints, []);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/**
 * Milliseconds for which the page's thread was busy, script, layout and painting together: what a person waits for on a
 * machine that has nothing else to do, and the same on one that has.
 */
async function busy(page: Page): Promise<() => Promise<number>> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  return async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return 1000 * metrics.find(({ name }) => name === "TaskDuration")!.value;
  };
}

/** Clicks on a box of the picture that is shown, wherever it is, and waits until the answer has been painted. */
async function click(page: Page, box: PictureBox): Promise<void> {
  const press = `
    const svg = document.querySelector("svg.graph");
    const [x, y, k] = svg.dataset.place.split(" ").map(Number);
    const { left, top } = svg.getBoundingClientRect();
    const at = { bubbles: true, clientX: left + x + k * ${box.x + box.w / 2}, clientY: top + y + k * ${
    box.y + box.h / 2
  } };
    for (const type of ["pointerdown", "pointerup"]) svg.dispatchEvent(new PointerEvent(type, at));
    new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))`;
  await page.evaluate(press);
}

const stage = (page: Page, name: string) => page.locator(".stages button", { hasText: name }).click();
const tab = (page: Page, name: string) => page.locator("nav > .tabs button", { hasText: name }).click();

withBrowser(
  "the report of a GPT's training step is there in 3 seconds, answers in 0.1, and says what the compile says",
  async () => {
    const compile: ReportedCompile = {
      name: "greedy",
      target: softwareTarget,
      sizes: { batch: 8 },
      measure: "nobody asked for times.",
    };
    const net = gpt({ layers: 2, heads: 4, width: 128, context: 64, symbols: 96 });
    const step = trainStep(net.only("loss"), adamW({ rate: 1e-3 }));
    const data = await reportData("GPT", step, [compile]);
    const [view] = data.compiles as [CompileView];
    assert(view.stages[0]!.nodes.length > 1000);
    await opened(data, async (page) => {
      const spent = await busy(page);
      await page.reload();
      await page.waitForSelector("html[data-ready]", { timeout: 60_000 });
      const ready = await spent();
      assert(ready > 10 && ready < 3000, `it took ${ready} ms`);
      assert.equal(await page.locator("svg.graph .is-d").count(), view.dispatches.length);

      await stage(page, "fuse");
      const stages = view.stages;
      const opOf = (n: number) => view.ops[stages.at(-1)!.nodes[n]!]!;
      const { boxes } = stages.find(({ name }) => name === "fuse")!.picture;
      const boxOf = (n: number) => boxes.find(({ id }) => id === `n${n}`)!;
      // Ops from everywhere, each in the box of its group.
      const picked = view.groups.filter((_, g) => g % 6 === 5).map(({ stores }) => stores[0]!);
      const times: number[] = [];
      for (const n of picked) {
        const before = await spent();
        await click(page, boxOf(n));
        times.push(await spent() - before);
        assert.match(await page.locator("aside h2").innerText(), new RegExp(`%${n} ${opOf(n).op}`));
      }
      assert(times.length > 10 && median(times) < 100, `clicks took ${times.map(Math.round)} ms`);

      // What stands in the panel is what was compiled.
      const n = view.groups.map(({ stores }) => stores[0]!).find((n) => opOf(n).op === "matmul")!;
      await click(page, boxOf(n));
      const panel = await page.locator("aside").innerText();
      const place = opOf(n).at[0]!.replace(/:\d+$/, "");
      const g = view.groups.findIndex(({ nodes }) => nodes.includes(n));
      const { label, dispatches: [d] } = view.groups[g]!;
      for (
        const text of [
          opOf(n).type,
          opOf(n).scope,
          view.lines[place]!,
          `group ${g} ${label}`,
          `dispatch ${d}`,
        ]
      ) {
        assert(panel.includes(text), `the panel lacks "${text}"`);
      }
      const pairs = view.pairs.filter(({ a, b }) => a === n || b === n);
      assert(pairs.length > 0);
      for (const { because } of pairs) assert(panel.includes(because), `the panel lacks "${because}"`);
      const { kernel, wgslOps } = view.dispatches[d!]!;
      const lines = await page.locator(".code code").allTextContents();
      const { wgsl, ir } = view.kernels[kernel]!;
      assert.deepEqual(lines.map((line) => line.trimEnd()).join("\n").trim(), wgsl.trim());
      assert.equal(await page.locator(".code .marked").count(), wgslOps.filter((op) => op === n).length);
      await page.locator(".kernel [role=tab]", { hasText: "Kernel IR" }).click();
      assert.equal((await page.locator(".code code").allTextContents()).join("\n").trim(), ir.trim());

      // What was selected stays so in the graph as it was traced.
      await stage(page, "bind");
      const there = (await page.getAttribute("svg.graph", "data-selected"))!;
      const { nodes } = stages[0]!;
      assert.equal(view.ops[nodes[Number(there.slice(1))]!]!.id, opOf(n).id);

      await tab(page, "Memory");
      assert.equal(await page.locator(".life").count(), view.memory.temporaries.length);
      await tab(page, "Roofline");
      assert.match(await page.locator("main").innerText(), /There is no roofline: nobody asked for times\./);
    });
  },
);

withBrowser("a report of two compiles selects in both, and is worked by the keyboard", async () => {
  const net = model({ x: input([64, 32], "f32"), w: input([32, 48], "f32") }, ({ x, w }) => {
    return { y: softmax(add(layerNorm(gelu(matmul(x, w))), linear(32, 48, { name: "skip" })(x))) };
  });
  using device = await openDevice({ device: "cpu" });
  const compile: ReportedCompile = { name: "greedy", target: device.target, measure: device };
  const other: ReportedCompile = { ...compile, name: "none", policy: policies.none };
  const data = await reportData("net", net, [compile, other], { rounds: 1 });
  const [one, two] = data.compiles as [CompileView, CompileView];
  await opened(data, async (page) => {
    await page.keyboard.press("/");
    await page.keyboard.type("gelu");
    await page.keyboard.press("Enter");
    const titles = () => page.locator("aside h2").allInnerTexts();
    const n = one.stages.at(-1)!.nodes.findIndex((index) => one.ops[index]!.op === "gelu");
    assert.deepEqual(await titles(), [`forward %${n} gelu`, `forward %${data.matches![n]} gelu`]);
    await stage(page, "fuse");
    assert.equal(await page.locator("svg.graph .overlay .selected").count(), 2);
    assert((await page.locator("svg.graph .differs").count()) > 0);
    await page.keyboard.press("ArrowUp");
    assert.match((await titles())[0]!, /%\d+ matmul/);
    await page.keyboard.press("ArrowDown");
    assert.equal((await titles())[0], `forward %${n} gelu`);
    await page.keyboard.press("Escape");
    assert.deepEqual(await titles(), ["greedy", "none"]);

    await tab(page, "Compare");
    const rows = await page.locator(".compare tbody tr").allInnerTexts();
    const dispatches = [one, two].map((view) => view.dispatches.length);
    assert(rows.some((row) => row.startsWith(`dispatches\t${dispatches.join("\t")}\t`)), rows.join("\n"));
    await tab(page, "Roofline");
    assert.equal(await page.locator(".dot").count(), dispatches[0]! + dispatches[1]!);
    await tab(page, "Dispatches");
    await page.locator("th button", { hasText: "time" }).first().click();
    await page.locator(".dispatches tbody tr").first().click();
    const slowest = one.dispatches.map(({ time }, d) => ({ ms: time!.ms, d })).sort((a, b) =>
      b.ms - a.ms
    )[0]!.d;
    assert.match((await titles())[0]!, new RegExp(`dispatch ${slowest}$`));
  });
});
