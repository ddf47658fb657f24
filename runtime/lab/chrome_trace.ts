/**
 * A profile as trace events, the JSON that `chrome://tracing` and Perfetto open: the stages of the compile on
 * one track, the dispatches on another.
 *
 * Dispatches were timed one by one, in several rounds; what is shown is one run of medians, one after the
 * other.
 * @module
 */

import type { ProgramProfile } from "./profile_program.ts";

/** One event: `X` has a beginning and a length, both in microseconds; `M` names a process or a thread. */
export interface TraceEvent {
  readonly name: string;
  readonly ph: "X" | "M";
  readonly pid: number;
  readonly tid: number;
  readonly ts: number;
  readonly dur?: number;
  readonly cat?: string;
  readonly args: Readonly<Record<string, unknown>>;
}

/** What a trace file holds. */
export interface ChromeTrace {
  readonly displayTimeUnit: "ms";
  readonly traceEvents: readonly TraceEvent[];
  readonly otherData: Readonly<Record<string, string>>;
}

const COMPILER = 1;
const DEVICE = 2;

/** The events of a profile. */
export function chromeTrace(profile: ProgramProfile): ChromeTrace {
  const { name, device, kernels, stages, clock, rounds } = profile;
  const begin = stages[0]?.begin ?? 0;
  const compiled = stages.map((stage): TraceEvent => ({
    ...span(stage.name, "compile", COMPILER, 1000 * (stage.begin - begin), 1000 * stage.ms),
    args: {},
  }));
  let at = compiled.reduce((end, { ts, dur }) => Math.max(end, ts + dur!), 0);
  const dispatched = kernels.map(({ label, ms, work, roof, ...kernel }): TraceEvent => {
    const event = {
      ...span(label, kernel.schedule, DEVICE, at, 1000 * ms),
      args: {
        ...kernel,
        ...work && {
          loads: work.loads,
          stores: work.stores,
          bytes: work.reads + work.writes,
          flops: work.flops,
          functions: work.functions,
        },
        ...roof && { ...roof },
      },
    };
    at += 1000 * ms;
    return event;
  });
  return {
    displayTimeUnit: "ms",
    traceEvents: [
      named("process_name", COMPILER, `weft: ${name}`),
      named("thread_name", COMPILER, "compile"),
      named("process_name", DEVICE, device.name),
      named("thread_name", DEVICE, "queue: dispatches, one after the other"),
      ...compiled,
      ...dispatched,
    ],
    otherData: { weft: profile.weft, device: device.name, clock, rounds: String(rounds) },
  };
}

const span = (name: string, cat: string, track: number, ts: number, dur: number) =>
  ({ name, cat, ph: "X", pid: track, tid: 1, ts, dur }) as const;

const named = (what: "process_name" | "thread_name", track: number, name: string): TraceEvent => ({
  name: what,
  ph: "M",
  pid: track,
  tid: 1,
  ts: 0,
  args: { name },
});
