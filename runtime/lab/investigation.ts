/**
 * Where a program goes wrong, once it is known that it does, or may: in a kernel, in a pass, or in memory.
 * @module
 */

import { type Compiled, compileGraph, policies } from "../../compiler/compile.ts";
import { showOrigin } from "../../compiler/errors.ts";
import { isFree, isLeaf } from "../../compiler/fuse/group.ts";
import { showShape } from "../../compiler/graph/dim.ts";
import type { Graph } from "../../compiler/graph/graph.ts";
import { type Node, showType, Tensor } from "../../compiler/graph/node.ts";
import { firstDifference } from "../agreement.ts";
import type { Device } from "../device.ts";
import { JavaScriptEngine } from "../engines/javascript.ts";
import { cpuTarget } from "../targets.ts";
import type { RunData } from "../verify.ts";
import { blamePass } from "./blame_pass.ts";
import { type Case, changed, modelOf } from "./case.ts";
import { type Failure, isAlike, judge, runCase, type Setting } from "./judge.ts";
import { runKept } from "./kept_run.ts";
import { checkKernels, type WrongKernel } from "./local_checks.ts";
import { position } from "../position.ts";
import type { BisectOptions } from "./bisect.ts";
import type { Finding, Reproduction } from "./finding.ts";
import { unprintable } from "./print_model.ts";
import { reproductionText, shippedName } from "./reproduction.ts";
import { shrink } from "./shrink.ts";

/** A node that is wrong, with what it is made of. */
interface WrongPrefix {
  readonly case: Case;
  readonly setting: Setting;
  readonly failure: Failure;
}

/** Takes a program apart; each of its questions is answered with a finding or with none. */
export class Investigation {
  readonly #whole: Case;

  constructor(
    graph: Graph,
    readonly kept: Compiled,
    data: RunData,
    readonly setting: Setting,
    readonly options: BisectOptions,
  ) {
    this.#whole = { graph, ...data };
  }

  /** Takes a wrong kernel apart. */
  async inKernel(wrong: WrongKernel): Promise<Finding> {
    const unfused: Setting = { ...this.setting, policy: policies.none };
    const alone = await this.#wrongUnfused(wrong.case, unfused);
    if (alone) return await this.#report("op", wrong, alone.case, unfused, alone.failure);
    const shipped = shippedName(this.setting.policy) === undefined
      ? { ...this.setting, policy: policies.greedy }
      : this.setting;
    const found = await this.#smallestPrefix(wrong.case, [{ ...shipped, together: true }, shipped]);
    if (found) return await this.#report("fused", wrong, found.case, found.setting, found.failure);
    // It takes its program to go wrong: what lies where, what else is in the kernel's bindings.
    const { failure } = await judge(this.#whole, this.setting, this.options.device);
    return await this.#report(
      "fused",
      wrong,
      failure ? this.#whole : undefined,
      this.setting,
      failure ?? wrong.failure,
    );
  }

  /** A node that is wrong although nothing is fused, on the operands that it had. */
  async #wrongUnfused(c: Case, setting: Setting): Promise<WrongPrefix | undefined> {
    const { device } = this.options;
    const kept = compileGraph(modelOf(c).graph, { ...setting, keep: true });
    const values = await runKept(device, kept, c);
    const { wrong } = await checkKernels(kept, values, c, { builtins: setting.target.builtins.exp });
    if (wrong === undefined) return undefined;
    // A view has no kernel, and may be what is wrong in that of its reader.
    return await this.#smallestPrefix(wrong.case, [setting]);
  }

  /** The first node of some, in order, that is wrong when it is compiled with what it is made of and nothing else. */
  async #smallestPrefix(c: Case, settings: readonly Setting[]): Promise<WrongPrefix | undefined> {
    const { device } = this.options;
    const whole = Object.values(c.graph.outputs).map((t) => t.key);
    const nodes = c.graph.nodes.filter((node) => !isLeaf(node) && !isFree(node));
    for (const setting of settings) {
      for (const node of nodes) {
        for (const result of node.types.keys()) {
          const t = new Tensor(node, result);
          const prefix = whole.includes(t.key) && whole.length === 1 ? c : changed(c, { outputs: { y: t } });
          if (prefix === undefined) continue;
          const { failure } = await judge(prefix, setting, device);
          // Some of what lies below a node may not be one kernel by itself.
          if (failure?.kind === "differs") return { case: prefix, setting, failure };
        }
      }
    }
    return undefined;
  }

  /** Whether a pass changed the meaning of the graph. */
  async inPasses(): Promise<Finding | undefined> {
    const { cost } = this.kept;
    const blamed = blamePass(this.#whole, cost);
    if (blamed === undefined) return undefined;
    const what = `the pass "${blamed.pass}"` +
      (blamed.rule === undefined ? "" : `, by its rule "${blamed.rule}",`);
    const message = `Every kernel computes what its ops say, but ${what} gave the graph another meaning: ` +
      `${blamed.failure.message}, by the references alone.`;
    const setting = { ...this.setting, policy: policies.none };
    // Told without a device, so many can be tried.
    const holds = (c: Case) => Promise.resolve(blamePass(c, cost)?.pass === blamed.pass);
    const reproduction = await this.#shrunk(this.#whole, holds, setting, [message]);
    return { kind: "pass", message, ...reproduction && { reproduction } };
  }

  /** Whether results change where temporaries may share memory. */
  async inMemory(values: ReadonlyMap<string, RunData["feeds"][string]>): Promise<Finding | undefined> {
    const { device } = this.options;
    const results = await runCase(this.#whole, this.setting, device);
    const { graph } = this.kept;
    const demands = [
      ...Object.entries(graph.outputs),
      ...graph.writes.map(({ state, value }) => [`state:${state.node.attrs.path}`, value] as const),
    ];
    for (const [name, t] of demands) {
      const [kept, found] = [values.get(t.key), results.get(name)];
      if (kept === undefined || found === undefined) continue;
      const at = firstDifference(t.dtype, found, kept, kept);
      if (at === undefined) continue;
      const message =
        `Every kernel computes what its ops say while all temporaries are kept. Where they share memory, ` +
        `element ${showShape(position(at, t.shape as readonly number[]))} of ${name} is ${
          found[at]
        } instead of ${kept[at]}: memory is planned or placed wrongly.`;
      const holds = async (c: Case) => (await judge(c, this.setting, device)).failure?.kind === "differs";
      const reproduction = await holds(this.#whole)
        ? await this.#shrunk(this.#whole, holds, this.setting, [message])
        : undefined;
      return { kind: "memory", message, ...reproduction && { reproduction } };
    }
    return undefined;
  }

  /** What is wrong, in words, and the smallest case of it. */
  async #report(
    kind: "fused" | "op",
    { label, failure: first }: WrongKernel,
    c: Case | undefined,
    setting: Setting,
    failure: Failure,
  ): Promise<Finding> {
    const { device } = this.options;
    const node = c && nodeOf(c, failure);
    const place = node && c.graph.builder.originsOf(node)[0];
    const named = node === undefined ? `A result of the kernel "${label}"` : describe(c!.graph, node);
    const what = kind === "op"
      ? `${named} is wrong by itself, without anything fused: ${failure.message}. The program computes it in the kernel ` +
        `"${label}".`
      : `${named} is wrong only when fused, in the kernel "${label}": ${failure.message}; computed op by op, each from ` +
        "what the device had as its operands, it is right.";
    const holds = async (simpler: Case) => {
      const now = (await judge(simpler, setting, device)).failure;
      if (now === undefined || !isAlike(now, failure)) return false;
      // What fails unfused as well is another mistake.
      return kind === "op" ||
        !(await judge(simpler, { ...setting, policy: policies.none, together: false }, device)).failure;
    };
    const opinion = c && device.kind === "webgpu" ? await this.#otherOpinion(c, setting) : undefined;
    const message = [
      what,
      ...opinion ? [opinion] : [],
      ...c === undefined
        ? [`It takes the whole program to go wrong (${first.message}), so there is no smaller one.`]
        : [],
    ].join(" ");
    const reproduction = c && await this.#shrunk(c, holds, setting, [message]);
    return {
      kind,
      message,
      kernel: label,
      ...node && {
        node: {
          op: node.op.name,
          type: node.types.map(showType).join(", "),
          ...place && { place: showOrigin(place) },
        },
      },
      ...reproduction && { reproduction },
    };
  }

  /** The same kernels as JavaScript: whether the mistake is in them, or in what became of them on the device. */
  async #otherOpinion(c: Case, setting: Setting): Promise<string> {
    const engine = new JavaScriptEngine();
    try {
      const cpu: Device = {
        kind: "cpu",
        name: "JavaScript",
        adapter: null,
        target: cpuTarget,
        engine,
        idle: () => engine.idle(),
        dispose: () => engine.dispose(),
        [Symbol.dispose]: () => engine.dispose(),
      };
      const { failure } = await judge(c, setting, cpu);
      return failure === undefined
        ? "The same kernels as JavaScript are right: it is what WGSL or the driver made of them."
        : "The same kernels as JavaScript are wrong, too: it is the lowering or the schedule.";
    } finally {
      engine.dispose();
    }
  }

  /** The smallest case of which something holds, as a file; none where it can't be written down. */
  async #shrunk(
    c: Case,
    holds: (c: Case) => Promise<boolean>,
    setting: Setting,
    about: readonly string[],
  ): Promise<Reproduction | undefined> {
    const { device, seconds = 30, weft, signal, onProgress } = this.options;
    onProgress?.(1, `making it smaller, ${seconds} s at most`);
    const { case: smallest, minimal } = await shrink(c, holds, { seconds, ...signal && { signal } });
    if (unprintable(smallest.graph) !== undefined) return undefined;
    const { failure } = await judge(smallest, setting, device);
    if (failure === undefined) return undefined; // it comes and goes; a file would prove nothing
    const text = reproductionText(smallest, setting, failure, {
      about,
      device,
      ...weft !== undefined && { weft },
    });
    return { text, case: smallest, nodes: smallest.graph.nodes.length, minimal };
  }
}

/** The node whose result is wrong. */
function nodeOf({ graph }: Case, { result }: Failure): Node | undefined {
  if (result === undefined) return undefined;
  const t = graph.outputs[result] ??
    graph.writes.find((w) => `state:${w.state.node.attrs.path}` === result)?.value;
  return t?.node;
}

/** `tanh, f32[3, 4] (in block0, model.ts:12:9)` */
function describe({ builder }: Graph, node: Node): string {
  const origin = builder.originsOf(node)[0];
  const scope = builder.scopes.get(node);
  const places = [...scope ? [`in ${scope}`] : [], ...origin ? [showOrigin(origin)] : []];
  return `${node.op.name}, ${node.types.map(showType).join(", ")}${
    places.length > 0 ? ` (${places.join(", ")})` : ""
  },`;
}
