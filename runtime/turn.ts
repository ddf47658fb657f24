/**
 * Giving the event loop its turn.
 *
 * A training loop whose promises are all kept at once never leaves the microtask queue: no timer fires, no signal is
 * heard, no request is answered. Whatever the runtime lets a program wait for, it therefore answers one turn of the
 * event loop later. An immediate costs 10 µs and lets timers and input run, a timer of 0 ms costs 2 ms.
 * @module
 */

import { setImmediate } from "node:timers";

export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(() => resolve()));
