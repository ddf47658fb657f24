/** Ctrl-C as something that a run can look at between two steps. */

/** Aborts at the first Ctrl-C or SIGTERM; the second one is the system's to handle. */
export function stopOnSignal(): AbortSignal {
  const stop = new AbortController();
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM"];
  const heard = () => {
    stop.abort();
    for (const signal of signals) Deno.removeSignalListener(signal, heard);
  };
  for (const signal of signals) Deno.addSignalListener(signal, heard);
  return stop.signal;
}
