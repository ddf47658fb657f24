/** Aborts at the first Ctrl-C; the second one is the system's to handle. */
export function stopOnSignal(): { readonly signal: AbortSignal } & Disposable {
  const stop = new AbortController();
  const heard = () => {
    stop.abort();
    Deno.removeSignalListener("SIGINT", heard);
  };
  Deno.addSignalListener("SIGINT", heard);
  return {
    signal: stop.signal,
    [Symbol.dispose]() {
      if (!stop.signal.aborted) Deno.removeSignalListener("SIGINT", heard);
    },
  };
}
