/**
 * The kernels of a bundle: each text once, whatever programs and variants run it, with a header that says what it
 * serves.
 *
 * Texts hold no source lines, or a moved line would be another kernel (SEMANTICS §1); so the header is put before them
 * when they are written, and no hash counts it.
 * @module
 */

import { createHash } from "node:crypto";
import { emitWgsl, printedKernel, type WgslOptions } from "../emit/wgsl.ts";
import { wgslOptionsOf } from "../emit/wgsl_options.ts";
import { uniformWords } from "../emit/uniforms.ts";
import type { Origin } from "../errors.ts";
import { deviceBytes } from "../graph/dtype.ts";
import { sharedBytes } from "../kernel/expand_combines.ts";
import { type AnyKernel, isRaw } from "../kernel/raw.ts";
import type { Target } from "../target.ts";
import type { BundleKernel } from "./manifest.ts";
import type { AskedOfSubgroups } from "./subgroup_probe.ts";
import { SourceNames } from "./source_names.ts";

/** An op that a kernel computes, and where the user asked for it. */
export interface ServedOp {
  readonly name: string;
  readonly origins: readonly Origin[];
}

type Description = Omit<BundleKernel, "file" | "sha256">;

interface Entry {
  readonly code: string;
  readonly description: Description;
  readonly asked: AskedOfSubgroups | undefined;
  readonly labels: Set<string>;
  readonly ops: ServedOp[];
}

/** Ops that a header lists; a kernel that serves forty layers has as many lines. */
const mostLines = 40;

export class KernelPool {
  readonly #entries: Entry[] = [];
  readonly #byText = new Map<string, number>();

  /** The kernel's number. The same text with other bounds is the same kernel, and its bounds are the wider ones. */
  add(kernel: AnyKernel, target: Target, parts = 1): number {
    const description = describe(kernel, target);
    const code = bundleText(kernel, target, parts);
    const { workgroup: [lanes] } = description;
    const subgroup = Math.min(lanes, Math.max(target.broadcast, target.subgroup));
    return this.#addText(code, description, asksSubgroup(code) ? { lanes, subgroup } : undefined);
  }

  /** A kernel that is no program's, by its text. */
  addText(text: { readonly code: string; readonly description: Description }, label: string): number {
    const index = this.#addText(text.code, text.description);
    this.#entries[index]!.labels.add(label);
    return index;
  }

  /** What a kernel asks of subgroups, if anything. */
  askedOf(index: number): AskedOfSubgroups | undefined {
    return this.#entries[index]!.asked;
  }

  #addText(code: string, description: Description, asked?: AskedOfSubgroups): number {
    // Texts say everything but how many groups their accesses were proven for.
    const key = `${description.groups}\n${code}`;
    let index = this.#byText.get(key);
    if (index === undefined) {
      index = this.#entries.push({ code, description, asked, labels: new Set(), ops: [] }) - 1;
      this.#byText.set(key, index);
    }
    return index;
  }

  /** Notes what a dispatch of the kernel computes. */
  serve(index: number, label: string, ops: readonly ServedOp[]): void {
    const entry = this.#entries[index]!;
    entry.labels.add(label);
    entry.ops.push(...ops);
  }

  /** What the manifest says of each kernel, and the files. */
  files(bundle: string): { readonly kernels: readonly BundleKernel[]; readonly texts: readonly string[] } {
    const names = new SourceNames(this.#entries.flatMap(({ ops }) => ops.flatMap(({ origins }) => origins)));
    const digits = String(Math.max(1, this.#entries.length - 1)).length;
    const kernels = this.#entries.map(({ code, description, labels }, i): BundleKernel => ({
      file: `kernels/${String(i).padStart(digits, "0")}-${slugOf([...labels][0] ?? "kernel")}.wgsl`,
      sha256: createHash("sha256").update(code).digest("hex"),
      ...description,
    }));
    const texts = this.#entries.map((entry, i) =>
      header(entry, `kernel ${i} of "${bundle}"`, names) + entry.code
    );
    return { kernels, texts };
  }
}

/** A kernel's text for a device of which nothing is known but the target's features. */
export const bundleText = (kernel: AnyKernel, target: Target, parts = 1): string =>
  emitWgsl(kernel, { ...optionsOf(target), parts });

const optionsOf = (target: Target): WgslOptions => ({
  ...wgslOptionsOf(target),
  ...!target.features.subgroups && { broadcast: 0, subgroup: 0 },
  subgroupLanes: true,
});

/** Whether a kernel's text asks its subgroup for something. */
export const asksSubgroup = (code: string): boolean => /^enable subgroups;$/m.test(code);

function describe(kernel: AnyKernel, target: Target): Description {
  const bindings = kernel.buffers.map(({ access, dtype, size }) => ({
    access: access === "read" ? "read" as const : "read_write" as const,
    bytes: Math.ceil(size * deviceBytes(dtype) / 16) * 16,
  }));
  const uniforms = Math.ceil(uniformWords(kernel).length / 4) * 16;
  const { groups } = kernel;
  if (isRaw(kernel)) {
    // How much a user's own text takes nobody adds up here: it was checked against all that the target has.
    const shared = /\bvar\s*<\s*workgroup/.test(kernel.declarations) ? target.limits.sharedBytes : 0;
    return { workgroup: kernel.workgroupSize, shared, bindings, uniforms, groups };
  }
  const { arrays } = printedKernel(kernel, optionsOf(target));
  const shared = arrays.reduce((sum, array) => sum + sharedBytes(array), 0);
  return { workgroup: [kernel.lanes, 1, 1], shared, bindings, uniforms, groups };
}

/** A label as part of a file's name. */
const slugOf = (label: string): string =>
  label.toLowerCase().replace(/[^a-z0-9]+/g, "-").slice(0, 48).replace(/^-+|-+$/g, "") || "kernel";

function header({ labels, ops }: Entry, what: string, names: SourceNames): string {
  const shown = [...labels];
  const lines = shown.slice(0, mostLines).map((label) => `//   ${label}`);
  if (shown.length > mostLines) lines.push(`//   … and ${shown.length - mostLines} more`);
  const places = new Map<string, Set<string>>();
  for (const { name, origins } of ops) {
    for (const place of origins.length > 0 ? origins.map((o) => names.show(o)) : ["no line of yours"]) {
      const at = places.get(place);
      if (at) at.add(name);
      else places.set(place, new Set([name]));
    }
  }
  const sources = [...places].map(([place, at]) => `//   ${place}: ${[...at].join(", ")}`);
  if (sources.length > mostLines) {
    sources.splice(mostLines, Infinity, `//   … and ${sources.length - mostLines} more lines`);
  }
  const serves = sources.length === 0 ? [] : ["// for these lines of the model:", ...sources];
  return [`// ${what}, which computes`, ...lines, ...serves, ""].join("\n");
}
