/**
 * Opening a device: a GPU through WebGPU where there is one that computes right, else the CPU, and never silently.
 * @module
 */

import { RunError } from "../compiler/errors.ts";
import type { Target } from "../compiler/target.ts";
import { type AdapterDescription, NoAdapterError, openAdapter } from "./adapter.ts";
import { classOf } from "./adapter_class.ts";
import type { Engine } from "./engine.ts";
import { JavaScriptEngine } from "./engines/javascript.ts";
import { WebGpuEngine } from "./engines/webgpu.ts";
import { Health } from "./engines/webgpu/health.ts";
import { described } from "./host_form.ts";
import { quirksOf } from "./quirks.ts";
import type { QuirkProfile } from "./self_test.ts";
import { brokenChecks } from "./setup/ensure_adapter.ts";
import { cpuTarget, targetOf } from "./targets.ts";

/** Something that programs are loaded on. Dispose it, or declare it with `using`: its memory is not garbage-collected. */
export interface Device extends Disposable {
  /** The adapter's name, or `cpu`. */
  readonly name: string;
  readonly kind: "webgpu" | "cpu";
  /** The adapter as plain data; null for `cpu`. */
  readonly adapter: AdapterDescription | null;
  /** What a program for this device is compiled for. */
  readonly target: Target;
  /** What executes; programs are loaded on it by `load`, never by hand. */
  readonly engine: Engine;
  /** Resolves when all that was asked for is done; throws where some of it failed. */
  idle(): Promise<void>;
  /** Frees everything on the device, kept tensors too. */
  dispose(): void;
}

/** Options of `openDevice`. */
export interface DeviceOptions {
  /** `auto` takes a GPU where one works and says so where none does; the others insist. */
  readonly device?: "auto" | "webgpu" | "cpu";
  /** Hears what is opened, as sentences. */
  readonly trace?: (message: string) => void;
  /** Where adapters come from, in place of Deno's own `navigator.gpu`: Dawn, for one, from `npm:webgpu`. */
  readonly gpu?: GPU;
  /** What is known of the adapter, in place of what set-up remembered or a self-test of a second or two finds. */
  readonly quirks?: QuirkProfile;
}

/** `NoAdapterError` brings its own. */
const WHAT_TO_DO =
  "Install a newer driver; `deno run -A runtime/setup/main.ts` tells what is wrong, and installs a " +
  "software adapter where it can.";

/**
 * Opens a device.
 *
 * @example
 * ```ts
 * import { openDevice } from "./device.ts";
 *
 * using device = await openDevice({ device: "cpu" });
 * console.log(device.name, device.target.limits.storageBuffers);
 * ```
 */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  if (typeof options !== "object" || options === null) {
    throw new RunError(`openDevice(): takes options, such as { device: "cpu" }, not ${described(options)}.`);
  }
  const { device = "auto" } = options;
  if (device !== "auto" && device !== "webgpu" && device !== "cpu") {
    throw new RunError(`openDevice(): there is no device "${device}"; there are "auto", "webgpu" and "cpu".`);
  }
  if (device === "cpu") return new OpenDevice("cpu", null, cpuTarget, new JavaScriptEngine());
  try {
    return await openWebGpu(options);
  } catch (error) {
    if (!(error instanceof NoAdapterError || error instanceof RunError)) throw error;
    const because = error.message.split("\n")[0]!;
    if (device === "webgpu") throw new RunError(`openDevice(): ${because}`, { cause: error });
    console.warn(`Weft computes on the CPU, which is slow. ${because}`);
    return new OpenDevice("cpu", null, cpuTarget, new JavaScriptEngine());
  }
}

/** Opens the WebGPU adapter; an adapter that computes wrongly is refused, unless the user insists on it. */
async function openWebGpu({ device, trace, gpu, quirks: known }: DeviceOptions): Promise<Device> {
  const insist = device === "webgpu";
  const health = new Health();
  const opened = await openAdapter({
    ...(gpu === undefined ? {} : { gpu }),
    onUncapturedError: (error) => health.report(error),
  });
  try {
    const { adapter } = opened;
    const quirks = known ?? await quirksOf(opened);
    // Loops that end early are the compiler's to avoid, by the target's bound; nothing avoids the others.
    const broken = brokenChecks(quirks);
    if (broken.length > 0) {
      const wrong = `The WebGPU adapter "${adapter.description}" computes wrongly: ` +
        `${broken.map((name) => `${name} (${quirks[name].saw})`).join(", ")}.`;
      if (!insist || broken.some((name) => name !== "longLoops")) {
        throw new RunError(`${wrong} ${WHAT_TO_DO}`);
      }
      console.warn(`${wrong} Loops are kept short. ${WHAT_TO_DO}`);
    }
    const target = targetOf(adapter, quirks);
    const blockingMap = quirks.readBackWithoutAwait.ok;
    const timestamps = adapter.features.includes("timestamp-query") && quirks.timestamps.ok;
    trace?.(
      `opened ${target.name} (${
        classOf(quirks)
      }); f16 ${target.features.f16}, subgroups ${target.features.subgroups}, ` +
        `timestamps ${timestamps}, reads ${blockingMap ? "inside the call" : "by promise"}`,
    );
    const engine = new WebGpuEngine({
      device: opened.device,
      adapter,
      target,
      health,
      blockingMap,
      timestamps,
      compileAhead: gpu === undefined && classOf(quirks) === "software",
    });
    return new OpenDevice(target.name, adapter, target, engine);
  } catch (error) {
    opened.device.destroy();
    throw error;
  }
}

class OpenDevice implements Device {
  constructor(
    readonly name: string,
    readonly adapter: AdapterDescription | null,
    readonly target: Target,
    readonly engine: Engine,
  ) {}

  get kind(): "webgpu" | "cpu" {
    return this.engine.kind;
  }

  idle(): Promise<void> {
    return this.engine.idle();
  }

  dispose(): void {
    this.engine.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
