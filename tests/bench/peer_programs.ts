/**
 * Other libraries on the workloads that the peers' own runners don't know: the programs in `peer_programs/`,
 * each in a process of its own, with the packages of a folder. A time counts only where the result is right.
 * @module
 */

import { join, resolve } from "node:path";
import { errorOf, tolerance } from "./check.ts";
import type { PeerTime } from "./peers.ts";
import type { Workload } from "./workloads/workload.ts";

/** A peer's program: a file that takes what `peer_programs/program.ts` says. */
export interface PeerProgram {
  readonly peer: string;
  readonly file: string;
}

const ours: readonly PeerProgram[] = ["jax", "tfjs", "ort"].map((name) => ({
  peer: { jax: "jax-js", tfjs: "tfjs", ort: "ort-web" }[name]!,
  file: join(import.meta.dirname!, "peer_programs", `${name}.ts`),
}));

/** A workload's tensors in files, for the programs, and what they made of them. */
export class PeerPrograms implements Disposable {
  readonly #place = Deno.makeTempDirSync({ prefix: "weft-peers-" });
  readonly #leftOut = new Set<string>();
  readonly #interrupted = () => {
    this[Symbol.dispose]();
    Deno.exit(130);
  };

  /**
   * @param folder Where the packages are.
   * @param workload One with a `peerProgram`.
   * @param complain Is told why a peer's time doesn't count.
   */
  constructor(
    private readonly folder: string,
    private readonly workload: Workload,
    private readonly complain: (sentence: string) => void = console.error,
    private readonly programs: readonly PeerProgram[] = ours,
  ) {
    Deno.addSignalListener("SIGINT", this.#interrupted);
    const shapes = Object.entries(workload.tensors).map(([name, { shape }]) => [name, shape]);
    Deno.writeTextFileSync(join(this.#place, "tensors.json"), JSON.stringify(Object.fromEntries(shapes)));
    for (const [name, { data }] of Object.entries(workload.tensors)) {
      Deno.writeFileSync(join(this.#place, `${name}.f32`), new Uint8Array(data.buffer));
    }
  }

  /** One run of every program, but those whose result was wrong before. */
  async times(): Promise<PeerTime[]> {
    const times: PeerTime[] = [];
    for (const program of this.programs) {
      if (this.#leftOut.has(program.peer)) continue;
      const time = await this.#time(program);
      if (time) times.push(time);
    }
    return times;
  }

  async #time({ peer, file }: PeerProgram): Promise<PeerTime | undefined> {
    const name = this.workload.peerProgram!;
    for (const output of Object.keys(this.workload.elements ?? {})) {
      await Deno.remove(this.#output(output)).catch(() => {});
    }
    const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", "--no-config", "--no-lock", "--node-modules-dir=manual", file]
        .concat(resolve(this.folder), name, this.#place),
      cwd: this.folder,
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    const line = new TextDecoder().decode(stdout).split("\n").find((line) => line.startsWith("{"));
    if (!success) {
      const lines = new TextDecoder().decode(stderr).trim().split("\n");
      const reason = lines.find((line) => /error/i.test(line)) ?? lines.at(-1);
      return this.#leaveOut(peer, `failed at ${name}: ${reason}`);
    }
    if (line === undefined) return this.#leaveOut(peer, `prints no time of ${name}`);
    const wrong = await this.#wrong();
    if (wrong !== undefined) return this.#leaveOut(peer, `is wrong at ${name}: ${wrong}`);
    const { ms_amort, first_ms } = JSON.parse(line);
    return { peer, ms: ms_amort, first: first_ms };
  }

  #leaveOut(peer: string, reason: string): undefined {
    this.#leftOut.add(peer);
    this.complain(`${peer} is left out, for it ${reason}`);
  }

  /** What is wrong with the outputs, which lie beside the tensors. */
  async #wrong(): Promise<string | undefined> {
    for (const [name, element] of Object.entries(this.workload.elements ?? {})) {
      const bytes = await Deno.readFile(this.#output(name)).catch(() => undefined);
      if (bytes === undefined) return `it gives no "${name}"`;
      const values = new Float32Array(bytes.buffer);
      const error = await errorOf({ elements: { [name]: element } }, () => Promise.resolve(values));
      if (!(error <= tolerance)) return `"${name}" is off by ${error} of its largest element`;
    }
    return undefined;
  }

  #output(name: string): string {
    return join(this.#place, `${name}.out.f32`);
  }

  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGINT", this.#interrupted);
    Deno.removeSync(this.#place, { recursive: true });
  }
}
