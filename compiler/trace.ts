/** Who listens to a compile. An argument, not a global and not an environment variable (STYLE 15). */

export interface Trace {
  /** Runs a stage; `verify` sees its result before anybody else. */
  stage<T>(name: string, f: () => T, verify?: (result: T) => void): T;
}

/** Listens to nothing; still verifies. */
export const noTrace: Trace = {
  stage(_name, f, verify) {
    const result = f();
    verify?.(result);
    return result;
  },
};

/** Records how long each stage took, in milliseconds. */
export class TimingTrace implements Trace {
  readonly times = new Map<string, number>();

  stage<T>(name: string, f: () => T, verify?: (result: T) => void): T {
    const start = performance.now();
    try {
      const result = f();
      verify?.(result);
      return result;
    } finally {
      this.times.set(name, (this.times.get(name) ?? 0) + performance.now() - start);
    }
  }
}
