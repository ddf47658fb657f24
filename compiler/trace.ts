/** Who listens to a compile. An argument, not a global and not an environment variable (STYLE 15). */

/** What can be done with the result of a stage. */
export interface Inspection<T> {
  /** Throws where the result breaks a rule that later stages rely on. */
  readonly verify?: (result: T) => void;
  /** The result as text, several lines. */
  readonly print?: (result: T) => string;
}

/** Hears the stages of a compile, each as it runs. */
export interface Trace {
  /** Runs a stage; `verify` sees its result before anybody else. */
  stage<T>(name: string, run: () => T, inspection?: Inspection<T>): T;
}

/** Listens to nothing; still verifies. */
export const noTrace: Trace = {
  stage(_name, run, { verify } = {}) {
    const result = run();
    verify?.(result);
    return result;
  },
};

/** One run of a stage: when it began, on the clock of `performance.now()`, and what it took, in milliseconds. */
export interface StageSpan {
  readonly name: string;
  readonly begin: number;
  readonly ms: number;
}

/** Records how long each stage took, in milliseconds. */
export class TimingTrace implements Trace {
  /** By name; a stage that ran several times takes all of them together. */
  readonly times = new Map<string, number>();
  /** Each run of a stage, in the order in which they ended. */
  readonly spans: StageSpan[] = [];

  stage<T>(name: string, run: () => T, { verify }: Inspection<T> = {}): T {
    const start = performance.now();
    try {
      const result = run();
      verify?.(result);
      return result;
    } finally {
      const ms = performance.now() - start;
      this.spans.push({ name, begin: start, ms });
      this.times.set(name, (this.times.get(name) ?? 0) + ms);
    }
  }
}

/**
 * Writes what the named stages gave, as text.
 *
 * @example
 * ```ts
 * import { compile, input, model, openDevice, PrintingTrace, softmax } from "@weft/weft";
 *
 * const net = model({ x: input([2, 4], "f32") }, ({ x }) => ({ y: softmax(x) }));
 * using device = await openDevice({ device: "cpu" });
 * using _program = await compile(net, { device, trace: new PrintingTrace(["fuse", "schedule"]) });
 * ```
 */
export class PrintingTrace implements Trace {
  readonly #stages: ReadonlySet<string> | undefined;
  readonly #write: (text: string) => void;

  /**
   * @param stages Names of stages (`compiler/compile.ts` lists them); all that have a text where nothing is given.
   * @param write Where the text goes. Default: the console.
   */
  constructor(stages?: readonly string[], write: (text: string) => void = console.log) {
    this.#stages = stages && new Set(stages);
    this.#write = write;
  }

  stage<T>(name: string, run: () => T, { verify, print }: Inspection<T> = {}): T {
    const result = run();
    // Before it is verified: a text of what is wrong is what one wants to see then.
    if (print && (this.#stages?.has(name) ?? true)) this.#write(`--- ${name}\n${print(result)}`);
    verify?.(result);
    return result;
  }
}
