/**
 * Every error a user can cause is a sentence: what, where (their own source line), both shapes, what to try.
 *
 * `where` is found by walking a captured stack to the first frame outside Weft, so a message points at the user's call
 * and not at the op's own file.
 */

/** A place in the user's source. */
export interface Origin {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Base of all errors that Weft throws on purpose. */
export class WeftError extends Error {
  override name = "WeftError";
  readonly origin: Origin | undefined;
  /** The message without its place. */
  readonly what: string;
  constructor(message: string, options: { origin?: Origin | undefined; cause?: unknown } = {}) {
    const origin = options.origin ?? callerOrigin();
    super(origin ? `${message}\n    at ${showOrigin(origin)}` : message, { cause: options.cause });
    this.origin = origin;
    this.what = message;
  }
}

/** Shapes, axes or dtypes that do not fit together. */
export class ShapeError extends WeftError {
  override name = "ShapeError";
}

/** A graph that is well formed and cannot be compiled as asked. */
export class CompileError extends WeftError {
  override name = "CompileError";
}

/** A feed, a checkpoint or a device that does not fit the program. */
export class RunError extends WeftError {
  override name = "RunError";
}

/** A broken promise between two stages: always Weft's own bug, never the user's. */
export class InternalError extends Error {
  override name = "InternalError";
  constructor(stage: string, readonly what: string) {
    super(`${stage}: ${what} (this is a bug in Weft; please report it with the graph that caused it)`);
  }
}

const root = new URL("../", import.meta.url).href;
/** Folders of the library itself; tests and examples beside them count as the user's code. */
const own = ["compiler/", "runtime/", "ops/", "mod.ts", "cli.ts"].map((part) => root + part);

/** Where installed packages lie, which are not the user's code either. */
const packages = /\/node_modules\/|\/npm\/[^/]+\//;

/** How far up the stack the user's call is looked for. */
const deepest = 60;

/** The first stack frame outside Weft, or undefined where there is none. */
export const callerOrigin = (): Origin | undefined => new CapturedOrigin().origin;

/**
 * The first stack frame outside Weft, found when somebody asks for it: capturing a stack is cheap, and describing its
 * frames (through source maps) is not. Most are never asked for.
 */
export class CapturedOrigin {
  #holder: { stack?: string } | undefined = {};
  #origin: Origin | undefined;

  constructor() {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = deepest;
    Error.captureStackTrace(this.#holder!, CapturedOrigin);
    Error.stackTraceLimit = limit;
  }

  get origin(): Origin | undefined {
    if (this.#holder) {
      this.#origin = outside(this.#holder.stack ?? "");
      this.#holder = undefined;
    }
    return this.#origin;
  }
}

/** The first frame of a stack's text that is in none of the library's own folders. */
function outside(stack: string): Origin | undefined {
  for (const line of stack.split("\n").slice(1)) {
    const match = /((?:file|https?|data):[^\s()]*?):(\d+):(\d+)\)?$/.exec(line);
    if (!match || packages.test(match[1]!) || own.some((prefix) => match[1]!.startsWith(prefix))) continue;
    return { file: match[1]!, line: Number(match[2]), column: Number(match[3]) };
  }
  return undefined;
}

/** `train.ts:12:9`, relative to the working directory where that is shorter. */
export function showOrigin(origin: Origin): string {
  let file = origin.file;
  if (file.startsWith("file://")) {
    file = decodeURIComponent(file.slice("file://".length));
    const here = `${Deno.cwd()}/`;
    if (file.startsWith(here)) file = file.slice(here.length);
  }
  return `${file}:${origin.line}:${origin.column}`;
}
