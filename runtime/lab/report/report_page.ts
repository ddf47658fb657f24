/**
 * A report as one page: markup, styles, scripts and data in one text. It asks for nothing else, so it opens from a disk.
 * @module
 */

import { minify } from "terser";
import typescript from "typescript";
import { InternalError } from "../../../compiler/errors.ts";
import type { ReportData } from "./data.ts";
import { modules, styles } from "./page_sources.ts";

/**
 * @param data What `reportData` gave.
 * @returns The text of an HTML file.
 */
export async function reportPage(data: ReportData): Promise<string> {
  // JSON without "<" is the same data, and can't end the script that it stands in.
  const json = JSON.stringify(data).replaceAll("<", "\\u003c");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>${escaped(data.title)}</title>
<style>
${styles}</style>
</head>
<body>
<div id="app"><noscript>This report is drawn by a script; please allow it to run.</noscript></div>
<script type="application/json" id="data">${json}</script>
<script type="module">${await (scripted ??= script())}</script>
</body>
</html>
`;
}

/** Made once: it is the same on all pages. */
let scripted: Promise<string> | undefined;

/** The page's modules as one script: each is ordinary TypeScript, and all have names of their own. */
async function script(): Promise<string> {
  const joined = modules.map((text) =>
    text.replace(/^import[^;]*?from "[^"]+";\n/gm, "").replace(/^export (?=\w)/gm, "")
  ).join("\n");
  const { outputText } = typescript.transpileModule(joined, {
    compilerOptions: { target: typescript.ScriptTarget.ES2022, module: typescript.ModuleKind.ESNext },
  });
  const { code } = await minify(outputText, { module: true, ecma: 2020 });
  if (!code) throw new InternalError("report", "the page's script was not emitted");
  return code.replaceAll("</script", "<\\/script");
}

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!);
